"""Arenas: structs that point to each other in memory of both sides."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

from beespace.errors import UsageError
from beespace.lang import (
    Arena,
    Event,
    Program,
    Ring,
    Struct,
    bpf,
    function,
    raw_tracepoint,
    syscall,
)
from beespace.types import Address, Pid, Raw, Text, array, be16, raw, text, u8, u16, u32, u64

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("no_leaks")]


class Node(Struct):
    next: Node | None
    key: u64
    count: u64
    name: Text = text(16)


class Table(Struct):
    head: Node | None
    calls: u64
    nodes: list[Node] = array(Node, 16)
    buckets: list[Node | None] = array(Node | None, 8)


class Ask(Struct):
    key: u64
    count: u64
    found: u64


class Counting(Program):
    """A list with a hash table beside it, made of nodes of the pool."""

    memory = Arena(Table, pool=4096)

    @syscall
    def count(self, ask: Ask):
        table = self.memory.value
        table.calls += 1
        node = self.find(table, ask.key)
        if node is None:
            node = self.memory.new(Node)
            if node is None:
                return
            node.key = ask.key
            node.name = bpf.comm()
            node.next = table.head
            table.head = node
            table.buckets[u32(ask.key % 8)] = node
        node.count += 1
        ask.count = node.count
        ask.found = 1

    @function
    def find(self, table: Table, key: u64) -> Node | None:
        newest = table.buckets[u32(key % 8)]
        if newest is not None and newest.key == key:
            return newest
        node = table.head
        while node is not None and node.key != key:
            node = node.next
        return node


def called(probe: Any, key: int) -> tuple[int, int]:
    context = probe.test_run("count", context=Ask(key=key)).context
    return context.found, context.count


def chain(node: Any) -> list[Any]:
    nodes = []
    while node is not None:
        nodes.append(node)
        node = node.next
    return nodes


def test_a_list_that_both_sides_follow() -> None:
    probe = Counting()
    probe.load()
    with probe:
        assert [called(probe, key) for key in (1, 2, 9, 2, 2, 1)] == [(1, 1), (1, 1), (1, 1), (1, 2), (1, 3), (1, 2)]
        table = probe.memory.value
        assert table.calls == 6
        name = Path("/proc/thread-self/comm").read_text().strip()
        nodes = chain(table.head)
        assert [(node.key, node.count, node.name) for node in nodes] == [(9, 1, name), (2, 3, name), (1, 2, name)]
        assert table.buckets[1] == nodes[0] and table.buckets[2] == nodes[1] and table.buckets[0] is None
        at = probe.memory.address(nodes[1])
        assert probe.memory.copy(nodes[0]) == Node(next=at, key=9, count=1, name=name)
        # What this side writes, the program reads.
        nodes[1].count = 100
        nodes[0].next = nodes[2]
        table.buckets[2] = None
        assert called(probe, 2) == (1, 1), "the node was taken out of the list, so that there is a new one"
        assert called(probe, 1) == (1, 3)
        table.buckets[1] = nodes[1]
        nodes[1].key = 1
        assert called(probe, 1) == (1, 101)
        assert probe.memory.at(Node, at).count == 101
        assert probe.memory.plain()["head"] == probe.memory.address(table.head)


def test_a_pool_ends() -> None:
    probe = Counting()
    probe.load()
    with probe:
        room = 4096 // Node.layout.size
        found = [called(probe, key)[0] for key in range(room + 5)]
        assert found == [1] * room + [0] * 5
        assert probe.memory.lost == 5
        assert len(chain(probe.memory.value.head)) == room


def test_views_refuse_what_does_not_fit() -> None:
    probe = Counting()
    probe.load()
    with probe:
        table = probe.memory.value
        with pytest.raises(AttributeError, match="Table has no field 'tail'; its fields are head, calls"):
            _ = table.tail
        with pytest.raises(AttributeError, match="no field 'tail'"):
            table.tail = 1
        with pytest.raises(UsageError, match=r"is no Node \| None of the arena"):
            table.head = table
        with pytest.raises(UsageError, match="does not fit a u64"):
            table.calls = -1
        with pytest.raises(IndexError):
            _ = table.nodes[16]
        assert len(table.nodes) == len(list(table.nodes)) == 16
        table.nodes[-1] = Node(key=5, name="last")
        assert (table.nodes[15].key, table.nodes[15].name) == (5, "last")
        table.nodes[0] = table.nodes[15]
        assert table.nodes[0].key == 5
        table.nodes[1].next = table.nodes[0]
        assert table.nodes[1].next.name == "last"


class Inner(Struct):
    small: u8
    wide: be16
    sizes: list[u16] = array(u16, 3)


class Mixed(Struct):
    address: Address
    mac: Raw = raw(6)
    path: Text = text(64)
    inner: Inner
    flag: bool
    links: list[Inner | None] = array(Inner | None, 2)


class Path_(Event):
    path: Text = text(64)
    total: u64


class Values(Program):
    """Every kind of value, in an arena."""

    memory = Arena(Mixed)
    sent = Ring(Path_, size=4096)

    @syscall
    def write(self, ask: Ask):
        mixed = self.memory.value
        mixed.address = bpf.v4(0x7F000001)
        mixed.mac = b"\1\2\3\4\5\6"
        mixed.path = bpf.user_text(ask.key)
        mixed.inner = Inner(small=7, wide=0x1234, sizes=[1, 2, 3])
        mixed.inner.sizes[u32(ask.count % 3)] = 9
        mixed.flag = True
        mixed.links[0] = mixed.inner
        mixed.links[1] = None

    @syscall
    def read(self, ask: Ask):
        mixed = self.memory.value
        total = u64(mixed.inner.small) + u64(mixed.inner.wide)
        for size in mixed.inner.sizes:
            total += size
        if mixed.address == "127.0.0.1" and mixed.path.startswith("/tmp/") and mixed.mac == b"\1\2\3\4\5\6":
            total += 100_000
        first = mixed.links[0]
        if first is not None and first is mixed.inner and mixed.links[1] is None and mixed.flag:
            first.small = 8
            total += 1_000_000
        copied = Inner(small=1)
        copied.sizes = mixed.inner.sizes
        if copied != mixed.inner and copied.sizes == mixed.inner.sizes:
            total += 10_000_000
        self.sent.emit(Path_(path=mixed.path, total=total))


def test_every_kind_of_value() -> None:
    import ctypes

    memory = ctypes.create_string_buffer(b"/tmp/bee")
    probe = Values()
    probe.load()
    with probe:
        probe.test_run("write", context=Ask(key=ctypes.addressof(memory), count=1))
        mixed = probe.memory.value
        assert (mixed.address, mixed.mac, mixed.path, mixed.flag) == ("127.0.0.1", b"\1\2\3\4\5\6", "/tmp/bee", True)
        assert (mixed.inner.small, mixed.inner.wide, list(mixed.inner.sizes)) == (7, 0x1234, [1, 9, 3])
        assert mixed.links[0] == mixed.inner and mixed.links[1] is None
        probe.test_run("read", context=Ask())
        [event] = probe.sent.available()
        assert event == Path_(path="/tmp/bee", total=7 + 0x1234 + 13 + 100_000 + 1_000_000 + 10_000_000)
        assert mixed.inner.small == 8


class Chunk(Struct):
    numbers: list[u64] = array(u64, 1000)


class Chunks(Struct):
    chunks: list[Chunk | None] = array(Chunk | None, 4)


class Paging(Program):
    memory = Arena(Chunks, size="32 KiB")

    @syscall
    def take(self, ask: Ask):
        at = u32(ask.key % 4)
        chunk = self.memory.allocate(Chunk)
        if chunk is not None:
            chunk.numbers[999] = ask.key + 1
            ask.found = 1
            self.memory.value.chunks[at] = chunk

    @syscall
    def give_back(self, ask: Ask):
        at = u32(ask.key % 4)
        chunk = self.memory.value.chunks[at]
        if chunk is not None:
            ask.count = chunk.numbers[999]
            self.memory.value.chunks[at] = None
            self.memory.free(chunk)


def test_pages_are_allocated_and_given_back() -> None:
    probe = Paging()
    probe.load()
    with probe:
        found = [probe.test_run("take", context=Ask(key=key)).context.found for key in range(4)]
        assert found == [1, 1, 1, 0]  # seven pages of eight, and a chunk has two
        assert probe.memory.lost == 1
        chunks = probe.memory.value.chunks
        assert [chunk and chunk.numbers[999] for chunk in chunks] == [1, 2, 3, None]
        chunks[1].numbers[999] = 50
        assert probe.test_run("give_back", context=Ask(key=1)).context.count == 50
        assert probe.test_run("take", context=Ask(key=3)).context.found == 1
        assert chunks[3].numbers[0] == 0, "pages of the kernel are zeroes"
        assert chunks[3].numbers[999] == 4


class Exits(Struct):
    total: u64
    last: list[Pid] = array(Pid, 8)


class InTracing(Program):
    """A program that may not sleep, on all CPUs."""

    memory = Arena(Exits)

    @raw_tracepoint("sched_process_exit")
    def on_exit(self, task):
        exits = self.memory.value
        exits.total += 1
        exits.last[bpf.cpu() % 8] = bpf.pid()


def test_a_program_that_may_not_sleep() -> None:
    with InTracing() as probe:

        def end(count: int) -> None:
            for _ in range(count):
                subprocess.run(["/bin/true"], check=True)

        threads = [threading.Thread(target=end, args=(20,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert probe.memory.value.total >= 60
        assert any(probe.memory.value.last)
