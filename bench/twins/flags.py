"""XDP: TCP packets by flag."""

from __future__ import annotations

from beespace.lang import PerCpuArray, Program, bpf, xdp
from beespace.lang.packet import ETH_P_IP, IPPROTO_TCP, TCP, TCP_ACK, TCP_FIN, TCP_RST, TCP_SYN, Ethernet, IPv4
from beespace.lang.verdicts import XDP_PASS
from beespace.types import u64


class Twin(Program):
    counts = PerCpuArray(u64, 4)

    @xdp
    def run(self, ctx):
        ethernet = bpf.packet(ctx, Ethernet, 0)
        if ethernet is None or ethernet.ethertype != ETH_P_IP:
            return XDP_PASS
        ip = bpf.packet(ctx, IPv4, 14)
        if ip is None or ip.protocol != IPPROTO_TCP:
            return XDP_PASS
        tcp = bpf.packet(ctx, TCP, 34)
        if tcp is None:
            return XDP_PASS
        slot = 3
        if tcp.flags & TCP_SYN:
            slot = 1 if tcp.flags & TCP_ACK else 0
        elif tcp.flags & (TCP_FIN | TCP_RST):
            slot = 2
        self.counts[slot] += 1
        return XDP_PASS
