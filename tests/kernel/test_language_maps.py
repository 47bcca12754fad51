"""Maps, structs, texts and rings of the language, on this kernel."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from beespace.lang import (
    Array,
    Counter,
    Event,
    Global,
    Hash,
    LruHash,
    PerCpuArray,
    PerCpuHash,
    Program,
    Ring,
    Struct,
    bpf,
    function,
    raw_tracepoint,
)
from beespace.types import Address, Raw, Text, array, be16, be32, boolean, i32, i64, raw, text, u8, u16, u32, u64

pytestmark = pytest.mark.kernel

hook = raw_tracepoint("sched_process_exit")


class Inner(Struct):
    low: u8
    high: u32


class Key(Struct):
    number: u32
    port: u16  # two bytes of padding behind it


class Value(Struct):
    count: u64
    small: u32
    flags: u16
    order: be16
    network: be32
    inner: Inner
    yes: boolean
    name: Text = text(12)
    mac: Raw = raw(6)
    address: Address
    slots: list[u64] = array(u64, 5)


class Seen(Event):
    number: u64
    signed: i32
    flag: boolean
    port: be16
    inner: Inner
    name: Text = text(16)
    bytes: Raw = raw(5)
    address: Address


class Maps(Program):
    step: u64 = 1
    inputs = Array(u64, 4)
    results = Array(u64, 16)
    counts = Hash(key=u64, value=u64, max_entries=4)
    by_key = Hash(key=Key, value=Value)
    by_name = Hash(key=text(16), value=i64)
    recent = LruHash(key=u32, value=u32, max_entries=64)
    each = PerCpuHash(key=u32, value=u64)
    slots = PerCpuArray(u64, 3)
    total = Counter()
    last = Global(u64, 41)
    state = Global(Value)
    seen = Ring(Seen, size="4 KiB")

    @hook
    def numbers(self, ctx):
        key = self.inputs[0]
        self.counts[key] += self.inputs[1]
        self.counts[key] -= 1
        self.total += self.step
        self.each[u32(key)] += 2
        self.slots[key % 3] += 5
        self.last.value += 1
        self.results[0] = self.last.value
        count = self.counts.get(key)
        if count is None:
            self.results[1] = 1000
        else:
            self.counts[key] += 10
            self.results[1] = count  # a number is a value: the += above does not change it
        self.results[2] = self.counts.get(key) or 0
        self.results[3] = u64(key in self.counts)
        self.results[4] = u64(key + 1 not in self.counts)

    @hook
    def removals(self, ctx):
        key = self.inputs[0]
        self.counts[key] = 7
        popped = self.counts.pop(key)
        self.results[0] = popped if popped is not None else 1000
        self.results[1] = self.counts.pop(key) or 1001
        self.counts[key] = 8
        del self.counts[key]
        self.results[2] = u64(key in self.counts)
        self.recent[5] = 6
        if self.recent.pop(5):
            self.results[3] = 1
        self.by_key[Key(number=1)] = Value(count=5, name="popped")
        taken = self.by_key.pop(Key(number=1))
        if taken is not None and taken.name == "popped":
            self.results[4] = taken.count

    @hook
    def references(self, ctx):
        key = Key(number=u32(self.inputs[0]))
        key.port = 80
        value = self.by_key.get_or_create(key)
        if value is None:
            return
        value.count += 3
        value.count -= 1
        value.small = value.small + 1
        value.flags = value.flags | 0x8000
        value.order = 0x1234
        value.network = 0x0A000001
        value.inner.low = 9
        inner = value.inner
        inner.high += 70_000
        value.yes = value.small == 1
        value.name = "beespace"
        value.mac = b"\x01\x02\x03\x04\x05\x06"
        value.address = "10.1.2.3"
        value.slots[2] = 5
        value.slots[self.inputs[1] % 5] += 100
        again = self.by_key.get(key)
        self.results[0] = again.count if again is not None else 99
        self.results[1] = u64(self.by_key.get(Key(number=12345)) is None)
        self.fill(value)
        self.results[2] = u64(value.small)

    @function
    def fill(self, value: Value):
        value.small = value.small + 10

    @hook
    def values(self, ctx):
        """Structs on the stack are objects: two names are one struct; fields are copied."""
        one = Value(count=1, name="one", address="::1", inner=Inner(low=1, high=2))
        two = one
        two.count += 10
        two.small += 7
        self.results[0] = one.count * 100 + u64(one.small)
        copied = Value(inner=one.inner, name=one.name, mac=one.mac, slots=one.slots)
        one.inner.high = 50
        self.results[1] = u64(copied.inner.high)
        self.results[2] = u64(copied.name == one.name)
        self.results[3] = u64(copied.name == "one")
        self.results[4] = u64(copied.name != "ones")
        self.results[5] = u64(one.address == "::1") + u64(one.address == copied.address) * 10
        self.results[6] = u64(Inner(low=1, high=50) == one.inner) + u64(one.inner == copied.inner) * 10
        name = one.name
        one.name = "changed"
        self.results[7] = u64(name == "one")
        one = Value(count=one.count + 1, name=one.name)
        self.results[8] = one.count * 100 + u64(one.name == "changed") * 10 + u64(two.name == "changed")
        path = text(32)
        path = "/proc/self"
        self.results[9] = u64(path.startswith("/proc/")) + u64(path.startswith("/sys")) * 10
        where = "1.2.3.4" if self.inputs[0] > 0 else one.address
        self.results[10] = u64(where == bpf.v4(0x01020304))
        self.state.value.count += 2
        self.state.value = Value(count=self.state.value.count, small=3, name=name)
        for i in range(3):
            fresh = Value()
            self.results[11] += fresh.count
            fresh.count += u64(i) + 1
        self.results[12] = fresh.count

    @hook
    def emits(self, ctx):
        self.seen.emit(
            Seen(
                number=self.inputs[0],
                signed=-5,
                flag=True,
                port=443,
                inner=Inner(high=8),
                name=bpf.comm(),
                bytes=b"abc",
                address=bpf.v4(0x7F000001),
            )
        )
        empty = Seen(name="kept")
        empty.number = self.inputs[0] + 1
        self.seen.emit(empty)

    @hook
    def names(self, ctx):
        self.by_name[bpf.comm()] += 1
        self.by_name["a literal"] -= 1
        self.by_name["a literal"] += -1


@pytest.fixture
def maps(loaded_probe):
    probe = loaded_probe(Maps)

    def run(method: str, *inputs: int) -> Maps:
        for number, value in enumerate(inputs):
            probe.inputs[number] = value
        probe.loaded.programs[method].test_run(ctx_in=bytes(32))
        return probe

    return run


def test_numbers(maps) -> None:
    probe = maps("numbers", 10, 5)
    assert [probe.results[number] for number in range(5)] == [42, 4, 14, 1, 1]
    assert probe.counts[10] == 14
    probe = maps("numbers", 10, 5)
    assert (probe.counts[10], probe.total.value, probe.each[10], probe.slots[1]) == (28, 2, 4, 10)
    assert (probe.last.value, probe.results[0]) == (43, 43)


def test_what_does_not_fit_is_counted(maps) -> None:
    for key in range(6):
        probe = maps("numbers", key, 5)
    # Each of the two keys that were too many: += 5, -= 1.
    assert (len(probe.counts), probe.counts.lost, probe.by_name.lost) == (4, 4, 0)
    assert probe.results[1] == 1000


def test_removals(maps) -> None:
    probe = maps("removals", 3)
    assert [probe.results[number] for number in range(5)] == [7, 1001, 0, 1, 5]
    assert len(probe.counts) == len(probe.by_key) == 0


def test_references(maps) -> None:
    probe = maps("references", 77, 8)
    assert [probe.results[number] for number in range(3)] == [2, 1, 11]
    value = probe.by_key[Key(number=77, port=80)]
    assert (value.count, value.flags, value.order, value.network, value.yes) == (2, 0x8000, 0x1234, 0x0A000001, True)
    assert (value.inner, value.name, value.mac) == (Inner(low=9, high=70_000), "beespace", bytes(range(1, 7)))
    assert (value.address, value.slots) == ("10.1.2.3", [0, 0, 5, 100, 0])
    raw_value = probe.by_key.backend.get(struct.pack("=IHxx", 77, 80))
    assert raw_value[14:20] == b"\x12\x34\x0a\x00\x00\x01"  # network order in memory


def test_struct_values(maps) -> None:
    probe = maps("values", 1)
    expected = [1107, 2, 1, 1, 1, 1, 1, 1, 1211, 1, 1, 0, 3]
    assert [probe.results[number] for number in range(13)] == expected
    assert probe.state.value == Value(count=2, small=3, name="one")
    assert maps("values", 0).state.value.count == 4


def test_ring(maps) -> None:
    probe = maps("emits", 5)
    first, second = probe.seen.events(timeout=0)
    assert first == Seen(
        number=5, signed=-5, flag=True, port=443, inner=Inner(high=8), name=first.name, bytes=b"abc\0\0",
        address="127.0.0.1",
    )  # fmt: skip
    assert first.name == Path("/proc/thread-self/comm").read_text().strip()
    assert second == Seen(number=6, name="kept")


def test_full_ring_is_counted(maps) -> None:
    for number in range(60):
        probe = maps("emits", number)
    kept = len(list(probe.seen.events(timeout=0)))
    assert 0 < kept < 120
    assert probe.seen.lost == 120 - kept


def test_texts_as_keys(maps) -> None:
    maps("names")
    probe = maps("names")
    assert dict(probe.by_name.items()) == {Path("/proc/thread-self/comm").read_text().strip(): 2, "a literal": -4}
