"""tc: bytes of each TCP connection in a table that forgets, and an event for each that is new in it."""

from __future__ import annotations

from beespace.lang import Event, LruHash, Program, Ring, Struct, bpf, tc
from beespace.lang.packet import ETH_P_IP, IPPROTO_TCP, TCP, Ethernet, IPv4
from beespace.lang.verdicts import TC_ACT_OK
from beespace.types import Port, Timestamp, u32, u64


class Ends(Struct):
    source: u32
    destination: u32
    source_port: Port
    destination_port: Port


class Traffic(Struct):
    packets: u64
    bytes: u64
    last: Timestamp


class Session(Event):
    time: Timestamp
    ends: Ends
    mark: u32


class Twin(Program):
    sessions = LruHash(key=Ends, value=Traffic, max_entries=1024)
    opened = Ring(Session, size="4 KiB")

    @tc("ingress")
    def run(self, ctx):
        ethernet = bpf.packet(ctx, Ethernet, 0)
        if ethernet is None or ethernet.ethertype != ETH_P_IP:
            return TC_ACT_OK
        ip = bpf.packet(ctx, IPv4, 14)
        if ip is None or ip.protocol != IPPROTO_TCP:
            return TC_ACT_OK
        tcp = bpf.packet(ctx, TCP, 34)
        if tcp is None:
            return TC_ACT_OK
        ends = Ends(
            source=ip.source, destination=ip.destination, source_port=tcp.source, destination_port=tcp.destination
        )
        now = bpf.now()
        traffic = self.sessions.get(ends)
        if traffic is None:
            self.sessions[ends] = Traffic(packets=1, bytes=u64(ctx.len), last=now)
            self.opened.emit(Session(time=now, ends=ends, mark=ctx.mark))
            return TC_ACT_OK
        traffic.packets += 1
        traffic.bytes += ctx.len
        traffic.last = now
        return TC_ACT_OK
