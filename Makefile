# `make watch` and `make test` do all of their own set-up on a fresh Debian or Ubuntu machine.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
ARGS ?=
# Where tests/vm looks for what the kernel tests compiled, so that guests need not run clang and LLVM.
OBJECTS := $(CURDIR)/.pytest_cache/guests/objects

.PHONY: watch test test-kernels test-cluster test-scale check unit fuzz fuzz-language fuzz-vm fuzz-vm-safety format objects \
	stubs bench bench-overhead picture \
	demo-recording clean help

help:
	@grep -E '^## ' $(MAKEFILE_LIST) | sed 's/^## /  make /'

## watch [ARGS="..."]   install beespace into .venv and show who talks to whom
watch: $(VENV)/.installed
	@exec $(BIN)/beespace watch $(ARGS)

## check                lint, types, layers, unit and golden tests (under two minutes)
check: $(VENV)/.developer
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python tools/compile_probes.py --check
	$(BIN)/pytest -q -n auto --maxprocesses 8 --dist loadfile tests/unit tests/golden tests/fuzz

## test                 everything that this machine can run; installs what the tests need
test: $(VENV)/.developer
	tools/install-test-packages.sh
	$(MAKE) check
	BEESPACE_OBJECT_CACHE=$(OBJECTS) BEESPACE_LLVM_CACHE=$(OBJECTS) tools/run-live-tests.sh $(BIN)/pytest \
		tests/oracle tests/kubernetes tests/kernel tests/pods
	tools/run-live-tests.sh $(BIN)/pytest tests/vm

## test-kernels         the kernel tests on every kernel of the matrix, in virtual machines (an hour and a half on two cores)
test-kernels: $(VENV)/.developer
	tools/install-test-packages.sh
	tools/run-live-tests.sh $(BIN)/pytest --tier full $(ARGS) tests/vm

## test-scale           many sockets, processes, addresses and DNS questions, and what they cost; needs root
test-scale: $(VENV)/.developer
	tools/install-test-packages.sh
	$(BIN)/pytest -q -s tests/scale $(ARGS)

## test-cluster         the agent in a Kubernetes cluster of two nodes, which is built the first time (see docs/kubernetes.md)
test-cluster: $(VENV)/.developer
	tests/cluster/install.sh
	$(BIN)/python tests/cluster/kube_build.py
	$(BIN)/python tests/cluster/base_image.py
	$(BIN)/python tests/cluster/agent_image.py
	$(BIN)/pytest -q tests/cluster --timeout=900 $(ARGS)

## unit                 only the fast tests
unit: $(VENV)/.developer
	$(BIN)/pytest -q -n auto --maxprocesses 8 --dist loadfile tests/unit tests/golden

## fuzz [SECONDS=3600]  damaged files for every reader; what finds a bug is written to found/
fuzz: $(VENV)/.developer
	$(BIN)/python tests/fuzz/fuzzing.py --seconds $(or $(SECONDS),3600) --first $$(date +%s)000

## fuzz-language [CASES=100000]  random functions in the kernel and in CPython, side by side; needs root
fuzz-language: $(VENV)/.developer
	$(BIN)/python tests/fuzz/language/fuzz.py --cases $(or $(CASES),100000) --first $$(date +%s)000

## fuzz-vm [CASES=100000]   random programs in the kernel and in the machine, side by side; needs root
fuzz-vm: $(VENV)/.developer
	$(BIN)/python tests/fuzz/vm/fuzz.py --cases $(or $(CASES),100000) --first $$(date +%s)000 $(ARGS)

## fuzz-vm-safety [SECONDS=3600]  damaged programs in the machine: nobody leaves the memory that is his
fuzz-vm-safety: $(VENV)/.developer
	$(BIN)/python tests/fuzz/vm/safety.py --seconds $(or $(SECONDS),3600) --first $$(date +%s)000 $(ARGS)

## format               rewrite the sources in the house format
format: $(VENV)/.developer
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

## objects              compile the shipped probes again
objects: $(VENV)/.developer
	$(BIN)/python tools/compile_probes.py

## stubs                what editors know of kernel structs and contexts, from this kernel's types
stubs: $(VENV)/.developer
	$(BIN)/python tools/kernel_stubs.py
	$(BIN)/python tools/context_classes.py

## bench                print the budgets' rows
bench: $(VENV)/.developer
	$(BIN)/python bench/run.py

## bench-overhead       what watching costs an HTTP server, beside bpftrace and a twin in C, into docs/overhead.md (root; 15 minutes)
bench-overhead: $(VENV)/.developer
	bench/install-overhead-packages.sh
	$(BIN)/python bench/overhead.py --write docs/overhead.md $(ARGS)

## demo-recording       record the shop of `beespace demo` again, in real containers (root; a minute), and what it shows
demo-recording: $(VENV)/.developer
	tests/pods/install.sh
	$(BIN)/python tools/record_demo.py
	$(BIN)/python tests/unit/test_demo.py

## picture              make the README's picture from the real table
picture: $(VENV)/.developer
	$(BIN)/python tools/picture.py docs/watch.svg

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

$(VENV)/.installed: pyproject.toml
	@tools/make-environment.sh $(PYTHON) $(VENV) '.[containers]' >&2
	@touch $@

$(VENV)/.developer: pyproject.toml
	@tools/make-environment.sh $(PYTHON) $(VENV) '.[dev]' >&2
	@touch $@ $(VENV)/.installed
