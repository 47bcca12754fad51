"""Programs that compile and that the kernel refuses: the author sees the line, the name and what to change.

With ``UPDATE_GOLDEN=1`` what this kernel says is written to ``tests/golden/refusals``, for tests without a kernel.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "golden"))  # tests are collected without packages

from refusals_store import PYTHON, C, record, refusals, store, titles

import beespace
from beespace.errors import BeespaceError, CompileError, VerifierError
from beespace.session.files import program_of

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("no_leaks")]

KERNEL = ".".join(os.uname().release.split(".")[:2])
MEMORY = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
PROGRAMS = sorted(path.stem for path in PYTHON.glob("*.py"))
PROGRAMS_IN_C = {name: file.name for file in sorted(C.glob("*.bpf.c"))
                 for name in re.findall(r'^SEC\("[^"]+"\) int (\w+)', file.read_text(), re.M)}  # fmt: skip


def check(error: VerifierError, folder: Path, name: str, source: str) -> None:
    if os.environ.get("UPDATE_GOLDEN"):
        store(folder, name, KERNEL, record(error, source))
        return
    # Kernels stop at different instructions; what is said is of one of the recorded kinds.
    said = str(error)
    title = said.partition("error: ")[2].partition("\n")[0]
    assert title in titles(folder, name), said
    assert f"the kernel says: {error.reason}" in said
    assert "    = help: " in said
    assert "^" in said.splitlines()[2]


@pytest.mark.parametrize("name", PROGRAMS)
def test_refusal(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if name.startswith("too_many") and MEMORY < 4 << 30:
        pytest.skip(f"verifiers may keep gigabytes of states for it; here are {MEMORY >> 20} MiB")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.chdir(PYTHON)
    try:
        with program_of(PYTHON / f"{name}.py")().load() as running:
            assert running
        pytest.skip("this kernel takes it")
    except VerifierError as refused:
        error = refused
    except CompileError as other:
        if KERNEL in refusals(PYTHON, name):
            raise
        pytest.skip(f"it cannot be said for this kernel: {str(other).splitlines()[0]}")
    except BeespaceError as other:
        pytest.skip(f"this kernel cannot be asked: {other}")
    assert str(error).startswith(f"{name}.py:")
    check(error, PYTHON, name, f"{name}.py")


@pytest.mark.parametrize("name", PROGRAMS_IN_C)
def test_refusal_of_c(name: str, object_file: Callable[..., Path]) -> None:
    object = object_file((C / PROGRAMS_IN_C[name]).read_text())
    try:
        beespace.open(object, programs=[name]).close()
        pytest.skip("this kernel takes it")
    except VerifierError as refused:
        error = refused
    except BeespaceError as other:
        pytest.skip(f"this kernel cannot be asked: {other}")
    assert ".c:" in str(error).splitlines()[0]
    check(error, C, name, PROGRAMS_IN_C[name])
