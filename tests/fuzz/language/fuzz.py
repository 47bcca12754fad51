"""Random functions in the kernel, in beespace's own machine and in CPython: each result must be the same.

A case is one function with one input.  ``python tests/fuzz/language/fuzz.py --cases 100000`` prints every difference
with its program, and ends with 1 if there was one.  A seed names a program: ``--first SEED --cases 1``.
"""

from __future__ import annotations

import argparse
import contextlib
import linecache
import sys
import time
from collections.abc import Iterator
from itertools import count
from typing import Any

import reference
from called import CalledWriter
from shapes import FUNCTIONS, ROWS, Input, Output, Pair, Scratch, in_kernel, in_python, inputs
from writer import Writer

from beespace import lang
from beespace import types as kinds
from beespace.compiler import lower
from beespace.compiler.rules import NotInKernel
from beespace.compiler.worker import Worker
from beespace.elf import read
from beespace.errors import BeespaceError, CompileError, InternalError, NotSupported, ProgramFault, VerifierError
from beespace.kernel import load, vmlinux_btf
from beespace.lang import Declaration, Program
from beespace.session.running import RunningProgram
from beespace.session.simulated import SimulatedProgram, simulate
from beespace.session.simulated_types import simulated_types

CASES = FUNCTIONS * ROWS  # of one program
PACKET = bytes(64)
TOO_LARGE: list[int] = []  # seeds of programs that no kernel takes
TOO_NEW: list[int] = []  # of those that this kernel is too old for
# A million steps; and 8192 branches that wait to be looked at (BPF_COMPLEXITY_LIMIT_JMP_SEQ), which is EFAULT.
_TOO_LARGE = ("E2BIG", "jumps is too complex")


def program(text: str, name: str) -> type[Program]:
    """The class that ``text`` declares, as a notebook has it."""
    file = f"<{name}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    words = {name: getattr(lang, name) for name in lang.__all__}
    scope: dict[str, Any] = {
        **words,
        **vars(kinds),
        "Input": Input,
        "Output": Output,
        "Pair": Pair,
        "Scratch": Scratch,
    }
    scope |= {"ROWS": ROWS, "__name__": __name__}
    exec(compile(text, file, "exec", dont_inherit=True), scope)
    return scope["Fuzzed"]


def compiled(text: str, name: str, worker: Worker) -> tuple[Declaration, bytes]:
    """The program and its object."""
    declaration = program(text, name).declaration()
    return declaration, worker.build(lower(declaration, vmlinux_btf())).object


def kernel_results(declaration: Declaration, data: bytes, records: list[dict[str, Any]]) -> list[list[int]]:
    """What the kernel computes: a row for each record."""
    return _results(RunningProgram(load(read(data, "Fuzzed")), declaration), declaration, records)


def machine_results(declaration: Declaration, data: bytes, records: list[dict[str, Any]]) -> list[list[int]]:
    """What the machine computes."""
    return _results(simulate(declaration.source(), data, {}, simulated_types()), declaration, records)


def _results(
    started: RunningProgram | SimulatedProgram, declaration: Declaration, records: list[dict[str, Any]]
) -> list[list[int]]:
    with contextlib.closing(started) as running:
        probe = declaration.source()
        for found, declared in probe.live_maps():
            declared.attach_backend(running.map(found))
        for row, record in enumerate(records):
            probe.inputs[row] = in_kernel(record)
        running.program("run").test_run(PACKET, repeat=len(records))
        return [list(probe.outputs[row].values) for row in range(len(records))]


def python_results(text: str, records: list[dict[str, Any]]) -> list[list[int]]:
    """What CPython computes."""
    known = reference.functions(text)
    calls = [line.partition(" = u64(")[2][:-1] for line in text.splitlines() if "out.values[" in line]
    code = [compile(call, "<call>", "eval") for call in calls]
    rows = []
    for record in records:
        rows.append([int(eval(call, {"self": known, "data": in_python(record)})) & (1 << 64) - 1 for call in code])
    return rows


def differences(seed: int, worker: Worker, kind: type[Writer] = Writer) -> Iterator[str]:
    """Every difference of the program of that seed, in words."""
    text, records = kind(seed).program(), inputs(seed)
    try:
        expected = python_results(text, records)
    except Exception as error:
        yield f"seed {seed}: the writer wrote what Python does not run: {type(error).__name__}: {error}"
        return
    try:
        declaration, data = compiled(text, f"seed {seed}", worker)
        found = kernel_results(declaration, data, records)
    except InternalError as error:
        if "bytes of stack" not in str(error):
            raise
        TOO_LARGE.append(seed)
        return
    except VerifierError as error:
        # A million steps are the verifier's limit for one program, whatever it was compiled from.
        if not any(word in str(error) for word in _TOO_LARGE):
            yield f"seed {seed}: {type(error).__name__}: {error}"
        else:
            TOO_LARGE.append(seed)
        return
    except CompileError as error:
        if all(isinstance(each, NotInKernel) for each in error.diagnostics):
            TOO_NEW.append(seed)
        else:
            yield f"seed {seed}: {error}"
        return
    except NotSupported as error:
        if error.since is None:
            yield f"seed {seed}: {type(error).__name__}: {error}"
        else:
            TOO_NEW.append(seed)
        return
    except BeespaceError as error:
        yield f"seed {seed}: {type(error).__name__}: {error}"
        return
    try:
        simulated = machine_results(declaration, data, records)
    except ProgramFault as fault:
        yield f"seed {seed}: the kernel took it, and in the machine: {fault}"
        return
    for row, (theirs, ours) in enumerate(zip(found, simulated, strict=True)):
        for number, (kernel, machine) in enumerate(zip(theirs, ours, strict=True)):
            if kernel != machine:
                yield f"seed {seed}: f{number} of {records[row]}: the kernel {kernel:#x}, the machine {machine:#x}"
    for row, (theirs, ours) in enumerate(zip(found, expected, strict=True)):
        for number, (kernel, python) in enumerate(zip(theirs, ours, strict=True)):
            if kernel != python:
                yield f"seed {seed}: f{number} of {records[row]}: the kernel {kernel:#x}, Python {python:#x}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=1200, help="functions times inputs")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--called", action="store_true", help="most loops are called by the kernel (Linux 5.17)")
    parser.add_argument("--show", action="store_true", help="print the programs, too")
    options = parser.parse_args()
    begun, failed, cases = time.monotonic(), 0, 0
    kind = CalledWriter if options.called else Writer
    with Worker() as worker:
        for seed in count(options.first):
            if cases - len(TOO_LARGE + TOO_NEW) * CASES >= options.cases:
                break
            if options.show:
                print(kind(seed).program())
            found = list(differences(seed, worker, kind))
            cases += CASES
            failed += bool(found)
            for line in found[:3]:
                print(line, flush=True)
    ran = f"{cases - len(TOO_LARGE + TOO_NEW) * CASES} cases, {failed} programs with a difference"
    left_out = f"{len(TOO_LARGE)} programs too large, {len(TOO_NEW)} for a newer kernel"
    print(f"{ran}, {left_out}, {time.monotonic() - begun:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
