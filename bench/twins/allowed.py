"""XDP: lets pass what comes from networks on a list."""

from __future__ import annotations

from beespace.lang import Counter, LpmTrie, Program, bpf, xdp
from beespace.lang.packet import ETH_P_IP, Ethernet, IPv4
from beespace.lang.verdicts import XDP_DROP, XDP_PASS
from beespace.types import be32, u64


class Twin(Program):
    networks = LpmTrie(key=be32, value=u64, max_entries=64)
    dropped = Counter()

    @xdp
    def run(self, ctx):
        ethernet = bpf.packet(ctx, Ethernet, 0)
        if ethernet is None or ethernet.ethertype != ETH_P_IP:
            return XDP_PASS
        ip = bpf.packet(ctx, IPv4, 14)
        if ip is None:
            return XDP_PASS
        if ip.source in self.networks:
            return XDP_PASS
        self.dropped += 1
        return XDP_DROP
