"""The programs of ``bench/twins`` that are written in Python and in C: the same verdicts and maps, and no more code."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from types import ModuleType

import pytest

from beespace.compiler import compile_program
from beespace.elf import read
from beespace.kernel import load, vmlinux_btf
from beespace.session.files import program_of

BENCH = Path(__file__).parent.parent.parent / "bench"
PAIRS = sorted(
    path.stem for path in (BENCH / "twins").glob("*.py") if (BENCH / "twins" / f"{path.stem}.bpf.c").exists()
)
WORST = 1.15  # of the instructions; kernels inline lookups differently, the measured worst is 1.10

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(shutil.which("clang") is None, reason="clang is not installed"),
]


@pytest.fixture(scope="module")
def twinning() -> ModuleType:
    sys.path.insert(0, str(BENCH))
    try:
        import twinning as module
    finally:
        sys.path.remove(str(BENCH))
    return module


@pytest.mark.parametrize("name", PAIRS)
def test_twins(name: str, twinning: ModuleType) -> None:
    compiled = compile_program(program_of(BENCH / "twins" / f"{name}.py").declaration(), vmlinux_btf)
    told = twinning.variables(name)
    with load(read(compiled.object, name), variables=told) as ours, load(twinning.twin(name), variables=told) as theirs:
        twinning.same(name, ours, theirs)
        assert twinning.length(ours) <= WORST * twinning.length(theirs)


def test_there_are_twins() -> None:
    assert len(PAIRS) >= 15
