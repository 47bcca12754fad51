"""Helpers and maps of the machine that the kernel's tests do not reach by themselves."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from beespace.errors import UsageError
from beespace.isa import MapType
from beespace.isa.helpers import HELPERS as NUMBERS
from beespace.spec import MapSpec
from beespace.vm import Machine, Rights, Run, maps
from beespace.vm.helpers import HELPERS
from beespace.vm.maps import Map
from beespace.vm.memory import Violation


class Bench:
    """A machine and a run outside of any program; ``call`` calls a helper with texts and bytes put into memory."""

    def __init__(self) -> None:
        self.machine = Machine()
        self.run = Run(self.machine, None)

    def map(self, kind: MapType, key: int, value: int, entries: int, flags: int = 0) -> tuple[int, Any]:
        made: Map = maps.make(MapSpec("m", kind, key, value, entries, flags), 2)
        return self.machine.map_handle(self.machine.add_map(made)), made

    def put(self, data: bytes) -> int:
        return self.machine.memory.add("test data", bytearray(data), Rights.BOTH).base

    def read(self, address: int, size: int) -> bytes:
        return self.machine.memory.read(address, size)

    def call(self, name: str, *arguments: int | bytes) -> int:
        taken = [self.put(each) if isinstance(each, bytes) else each for each in arguments]
        result = self.run.call_helper(NUMBERS[name].number, taken)
        if result is None:
            return 0
        return result - (1 << 64) if result >> 63 else result


@pytest.fixture
def bench() -> Bench:
    return Bench()


def number(value: int) -> bytes:
    return value.to_bytes(4, "little")


def test_lru_throws_out_what_was_not_used(bench: Bench) -> None:
    handle, lru = bench.map(MapType.LRU_HASH, 4, 4, 3)
    for key in range(3):
        assert bench.call("map_update_elem", handle, number(key), number(key), 0) == 0
    assert bench.call("map_lookup_elem", handle, number(0)) != 0  # used: the next to go is 1
    assert lru.read(number(1)) == number(1)  # by user space, which does not count
    assert bench.call("map_update_elem", handle, number(9), number(9), 0) == 0
    assert sorted(lru.keys()) == [number(0), number(2), number(9)]


def test_a_pointer_outlives_its_element_until_the_run_ends(bench: Bench) -> None:
    handle, _ = bench.map(MapType.HASH, 4, 4, 3)
    bench.call("map_update_elem", handle, number(1), number(5), 0)
    old = bench.call("map_lookup_elem", handle, number(1))
    bench.call("map_update_elem", handle, number(1), number(6), 0)
    new = bench.call("map_lookup_elem", handle, number(1))
    assert (bench.read(old, 4), bench.read(new, 4)) == (number(5), number(6))
    bench.machine._sweep()
    with pytest.raises(Violation):
        bench.read(old, 4)
    assert bench.read(new, 4) == number(6)


def test_bloom_filters(bench: Bench) -> None:
    handle, _ = bench.map(MapType.BLOOM_FILTER, 0, 4, 10)
    assert bench.call("map_peek_elem", handle, number(1)) == -2
    assert bench.call("map_push_elem", handle, number(1), 0) == 0
    assert bench.call("map_peek_elem", handle, number(1)) == 0
    assert bench.call("map_push_elem", handle, number(1), 2) == -22
    assert bench.call("map_pop_elem", handle, number(1)) == -95


def test_rings(bench: Bench) -> None:
    handle, ring = bench.map(MapType.RINGBUF, 0, 0, 4096)
    first = bench.call("ringbuf_reserve", handle, 8, 0)
    bench.machine.memory.write(first, b"12345678")
    assert bench.call("ringbuf_output", handle, b"after", 5, 0) == 0
    assert ring.records() == []  # the first is still being written
    assert bench.call("ringbuf_query", handle, 0) == 32
    bench.call("ringbuf_submit", first, 0)
    with pytest.raises(Violation, match="where there is nothing"):
        bench.read(first, 8)
    assert ring.records() == [b"12345678", b"after"]
    assert bench.call("ringbuf_query", handle, 0) == 0
    bench.call("ringbuf_discard", bench.call("ringbuf_reserve", handle, 100, 0), 0)
    assert ring.records() == []
    assert bench.call("ringbuf_reserve", handle, 4096, 0) == 0
    assert bench.call("ringbuf_output", handle, bytes(4080), 4080, 0) == 0
    assert bench.call("ringbuf_output", handle, bytes(8), 8, 0) == -11  # full
    assert bench.call("ringbuf_output", handle, bytes(8), 8, 8) == -22
    with pytest.raises(UsageError):
        bench.map(MapType.RINGBUF, 0, 0, 5000)


def test_a_record_is_given_on_once(bench: Bench) -> None:
    handle, _ = bench.map(MapType.RINGBUF, 0, 0, 4096)
    record = bench.call("ringbuf_reserve", handle, 8, 0)
    with pytest.raises(Violation, match="no record"):
        bench.call("ringbuf_submit", record + 1, 0)
    bench.call("ringbuf_submit", record, 0)
    with pytest.raises(Violation, match="no record"):
        bench.call("ringbuf_submit", record, 0)


def test_maps_of_maps(bench: Bench) -> None:
    handle, outer = bench.map(MapType.HASH_OF_MAPS, 4, 4, 2)
    _, inner = bench.map(MapType.ARRAY, 4, 4, 1)
    assert bench.call("map_lookup_elem", handle, number(7)) == 0
    outer.put(number(7), inner)
    found = bench.call("map_lookup_elem", handle, number(7))
    assert bench.call("map_update_elem", found, number(0), number(3), 0) == 0
    assert inner.read(number(0)) == number(3)


def test_storage(bench: Bench) -> None:
    handle, _ = bench.map(MapType.TASK_STORAGE, 4, 8, 0)
    task = bench.put(bytes(16))
    assert bench.call("task_storage_get", handle, task, 0, 0) == 0
    value = bench.call("task_storage_get", handle, task, b"\1" * 8, 1)
    assert bench.read(value, 8) == b"\1" * 8
    assert bench.call("task_storage_get", handle, task, 0, 1) == value
    assert bench.call("task_storage_delete", handle, task) == 0
    assert bench.call("task_storage_delete", handle, task) == -2


def test_a_read_only_map(bench: Bench) -> None:
    handle, data = bench.map(MapType.ARRAY, 4, 8, 1, flags=0x80)
    data.write(number(0), b"constant")
    value = bench.call("map_lookup_elem", handle, number(0))
    assert bench.read(value, 8) == b"constant"
    with pytest.raises(Violation, match="may not"):
        bench.machine.memory.write(value, b"x")
    with pytest.raises(Violation, match="may not"):
        bench.call("map_update_elem", handle, number(0), bytes(8), 0)


def test_probe_reads(bench: Bench) -> None:
    target = bench.put(b"x" * 8)
    assert bench.call("probe_read_kernel", target, 4, b"abcd") == 0
    assert bench.read(target, 8) == b"abcdxxxx"
    assert bench.call("probe_read_kernel", target, 8, 0xDEAD) == -14
    assert bench.read(target, 8) == bytes(8)
    assert bench.call("probe_read_kernel_str", target, 8, b"ab\0cdefgh") == 3
    assert bench.read(target, 8) == b"ab\0\0\0\0\0\0"
    assert bench.call("probe_read_kernel_str", target, 4, b"abcdefgh") == 4
    assert bench.read(target, 8) == b"abc\0\0\0\0\0"
    with pytest.raises(Violation):  # the target is the program's own
        bench.call("probe_read_kernel", 0xDEAD, 8, b"abcdefgh")


@pytest.mark.parametrize(
    ("text", "arguments", "line"),
    [
        (b"plain", (), "plain"),
        (b"%d %u %x", ((1 << 64) - 1, 7, 255), "-1 7 ff"),
        (b"%lld|%5d|%-5d|%05d", ((1 << 64) - 9, 3, 4, 5), "-9|    3|4    |00005"),
        (b"%s 100%% %c", (b"text\0", 65), "text 100% A"),
        (b"%llx\n", ((1 << 64) - 1,), "ffffffffffffffff"),
    ],
)
def test_printing(bench: Bench, text: bytes, arguments: tuple[int | bytes, ...], line: str) -> None:
    values = [bench.put(each) if isinstance(each, bytes) else each for each in arguments]
    data = struct.pack(f"<{len(values)}Q", *values)
    assert bench.call("trace_vprintk", text + b"\0", len(text) + 1, data or 0, len(data)) == len(line) + text.count(
        b"\n"
    )
    assert bench.machine.printed == [line]
    assert bench.call("trace_printk", b"%d %q\0", 6, 1, 2, 3) == -22


def test_snprintf(bench: Bench) -> None:
    target = bench.put(b"x" * 8)
    assert bench.call("snprintf", target, 4, b"%d\0", struct.pack("<Q", 12345), 8) == 6
    assert bench.read(target, 8) == b"123\0xxxx"


@pytest.mark.parametrize(
    ("text", "base", "result", "value"),
    [(b" -12x", 0, 4, -12), (b"0x1f", 0, 4, 31), (b"077", 0, 3, 63), (b"z", 10, -22, 0), (b"9" * 30, 10, -34, 0)],
)
def test_numbers_in_text(bench: Bench, text: bytes, base: int, result: int, value: int) -> None:
    target = bench.put(bytes(8))
    assert bench.call("strtol", text + b"\0", len(text) + 1, base, target) == result
    assert struct.unpack("<q", bench.read(target, 8))[0] == value


def test_timers_fire_in_order(bench: Bench) -> None:
    from beespace.isa import Insn, encode
    from beespace.isa.opcodes import LD_IMM64, Pseudo
    from beespace.vm import Code

    handle, array = bench.map(MapType.ARRAY, 4, 24, 1)
    value = bench.call("map_lookup_elem", handle, number(0))
    # The callback adds 1 to the number behind the timer.
    callback = [Insn(0x79, 1, 3, 16), Insn(0x07, 1, imm=1), Insn(0x7B, 3, 1, 16), Insn(0xB7, 0), Insn(0x95)]
    code = Code.of(encode([Insn(LD_IMM64, 0, Pseudo.FUNC, imm=2), Insn(0), Insn(0x95), *callback]))
    function = bench.machine.run(code).result
    assert bench.call("timer_start", value, 100, 0) == -22
    assert bench.call("timer_init", value, handle, 1) == 0
    assert bench.call("timer_init", value, handle, 1) == -16
    assert bench.call("timer_set_callback", value, function) == 0
    assert bench.call("timer_start", value, 100, 0) == 0
    assert bench.machine.timers.advance(99) == 0
    assert bench.machine.timers.advance(1) == 1
    assert array.read(number(0))[16] == 1
    assert bench.call("timer_start", value, 100, 0) == 0
    assert bench.call("timer_cancel", value) == 1
    assert bench.call("timer_cancel", value) == 0
    assert bench.machine.timers.advance(1000) == 0


def test_every_helper_is_the_kernel_s() -> None:
    """Each takes as many arguments as the kernel's does; those of printk are as many as there are registers."""
    from beespace.isa.signatures import SIGNATURES

    for known, function in HELPERS.items():
        name = next(each for each in NUMBERS.values() if each.number == known).name
        takes = function.__code__.co_argcount - 1 - len(function.__defaults__ or ())
        assert takes == len(SIGNATURES[name].arguments), name
