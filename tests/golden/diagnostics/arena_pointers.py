from __future__ import annotations

from beespace.lang import Arena, Hash, Program, Struct, bpf, raw_tracepoint
from beespace.types import u32, u64


class Node(Struct):
    next: Node | None
    count: u64


class Other(Struct):
    count: u64


class Table(Struct):
    head: Node | None
    other: Other
    small: u32


class Probe(Program):
    memory = Arena(Table)
    others = Hash(key=u32, value=Other)

    @raw_tracepoint("sched_process_exit")
    def on_event(self, task):
        table = self.memory.value
        table.head = Node(count=1)
        local = Node()
        table.head = local
        table.head = table.other
        table.head = 5
        table.head.count += 1
        node = table.head
        node.count += 1
        if local is node:
            local.count = 1
        fresh = self.memory.new(Node)
        self.memory.new(u32)
        self.memory.free(table.small)
        self.memory.count += 1
        for entry in self.memory:
            pass
