"""Queues, filters, maps of maps, arrays of cgroups, the most frequent keys: what the kernel side did is there."""

from __future__ import annotations

import os
import random
from collections import Counter as Tally
from pathlib import Path

import pytest

from beespace.lang import (
    Array,
    ArrayOfMaps,
    BloomFilter,
    CgroupArray,
    Counter,
    Hash,
    HashOfMaps,
    Program,
    Queue,
    Rate,
    Stack,
    Struct,
    TopK,
    bpf,
    raw_tracepoint,
    tracepoint,
)
from beespace.types import Text, text, u32, u64

pytestmark = pytest.mark.kernel

hook = raw_tracepoint("sched_process_exit")


class Item(Struct):
    number: u64
    name: Text = text(8)


class Kinds(Program):
    inputs = Array(u64, 4)
    results = Array(u64, 12)
    numbers = Queue(u64, 3)
    items = Stack(Item, 4)
    seen = BloomFilter(u64, 100)
    tables = HashOfMaps(u32, Hash(key=u64, value=u64, max_entries=16))
    rows = ArrayOfMaps(Array(u64, 4), 8)
    unique = Hash(key=u64, value=u64, max_entries=2)
    top = TopK(u64, k=3, max_entries=128)
    rate = Rate()

    @hook
    def queue(self, ctx):
        self.results[0] = u64(self.numbers.push(self.inputs[0]))
        self.items.push(Item(number=self.inputs[0], name="item"), force=True)

    @hook
    def take(self, ctx):
        looked = self.numbers.peek()
        self.results[0] = looked if looked is not None else 1000
        self.results[1] = self.numbers.pop() or 1000
        item = self.items.pop()
        if item is not None and item.name == "item":
            self.results[2] = item.number
        else:
            self.results[2] = 1000

    @hook
    def filter(self, ctx):
        if self.inputs[0] in self.seen:
            self.results[0] = 1
        else:
            self.results[0] = 0
            self.seen.add(self.inputs[0])

    @hook
    def inner(self, ctx):
        table = self.tables.get(u32(self.inputs[0]))
        if table is None:
            self.results[0] = 0
            return
        table[self.inputs[1]] += 1
        found = table.get(self.inputs[1])
        self.results[0] = found if found is not None else 99
        row = self.rows.get(self.inputs[2])
        if row is not None:
            row[2] += 5
            self.results[1] = row[2]
        else:
            self.results[1] = 0

    @hook
    def once(self, ctx):
        self.results[0] = u64(self.unique.insert(self.inputs[0], 1))
        self.results[1] = u64(self.unique.replace(self.inputs[0] + 1, 7))
        self.results[2] = self.unique.setdefault(self.inputs[0], 50) or 0
        self.results[3] = u64(self.unique.delete(self.inputs[0] + 1))

    @hook
    def rank(self, ctx):
        self.top[self.inputs[0]] += self.inputs[1]
        self.rate += 1


@pytest.fixture
def kinds(loaded_probe):
    probe = loaded_probe(Kinds)

    def run(method: str, *inputs: int) -> list[int]:
        for number, value in enumerate(inputs):
            probe.inputs[number] = value
        probe.loaded.programs[method].test_run(ctx_in=bytes(32))
        return [probe.results[number] for number in range(12)]

    run.probe = probe
    return run


def test_queue_and_stack(kinds) -> None:
    for number in range(5):
        assert kinds("queue", number)[0] == (number < 3)
    numbers, items = kinds.probe.numbers, kinds.probe.items
    assert numbers.lost == 2
    assert kinds("take")[:3] == [0, 1000, 4]
    assert numbers.peek() == 1
    assert numbers.push(7) is True
    assert list(numbers.drain()) == [1, 2, 7]
    assert [item.number for item in items.drain()] == [3, 2, 1]
    assert kinds("take")[:3] == [1000, 1000, 1000]
    assert numbers.pop() is None


def test_bloom_filter_forgets_nothing(kinds) -> None:
    values = random.Random(3).sample(range(2**40), 60)
    first = [kinds("filter", value)[0] for value in values]
    assert sum(first) < 6, "hardly any is taken for another"
    assert all(kinds("filter", value)[0] == 1 for value in values)
    assert all(value in kinds.probe.seen for value in values)
    kinds.probe.seen.add(2**50)
    assert kinds("filter", 2**50)[0] == 1


