"""cgroup_skb: a histogram of packet sizes by powers of two."""

from __future__ import annotations

from beespace.lang import Array, Program, cgroup_skb
from beespace.types import u64


class Twin(Program):
    sizes = Array(u64, 32)

    @cgroup_skb("ingress")
    def run(self, ctx):
        size = ctx.len
        slot = 0
        for _ in range(31):
            if size <= 1:
                break
            size >>= 1
            slot += 1
        self.sizes[min(slot, 31)] += 1
        return True
