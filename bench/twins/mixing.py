"""XDP: FNV-1a over the addresses and ports, counted in 64 slots."""

from __future__ import annotations

from beespace.lang import Array, Program, bpf, function, xdp
from beespace.lang.packet import Ethernet, IPv4
from beespace.lang.verdicts import XDP_PASS
from beespace.types import u32, u64

BASIS = 2166136261
PRIME = 16777619


class Twin(Program):
    slots = Array(u64, 64)

    @xdp
    def run(self, ctx):
        if bpf.packet(ctx, Ethernet, 0) is None:
            return XDP_PASS
        ip = bpf.packet(ctx, IPv4, 14)
        if ip is None:
            return XDP_PASS
        mixed = self.mix(self.mix(BASIS, ip.source), ip.destination)
        self.slots[mixed & 63] += 1
        return XDP_PASS

    @function
    def mix(self, start: u32, word: u32) -> u32:
        mixed = start
        for number in range(4):
            mixed = (mixed ^ (word >> (number * 8) & 0xFF)) * PRIME
        return mixed
