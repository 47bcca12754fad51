"""cgroup_skb: packets, bytes and times of each flow."""

from __future__ import annotations

from beespace.lang import Hash, Program, Struct, bpf, cgroup_skb
from beespace.lang.packet import TCP, IPv4
from beespace.types import Port, Timestamp, u8, u32, u64


class Flow(Struct):
    source: u32
    destination: u32
    source_port: Port
    destination_port: Port
    protocol: u8


class Stats(Struct):
    packets: u64
    bytes: u64
    first: Timestamp
    last: Timestamp


class Twin(Program):
    flows = Hash(key=Flow, value=Stats, max_entries=4096)

    @cgroup_skb("egress")
    def run(self, ctx):
        ip = bpf.packet(ctx, IPv4, 0)
        if ip is None or ip.version_ihl >> 4 != 4:
            return True
        flow = Flow(source=ip.source, destination=ip.destination, protocol=ip.protocol)
        ports = bpf.packet(ctx, TCP, u32(ip.version_ihl & 15) * 4)
        if ports is not None:
            flow.source_port = ports.source
            flow.destination_port = ports.destination
        stats = self.flows.get_or_create(flow)
        if stats is not None:
            now = bpf.now()
            if stats.first == 0:
                stats.first = now
            stats.last = now
            stats.packets += 1
            stats.bytes += ctx.len
        return True
