"""XDP: packets and bytes by IP protocol."""

from __future__ import annotations

from beespace.lang import PerCpuArray, Program, Struct, bpf, xdp
from beespace.lang.packet import ETH_P_IP, Ethernet, IPv4
from beespace.lang.verdicts import XDP_PASS
from beespace.types import u64


class Traffic(Struct):
    packets: u64
    bytes: u64


class Twin(Program):
    traffic = PerCpuArray(Traffic, 256)

    @xdp
    def run(self, ctx):
        ethernet = bpf.packet(ctx, Ethernet, 0)
        if ethernet is None or ethernet.ethertype != ETH_P_IP:
            return XDP_PASS
        ip = bpf.packet(ctx, IPv4, 14)
        if ip is None:
            return XDP_PASS
        traffic = self.traffic.get(ip.protocol)
        if traffic is not None:
            traffic.packets += 1
            traffic.bytes += ip.total_length
        return XDP_PASS
