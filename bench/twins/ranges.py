"""cgroup_skb: packets by options: sizes within bounds, marks, priorities."""

from __future__ import annotations

from beespace.lang import Global, Program, cgroup_skb
from beespace.types import u32, u64


class Twin(Program):
    least: u32 = 60
    most: u32 = 1500
    mask: u32 = 0xFF00
    within = Global(u64)
    marked = Global(u64)

    @cgroup_skb("ingress")
    def run(self, ctx):
        if not self.least <= ctx.len <= self.most:
            return True
        self.within.value += 1
        mark = ctx.mark
        if mark & self.mask or ctx.priority > 7:
            self.marked.value += 1
        return True
