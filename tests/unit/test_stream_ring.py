"""The vectorised ring drain over a synthetic ring that wraps as the kernel's does."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beespace.isa.ring_record import BUSY, DISCARD
from beespace.schema import Event
from beespace.stream import Decoder, Drained, drain
from beespace.types import Text, text, u32, u64


class Tick(Event):
    number: u64
    cpu: u32
    name: Text = text(12)


DECODER = Decoder(Tick.layout)
SIZE = 4096


class FakeRing:
    """Producer and memory: both halves of ``data`` hold the same bytes, as the double mapping does."""

    def __init__(self, size: int = SIZE, start: int = 0) -> None:
        self.memory = bytearray(2 * size)
        self.size = size
        self.consumer = start
        self.producer = start

    @property
    def data(self) -> memoryview:
        return memoryview(self.memory)

    def advance(self, position: int) -> None:
        assert self.consumer <= position <= self.producer
        for place in range(self.consumer, position):  # the kernel may write there again at once
            self._put(place, b"\xee")
        self.consumer = position

    def _put(self, position: int, data: bytes) -> None:
        for index, byte in enumerate(data):
            place = (position + index) % self.size
            self.memory[place] = self.memory[place + self.size] = byte

    def reserve(self, data: bytes, flags: int = 0) -> int:
        """Returns where the header stands."""
        place, step = self.producer, -(-(len(data) + 8) // 8) * 8
        assert self.producer + step - self.consumer <= self.size, "ring is full"
        self._put(place, struct.pack("<II", len(data) | flags, 0) + data)
        self.producer += step
        return place

    def commit(self, place: int, length: int) -> None:
        self._put(place, struct.pack("<I", length))


def tick(number: int) -> bytes:
    return struct.pack("<QI12s", number, number & 3, b"n%d" % number)


def numbers(drained: Drained) -> list[int]:
    found: list[int] = drained.records.column("number").to_pylist()
    return found


def test_fixed_stride_wraps_many_times() -> None:
    ring, expected = FakeRing(start=SIZE - 16), 0
    for _ in range(40):
        for number in range(expected, expected + 100):
            ring.reserve(tick(number))
        got = drain(ring, DECODER)
        assert numbers(got) == list(range(expected, expected + 100))
        assert got.records.column("name")[5].as_py() == f"n{expected + 5}"
        expected += 100
    assert ring.consumer == ring.producer > 9 * SIZE


def test_nothing_there() -> None:
    got = drain(FakeRing(), DECODER)
    assert (got.records.num_rows, got.more) == (0, False)


def test_stops_at_busy_and_goes_on_after_commit() -> None:
    ring = FakeRing()
    ring.reserve(tick(1))
    place = ring.reserve(tick(2), BUSY)
    ring.reserve(tick(3))
    first = drain(ring, DECODER)
    assert (numbers(first), first.more) == ([1], False)
    assert numbers(drain(ring, DECODER)) == []
    ring.commit(place, len(tick(2)))
    assert numbers(drain(ring, DECODER)) == [2, 3]


def test_discarded_are_skipped_and_counted() -> None:
    ring = FakeRing()
    for number in range(6):
        ring.reserve(tick(number), DISCARD if number % 2 else 0)
    got = drain(ring, DECODER)
    assert (numbers(got), got.discarded) == ([0, 2, 4], 3)
    assert ring.consumer == ring.producer


def test_other_lengths_walk() -> None:
    ring = FakeRing()
    ring.reserve(tick(1))
    ring.reserve(b"short")
    ring.reserve(tick(2) + b"and more that the layout does not know")
    ring.reserve(b"x" * 100, DISCARD)
    ring.reserve(tick(3))
    ring.reserve(tick(4), BUSY)
    got = drain(ring, DECODER)
    assert (numbers(got), got.malformed, got.discarded) == ([1, 2, 3], 1, 1)


def test_only_short_records() -> None:
    ring = FakeRing()
    ring.reserve(b"x")
    got = drain(ring, DECODER)
    assert (numbers(got), got.malformed) == ([], 1)
    assert ring.consumer == ring.producer


@pytest.mark.parametrize("odd", [False, True])
def test_batches_are_bounded(odd: bool) -> None:
    ring = FakeRing()
    ring.reserve(b"odd" if odd else tick(99))
    for number in range(10):
        ring.reserve(tick(number))
    seen, more = [], True
    while more:
        got = drain(ring, DECODER, max_rows=4)
        assert got.records.num_rows <= 4
        seen += numbers(got)
        more = got.more
    assert seen == ([] if odd else [99]) + list(range(10))


def test_nothing_points_into_the_ring() -> None:
    ring = FakeRing()
    ring.reserve(tick(7))
    got = drain(ring, DECODER)  # FakeRing.advance overwrites what was given back
    assert got.records.to_pylist() == [{"number": 7, "cpu": 3, "name": "n7"}]
    ring.memory.append(0)  # a bytearray with exported views refuses to grow


def test_position_is_not_published_if_decoding_fails() -> None:
    class Broken(Decoder):
        def __call__(self, records: np.ndarray[Any, Any], boot_offset: int = 0) -> Any:
            raise MemoryError

    ring = FakeRing()
    ring.reserve(tick(1))
    with pytest.raises(MemoryError):
        drain(ring, Broken(Tick.layout))
    assert numbers(drain(ring, DECODER)) == [1]


_RECORDS = st.lists(
    st.tuples(st.sampled_from(["row", "row", "row", "long", "short"]), st.sampled_from([0, 0, 0, DISCARD, BUSY])),
    max_size=12,
)


@given(st.lists(st.tuples(_RECORDS, st.integers(1, 20)), max_size=12), st.integers(0, SIZE // 8 - 1))
@settings(max_examples=150, deadline=None)
def test_any_sequence_agrees_with_a_plain_walk(rounds: list[tuple[Any, int]], start: int) -> None:
    ring, number = FakeRing(start=start * 8), 0
    expected: list[int] = []
    seen: list[int] = []
    for records, max_rows in rounds:
        busy: list[tuple[int, int]] = []
        for shape, flags in records:
            data = {"row": tick(number), "long": tick(number) + b"+" * 9, "short": b"-"}[shape]
            if ring.producer + len(data) + 24 - ring.consumer > SIZE:
                break
            place = ring.reserve(data, flags)
            if flags == BUSY:
                busy.append((place, len(data)))
            if flags != DISCARD and shape != "short":
                expected.append(number)
            number += 1
        seen += numbers(drain(ring, DECODER, max_rows=max_rows))
        for place, length in busy:
            ring.commit(place, length)
    while ring.consumer != ring.producer:
        seen += numbers(drain(ring, DECODER))
    assert seen == expected


class Said(Event):
    number: u64
    line: Text = text(100, variable=True)


def said(number: int, line: bytes, claimed: int | None = None) -> bytes:
    return struct.pack("<QI", number, len(line) if claimed is None else claimed) + line


@settings(max_examples=100, deadline=None)
@given(lines=st.lists(st.binary(max_size=100), max_size=40), start=st.integers(0, 511).map(lambda n: n * 8))
def test_records_of_variable_length(lines: list[bytes], start: int) -> None:
    ring, decoder = FakeRing(start=start), Decoder(Said.layout)
    for number, line in enumerate(lines[:30]):
        ring.reserve(said(number, line))
    drained = drain(ring, decoder)
    assert drained.records.column("line").to_pylist() == [line.decode(errors="replace") for line in lines[:30]]
    assert drained.records.column("number").to_pylist() == list(range(len(lines[:30])))
    assert ring.consumer == ring.producer


def test_a_length_that_is_not_there_is_cut_and_no_length_is_malformed() -> None:
    ring, decoder = FakeRing(), Decoder(Said.layout)
    ring.reserve(said(1, b"abc", claimed=50))
    ring.reserve(said(2, b"abc", claimed=2))
    ring.reserve(b"too short")
    ring.reserve(said(3, b"given up"), DISCARD)
    drained = drain(ring, decoder)
    assert drained.records.to_pydict() == {"number": [1, 2], "line": ["abc", "ab"]}
    assert (drained.malformed, drained.discarded) == (1, 1)
