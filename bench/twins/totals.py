"""cgroup_skb: globals that user space sees, and an option."""

from __future__ import annotations

from beespace.lang import Global, Program, cgroup_skb
from beespace.types import u32, u64


class Twin(Program):
    least: u32 = 100
    packets = Global(u64)
    bytes = Global(u64)
    largest = Global(u32)
    small = Global(u64)

    @cgroup_skb("egress")
    def run(self, ctx):
        size = ctx.len
        if size < self.least:
            self.small.value += 1
            return True
        self.packets.value += 1
        self.bytes.value += size
        if size > self.largest.value:
            self.largest.value = size
        return True
