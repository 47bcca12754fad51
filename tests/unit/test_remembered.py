"""What is remembered of keys, held against an ordered dictionary."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from beespace.session.remembered import Remembered

INTERVALS = st.lists(st.lists(st.integers(0, 30), max_size=12), max_size=12)


def see(remembered: Remembered, model: OrderedDict[int, int], numbers: list[int], interval: int) -> None:
    """An interval's keys, in both: what is new and what was remembered is the same."""
    places, new = remembered.seen(words(numbers))
    assert new.tolist() == [number not in model for number in numbers]
    assert remembered.facts["fact"][places].tolist() == [model.get(number, 0) for number in numbers]
    remembered.facts["fact"][places] = interval
    for number in numbers:
        model.pop(number, None)
        model[number] = interval


@settings(max_examples=40, deadline=None)
@given(INTERVALS, st.integers(0, 10))
def test_as_an_ordered_dictionary(intervals: list[list[int]], limit: int) -> None:
    remembered = Remembered([("fact", "i8")], 2)
    model: OrderedDict[int, int] = OrderedDict()
    for interval, numbers in enumerate(intervals, 1):
        assert (remembered.find(words(numbers)) >= 0).tolist() == [number in model for number in numbers]
        see(remembered, model, numbers, interval)
        gone = [model.popitem(last=False) for _ in range(max(0, len(model) - limit))]
        forgotten, facts = remembered.forget(limit)
        assert list(zip(forgotten[:, 1].tolist(), facts["fact"].tolist(), strict=True)) == gone
        assert len(remembered) == len(model) <= limit
    left = list(model)
    assert remembered.facts["fact"][remembered.find(words(left))].tolist() == list(model.values())


def test_many_come_and_go() -> None:
    """Five thousand at a time, a third of them seen before; the memory stays what 7,500 need."""
    remembered = Remembered([("fact", "i8")], 2)
    draw = np.random.default_rng(7)
    model: OrderedDict[int, int] = OrderedDict()
    for interval in range(1, 9):
        numbers = draw.choice(20_000, 5_000, replace=False).tolist()
        see(remembered, model, numbers, interval)
        while len(model) > 7_500:
            model.popitem(last=False)
        remembered.forget(7_500)
    everybody = remembered.find(words(range(20_000))) >= 0
    assert everybody.tolist() == [number in model for number in range(20_000)]
    assert len(remembered.facts) < 25_000


def words(numbers: Iterable[int]) -> NDArray[np.uint64]:
    """Keys whose first halves are all the same."""
    second = np.fromiter(numbers, np.uint64)
    return np.column_stack([np.full(len(second), 9, np.uint64), second])
