"""XDP: the smallest, the largest and the sum of packet lengths of each protocol."""

from __future__ import annotations

from beespace.lang import Hash, Program, Struct, bpf, xdp
from beespace.lang.packet import Ethernet, IPv4
from beespace.lang.verdicts import XDP_PASS
from beespace.types import u8, u32, u64


class Extremes(Struct):
    smallest: u32
    largest: u32
    total: u64
    count: u64


class Twin(Program):
    extremes = Hash(key=u8, value=Extremes, max_entries=256)

    @xdp
    def run(self, ctx):
        if bpf.packet(ctx, Ethernet, 0) is None:
            return XDP_PASS
        ip = bpf.packet(ctx, IPv4, 14)
        if ip is None:
            return XDP_PASS
        size = u32(ip.total_length)
        found = self.extremes.get(ip.protocol)
        if found is None:
            self.extremes[ip.protocol] = Extremes(smallest=size, largest=size, total=size, count=1)
            return XDP_PASS
        found.smallest = min(found.smallest, size)
        found.largest = max(found.largest, size)
        found.total += size
        found.count += 1
        return XDP_PASS
