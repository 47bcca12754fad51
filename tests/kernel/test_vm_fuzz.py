"""Some of the random programs of ``tests/fuzz/vm``: the kernel and the machine do the same with them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "fuzz" / "vm"))  # tests are collected without packages

import both

from beespace.isa import AluOp, AtomicOp
from beespace.vm import arithmetic, maps

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("first_cpu")]


def found(first: int, count: int) -> list[str]:
    with both.Both(both.features()) as side_by_side:
        differences = [line for seed in range(first, first + count) for line in side_by_side.differences(seed)]
        assert side_by_side.accepted > count * 0.7, side_by_side.reasons
    return differences


def test_random_programs() -> None:
    assert found(700_000, 60) == []


def test_a_wrong_instruction_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oracle can fail."""
    wrong = dict(arithmetic.BINARY) | {AluOp.ARSH: lambda a, b, bits: a >> (b & bits - 1)}
    monkeypatch.setattr("beespace.vm.instructions.BINARY", wrong)
    assert found(700_000, 40) != []


def test_a_wrong_atomic_or_map_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = dict(arithmetic.ATOMIC) | dict.fromkeys((AtomicOp.XOR, AtomicOp.ADD), lambda a, b: a | b)
    monkeypatch.setattr("beespace.vm.instructions.ATOMIC", wrong)
    monkeypatch.setattr(maps.Hash, "_make_room", lambda self: None)
    assert found(700_000, 60) != []
