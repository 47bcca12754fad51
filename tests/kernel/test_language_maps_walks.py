"""Loops over the entries of a map: every one is met, once, and what the body does stays."""

from __future__ import annotations

import pytest

from beespace.lang import Array, Counter, Hash, PerCpuArray, Program, Struct, raw_tracepoint
from beespace.types import Text, text, u32, u64

pytestmark = pytest.mark.kernel

hook = raw_tracepoint("sched_process_exit")


class Key(Struct):
    number: u32
    name: Text = text(12)


class Value(Struct):
    count: u64
    other: u64


class Walks(Program):
    limit: u64 = 100
    results = Array(u64, 8)
    numbers = Hash(key=u64, value=u64, max_entries=64)
    structs = Hash(key=Key, value=Value)
    names = Hash(key=text(8), value=u64)
    rows = Array(u64, 10)
    each = PerCpuArray(u64, 3)
    passes = Counter()

    @hook
    def add_up(self, ctx):
        total = 0
        rounds: u32 = 0
        for key, value in self.numbers.items():
            if value == 0:
                continue
            total += key * 1000 + value
            rounds += 1
            self.passes += 1
            if total > self.limit:
                break
        else:
            self.results[3] = 1
        self.results[0] = total
        self.results[1] = u64(rounds)
        largest = 0
        for key in self.numbers:
            largest = max(largest, key)
        for value in self.rows.values():
            self.results[4] += value
        for index, value in self.rows.items():
            if value == 7:
                self.results[5] = u64(index)
        self.results[2] = largest

    @hook
    def change(self, ctx):
        for key, value in self.structs.items():
            value.count += u64(key.number)
            key.number = 99
            if key.name == "drop":
                value.other = 5
        for name in self.names.keys():
            if name.startswith("x"):
                del self.names[name]

    @hook
    def find(self, ctx):
        for key, value in self.numbers.items():
            if value == 42:
                self.results[0] = key
                return 0
        self.results[0] = 0
        return 0


@pytest.fixture
def walks(loaded_probe):
    probe = loaded_probe(Walks)

    def run(method: str) -> list[int]:
        probe.loaded.programs[method].test_run(ctx_in=bytes(32))
        return [probe.results[number] for number in range(8)]

    run.probe = probe
    return run


def test_every_entry_once(walks) -> None:
    for row in range(10):
        walks.probe.rows[row] = row
    assert walks("add_up")[:6] == [0, 0, 0, 1, 45, 7], "an empty table has no rounds"
    walks.probe.numbers[0] = 3
    walks.probe.numbers[9] = 0
    assert walks("add_up")[:4] == [3, 1, 9, 1]
    assert walks.probe.passes.value == 1


def test_a_loop_is_left(walks) -> None:
    for key in range(1, 11):
        walks.probe.numbers[key] = key
    found = walks("add_up")
    assert found[1] == 1, "the first is over the limit"
    assert found[3] == 0, "no else"
    assert found[2] == 10
    assert walks("find")[0] == 0
    walks.probe.numbers[5] = 42
    assert walks("find")[0] == 5


def test_values_are_in_place_and_keys_are_copies(walks) -> None:
    structs = walks.probe.structs
    structs[Key(number=1, name="drop")] = Value(count=10)
    structs[Key(number=2, name="keep")] = Value(count=20)
    for name in ("xa", "b", "xc"):
        walks.probe.names[name] = 1
    walks("change")
    assert {(key.number, key.name): (value.count, value.other) for key, value in structs.items()} == {
        (1, "drop"): (11, 5), (2, "keep"): (22, 0),
    }  # fmt: skip
    assert list(walks.probe.names) == ["b"]
