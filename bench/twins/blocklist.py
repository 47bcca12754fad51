"""XDP: drops what comes from addresses on a list."""

from __future__ import annotations

from beespace.lang import Counter, Hash, Program, bpf, xdp
from beespace.lang.packet import ETH_P_IP, Ethernet, IPv4
from beespace.lang.verdicts import XDP_DROP, XDP_PASS
from beespace.types import u32, u64


class Twin(Program):
    blocked = Hash(key=u32, value=u64, max_entries=1024)
    dropped = Counter()

    @xdp
    def run(self, ctx):
        ethernet = bpf.packet(ctx, Ethernet, 0)
        if ethernet is None or ethernet.ethertype != ETH_P_IP:
            return XDP_PASS
        ip = bpf.packet(ctx, IPv4, 14)
        if ip is None:
            return XDP_PASS
        if ip.source in self.blocked:
            self.dropped += 1
            return XDP_DROP
        return XDP_PASS
