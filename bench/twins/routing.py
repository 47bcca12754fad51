"""XDP: sends packets back as a router would: time to live, checksum, and the two stations' addresses."""

from __future__ import annotations

from beespace.lang import Counter, Program, bpf, xdp
from beespace.lang.packet import ETH_P_IP, Ethernet, IPv4
from beespace.lang.verdicts import XDP_DROP, XDP_PASS, XDP_TX
from beespace.types import u16, u32


class Twin(Program):
    expired = Counter()

    @xdp
    def run(self, ctx):
        ethernet = bpf.packet(ctx, Ethernet, 0)
        if ethernet is None or ethernet.ethertype != ETH_P_IP:
            return XDP_PASS
        ip = bpf.packet(ctx, IPv4, 14)
        if ip is None:
            return XDP_PASS
        if ip.ttl <= 1:
            self.expired += 1
            return XDP_DROP
        ip.ttl = ip.ttl - 1
        sum = u32(ip.checksum) + 0x100
        ip.checksum = u16(sum + (sum >> 16))
        station = ethernet.source
        ethernet.source = ethernet.destination
        ethernet.destination = station
        return XDP_TX