def test_inner_maps(kinds) -> None:
    tables, rows = kinds.probe.tables, kinds.probe.rows
    assert kinds("inner", 3, 10, 5)[0] == 0
    first = tables.create(3)
    tables.create(4)
    assert kinds("inner", 3, 10, 5)[:2] == [1, 0]
    row = rows.create(5)
    assert kinds("inner", 3, 10, 5)[:2] == [2, 5]
    assert kinds("inner", 4, 11, 5)[:2] == [1, 10]
    assert dict(first.items()) == dict(tables[3].items()) == {10: 2}
    assert dict(tables[4].items()) == {11: 1}
    assert [row[number] for number in range(4)] == [0, 0, 10, 0]
    assert sorted(tables) == [3, 4]
    assert list(rows) == [5]
    first[10] = 40
    assert kinds("inner", 3, 10, 5)[0] == 41
    del tables[3]
    assert 3 not in tables
    assert kinds("inner", 3, 10, 5)[0] == 0
    with pytest.raises(KeyError):
        tables[3]


def test_conditional_updates(kinds) -> None:
    unique = kinds.probe.unique
    assert kinds("once", 5)[:4] == [1, 0, 1, 0]
    unique[6] = 1
    assert kinds("once", 5)[:4] == [0, 1, 1, 1]
    assert dict(unique.items()) == {5: 1}
    assert unique.lost == 0
    unique[8] = 1
    assert kinds("once", 20)[0] == 0
    assert unique.lost == 2, "two have room: insert() and setdefault() had not"
    assert unique.delete(8) is True
    assert unique.insert(5, 9) is False
    assert unique.replace(5, 9) is True
    assert unique.setdefault(5, 1) == 9
    assert unique.delete(99) is False
    assert unique.pop(5) == 9
    assert unique.pop(5) is None


def test_most_frequent_keys_are_exact_while_there_is_room(kinds) -> None:
    expected: Tally[int] = Tally()
    generator = random.Random(8)
    for _ in range(60):
        key, amount = generator.randrange(20), generator.randrange(1, 9)
        expected[key] += amount
        kinds("rank", key, amount)
    top = kinds.probe.top
    assert [row.count for row in top.top()] == [count for _, count in expected.most_common(3)]
    assert all(row.at_most == row.count == expected[row.key] for row in top.top(20))
    assert top.total == expected.total()
    assert top.error == 0
    assert kinds.probe.rate.value == 60
    assert kinds.probe.rate.per_second() > 0
    assert kinds.probe.rate.per_second() == 0


def test_forgotten_counts_are_in_the_error(kinds) -> None:
    expected: Tally[int] = Tally()
    for key in range(400):
        for each in (key, 1_000_000):
            expected[each] += 3
            kinds("rank", each, 3)
    top = kinds.probe.top
    rows = top.top(1000)
    assert top.error > 0
    assert all(row.count <= expected[row.key] <= row.at_most for row in rows)
    assert sum(row.count for row in rows) + top.error == top.total == expected.total()
    assert rows[0].key == 1_000_000


class Members(Program):
    pid: u32 = 0
    cgroups = CgroupArray(2)
    inside = Counter()
    outside = Counter()
    empty = Counter()

    @tracepoint("raw_syscalls:sys_enter")
    def enter(self, ctx):
        if bpf.pid() != self.pid:
            return
        if self.cgroups.current_in(0):
            self.inside += 1
        else:
            self.outside += 1
        if self.cgroups.current_in(1):
            self.empty += 1


def test_cgroup_of_the_running_thread(cgroup: Path) -> None:
    child = os.fork()
    if not child:
        while True:
            os.getppid()
    try:
        with Members(pid=child) as probe:
            probe.cgroups[0] = cgroup
            while probe.outside.value < 10:
                pass
            assert probe.inside.value == 0
            (cgroup / "cgroup.procs").write_text(str(child))
            while probe.inside.value < 10:
                pass
            assert probe.empty.value == 0
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)
