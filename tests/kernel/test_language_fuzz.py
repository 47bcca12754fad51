"""Random functions of the language, in the kernel and in CPython: some hundred cases of ``make fuzz-language``."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "fuzz" / "language"))  # tests are collected without packages

import fuzz
from called import CalledWriter

from beespace.compiler.kernel.calls import has_helper
from beespace.compiler.worker import Worker
from beespace.errors import NotSupported
from beespace.kernel import vmlinux_btf

pytestmark = pytest.mark.kernel


def test_random_functions(no_leaks: None) -> None:
    with Worker() as worker:
        for seed in (7_000_187, *range(1_000_000, 1_000_005)):  # the first was refused once: r0 held a pointer
            assert list(fuzz.differences(seed, worker)) == []
    assert len(fuzz.TOO_NEW) < 6


def test_random_functions_whose_loops_are_called(no_leaks: None) -> None:
    if not has_helper(vmlinux_btf(), "loop"):
        raise NotSupported("bpf_loop()", since="5.17")
    with Worker() as worker:
        for seed in range(3, 6):
            assert list(fuzz.differences(seed, worker, CalledWriter)) == []


def test_a_difference_is_seen() -> None:
    """The oracle can fail: another program's results are no match."""
    text, records = fuzz.Writer(1).program(), fuzz.inputs(1)
    assert fuzz.python_results(text, records) != fuzz.python_results(fuzz.Writer(2).program(), records)
