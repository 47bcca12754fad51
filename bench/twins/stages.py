"""XDP: one program tells protocols apart and jumps to another for each, which counts ports."""

from __future__ import annotations

from beespace.lang import Array, Hash, Program, ProgramArray, bpf, tail_call, xdp
from beespace.lang.packet import ETH_P_IP, IPPROTO_TCP, IPPROTO_UDP, TCP, UDP, Ethernet, IPv4
from beespace.lang.verdicts import XDP_PASS
from beespace.types import Port, u64


class Twin(Program):
    stages = ProgramArray(256, {IPPROTO_TCP: "on_tcp", IPPROTO_UDP: "on_udp"})
    others = Array(u64, 256)
    tcp_ports = Hash(key=Port, value=u64, max_entries=1024)
    udp_ports = Hash(key=Port, value=u64, max_entries=1024)

    @xdp
    def run(self, ctx):
        ethernet = bpf.packet(ctx, Ethernet, 0)
        if ethernet is None or ethernet.ethertype != ETH_P_IP:
            return XDP_PASS
        ip = bpf.packet(ctx, IPv4, 14)
        if ip is None:
            return XDP_PASS
        protocol = ip.protocol
        self.stages.jump(ctx, protocol)
        self.others[protocol] += 1
        return XDP_PASS

    @tail_call
    @xdp
    def on_tcp(self, ctx):
        tcp = bpf.packet(ctx, TCP, 34)
        if tcp is not None:
            self.tcp_ports[tcp.destination] += 1
        return XDP_PASS

    @tail_call
    @xdp
    def on_udp(self, ctx):
        udp = bpf.packet(ctx, UDP, 34)
        if udp is not None:
            self.udp_ports[udp.destination] += 1
        return XDP_PASS
