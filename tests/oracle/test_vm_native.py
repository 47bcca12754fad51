"""Native code beside the kernel: the tests of the interpreter in ``tests/kernel``, with all machines compiling.

Here and not there, because LLVM takes too long in the virtual machines in which those run.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

# Tests are collected without packages; conftest.py adds tests/kernel.
sys.path.insert(0, str(Path(__file__).parent.parent / "fuzz" / "vm"))

import both
import test_vm_instructions as instructions

from beespace.session.native import native
from beespace.vm import Machine
from beespace.vm.jit.run import NativeRun

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.usefixtures("compiling"),
    pytest.mark.skipif(os.geteuid() != 0, reason="runs programs in the kernel, which takes root"),
]
RUNS: list[int] = []


@pytest.fixture
def compiling(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every machine runs native code, and one has."""
    plain, began = Machine.__init__, NativeRun.__init__

    def compiled(machine: Machine, *arguments: Any, **named: Any) -> None:
        plain(machine, *arguments, **{**named, "jit": native()})

    def counted(run: NativeRun, *arguments: Any) -> None:
        RUNS.append(1)
        began(run, *arguments)

    monkeypatch.setattr(Machine, "__init__", compiled)
    monkeypatch.setattr(NativeRun, "__init__", counted)
    RUNS.clear()
    yield
    assert RUNS


@pytest.fixture
def first_cpu() -> Iterator[None]:
    """Programs run on CPU 0, which is the machine's."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {0})
    yield
    os.sched_setaffinity(0, allowed)


@pytest.mark.parametrize("case", instructions.CASES[::20], ids=lambda case: case.name)
def test_the_same_as_in_the_kernel(case: instructions.Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some instructions, on some numbers: the others are compared with the interpreter (tests/unit)."""
    monkeypatch.setattr(instructions, "PAIRS", instructions.PAIRS[:: len(instructions.PAIRS) // 4])
    instructions.test_the_same_as_in_the_kernel(case)


@pytest.mark.parametrize("seed", range(2))
def test_random_arithmetic(seed: int) -> None:
    instructions.test_random_arithmetic(seed)


def test_random_programs(first_cpu: None) -> None:
    with both.Both(both.features(), [{"jit": native()}]) as side_by_side:
        assert [line for seed in range(710_000, 710_010) for line in side_by_side.differences(seed)] == []
        assert side_by_side.accepted > 6, side_by_side.reasons
