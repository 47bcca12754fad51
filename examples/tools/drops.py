"""Packets that the kernel gives up, by reason and place (as dropwatch and tcpdrop)."""

import time

from beespace import Hash, Program, Struct, tracepoint
from beespace.types import u32, u64


class Drop(Struct):
    location: u64  # the kernel address that gave it up
    reason: u32
    protocol: u32


class Drops(Program):
    """Counts packets that were given up."""

    drops = Hash(key=Drop, value=u64)

    @tracepoint("skb:kfree_skb")
    def on_drop(self, ctx):
        self.drops[Drop(location=u64(ctx.location), reason=u32(ctx.reason), protocol=u32(ctx.protocol))] += 1


if __name__ == "__main__":
    with Drops() as probe:
        time.sleep(5)
        for drop, count in sorted(probe.drops.items(), key=lambda item: -item[1]):
            print(f"{count:8} reason {drop.reason} protocol {drop.protocol:#06x} at {drop.location:#x}")
