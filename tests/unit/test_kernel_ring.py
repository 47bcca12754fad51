"""The ring buffer's bookkeeping over memory that the test writes as the kernel would."""

from __future__ import annotations

import struct
from typing import Any, cast

import pytest

from beespace.isa.constants import MapFlag, MapType
from beespace.isa.ring_record import BUSY, DISCARD, room
from beespace.kernel import overwritable_ring as overwritable_module
from beespace.kernel import ring as ring_module
from beespace.kernel.maps import Map
from beespace.kernel.overwritable_ring import OverwritableRing
from beespace.kernel.ring import RingBuffer
from beespace.spec import MapSpec
from beespace.syscall.memory import RingMemory

SIZE = 64


class Memory:
    """What :class:`MappedMemory` is to a ring, without a kernel."""

    def __init__(self) -> None:
        self.view = memoryview(bytearray(4096))

    def close(self) -> None:
        self.view.release()


class Programs:
    """Writes records as programs do, also before and after the end of the ring."""

    def __init__(self) -> None:
        self.consumer = Memory()
        self.producer = memoryview(bytearray(4096))
        self.data = memoryview(bytearray(2 * SIZE))
        self.position = 0

    def reserve(self, data: bytes, flags: int = BUSY) -> int:
        start = self.position
        self._put(start, struct.pack("=II", len(data) | flags, 0) + data)
        self.position += -(-(len(data) + 8) // 8) * 8
        self.producer[:8] = struct.pack("=Q", self.position)
        return start

    def finish(self, start: int, length: int, flags: int = 0) -> None:
        self._put(start, struct.pack("=I", length | flags))

    def _put(self, position: int, data: bytes) -> None:
        for offset, byte in enumerate(data):
            place = (position + offset) % SIZE
            self.data[place] = self.data[place + SIZE] = byte

    def consumed(self) -> int:
        return int.from_bytes(self.consumer.view[:8], "little")


@pytest.fixture
def programs(monkeypatch: pytest.MonkeyPatch) -> Programs:
    programs = Programs()
    memory = RingMemory(cast(Any, programs.consumer), programs.producer, programs.data, cast(Any, Memory()))
    monkeypatch.setattr(ring_module, "map_ring", lambda ring, size: memory)
    return programs


@pytest.fixture
def ring(programs: Programs) -> RingBuffer:
    class Fake:
        name = "ring"
        spec = MapSpec("ring", MapType.RINGBUF, 0, 0, SIZE)

    return RingBuffer(cast(Map, Fake()))


def test_a_busy_record_holds_up_those_behind_it(programs: Programs, ring: RingBuffer) -> None:
    first = programs.reserve(b"first")
    programs.reserve(b"second", 0)
    assert list(ring) == []
    assert (programs.consumed(), ring.available()) == (0, 32)
    programs.finish(first, 5)
    assert list(ring) == [b"first", b"second"]
    assert programs.consumed() == programs.position == 32


def test_a_busy_record_behind_others(programs: Programs, ring: RingBuffer) -> None:
    programs.reserve(b"first", 0)
    second = programs.reserve(b"second")
    assert list(ring) == [b"first"]
    assert programs.consumed() == second
    programs.finish(second, 6, DISCARD)
    assert list(ring) == []
    assert programs.consumed() == programs.position


def test_space_is_given_back_record_by_record(programs: Programs, ring: RingBuffer) -> None:
    programs.reserve(b"first", 0)
    second = programs.reserve(b"second", 0)
    iterator = iter(ring)
    assert next(iterator) == b"first"
    assert programs.consumed() == second


def test_discarded_records_are_passed_even_if_nothing_follows(programs: Programs, ring: RingBuffer) -> None:
    for _ in range(3):
        programs.reserve(b"x", DISCARD)
    assert ring.consume(print) == 0
    assert programs.consumed() == programs.position == 48


def test_records_of_no_length(programs: Programs, ring: RingBuffer) -> None:
    programs.reserve(b"", 0)
    programs.reserve(b"x", 0)
    assert list(ring) == [b"", b"x"]


def test_round_and_round(programs: Programs, ring: RingBuffer) -> None:
    for number in range(500):
        data = bytes([number % 251]) * (number % 40)
        start = programs.reserve(data)
        assert list(ring) == []
        programs.finish(start, len(data))
        assert list(ring) == [data]
    assert ring.consumer == programs.position == programs.consumed() > 100 * SIZE


def test_the_limit_of_records(programs: Programs, ring: RingBuffer) -> None:
    for number in range(4):
        programs.reserve(bytes([number]), 0)
    seen: list[bytes] = []
    assert ring.consume(lambda record: seen.append(bytes(record)), 0) == 0
    assert ring.consume(lambda record: seen.append(bytes(record)), 3) == 3
    assert seen == [b"\0", b"\1", b"\2"]
    assert list(ring) == [b"\3"]


def test_a_view_is_dead_after_the_handler(programs: Programs, ring: RingBuffer) -> None:
    programs.reserve(b"first", 0)
    kept: list[memoryview] = []
    ring.consume(kept.append)
    with pytest.raises(ValueError, match="released"):
        bytes(kept[0])


class Overwriting(Programs):
    """Writes as programs do into a ring that is overwritable: ``__bpf_ringbuf_reserve()`` of kernel/bpf/ringbuf.c."""

    def __init__(self) -> None:
        super().__init__()
        self.oldest = 0

    def reserve(self, data: bytes, flags: int = BUSY) -> int:
        end = self.position + room(len(data))
        while end - self.oldest > SIZE - 1:
            (head,) = struct.unpack_from("=I", self.data, self.oldest % SIZE)
            self.oldest += room(head & ~(BUSY | DISCARD))
        self.producer[16:24] = struct.pack("=Q", self.oldest)  # before the record is written
        return super().reserve(data, flags)


@pytest.fixture
def history(monkeypatch: pytest.MonkeyPatch) -> tuple[Overwriting, OverwritableRing]:
    programs = Overwriting()
    memory = RingMemory(cast(Any, programs.consumer), programs.producer, programs.data, cast(Any, Memory()))
    monkeypatch.setattr(ring_module, "map_ring", lambda ring, size: memory)

    class Fake:
        name = "history"
        spec = MapSpec("history", MapType.RINGBUF, 0, 0, SIZE, flags=MapFlag.RB_OVERWRITE)

    return programs, OverwritableRing(cast(Map, Fake()))


def test_an_overwritable_ring_gives_what_is_left(history: tuple[Overwriting, OverwritableRing]) -> None:
    programs, ring = history
    for number in range(3):
        programs.reserve(b"%d" % number, 0)
    assert list(ring) == [b"0", b"1", b"2"] and ring.lost == 0
    for number in range(100):
        programs.reserve(b"%d" % number, DISCARD if number == 98 else 0)
    assert ring.lost is None  # some have gone already
    assert list(ring) == [b"97", b"99"] and list(ring) == []
    busy = programs.reserve(b"later")
    assert list(ring) == []
    programs.finish(busy, 5)
    assert list(ring) == [b"later"] and programs.consumed() == programs.position


def test_a_record_that_is_overwritten_while_it_is_read_is_not_given(
    history: tuple[Overwriting, OverwritableRing], monkeypatch: pytest.MonkeyPatch
) -> None:
    programs, ring = history
    programs.reserve(b"first", 0)
    calls: list[int] = []

    def meanwhile() -> None:
        calls.append(1)
        if len(calls) == 2:  # after the look at where the oldest is, before the copy is trusted
            for number in range(10):
                programs.reserve(b"new %d" % number, 0)

    monkeypatch.setattr(overwritable_module.barrier, "fence", meanwhile)
    assert list(ring) == [b"new 7", b"new 8", b"new 9"]
    assert ring.lost is None
