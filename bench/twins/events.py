"""XDP: an event for each TCP packet that opens a connection."""

from __future__ import annotations

from beespace.lang import Counter, Event, Program, Ring, bpf, xdp
from beespace.lang.packet import ETH_P_IP, IPPROTO_TCP, TCP, Ethernet, IPv4
from beespace.lang.verdicts import XDP_PASS
from beespace.types import Port, Timestamp, u16, u32


class Opened(Event):
    time: Timestamp
    source: u32
    destination: u32
    source_port: Port
    destination_port: Port
    size: u16


class Twin(Program):
    total = Counter()
    opened = Ring(Opened, size="4 KiB")

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
        self.total += 1
        self.opened.emit(
            Opened(
                time=bpf.now(),
                source=ip.source,
                destination=ip.destination,
                source_port=tcp.source,
                destination_port=tcp.destination,
                size=ip.total_length,
            )
        )
        return XDP_PASS
