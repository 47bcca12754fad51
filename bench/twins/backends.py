"""XDP: which of 16 backends a connection belongs to, and how much each gets."""

from __future__ import annotations

from beespace.lang import Array, LruHash, Program, Struct, bpf, xdp
from beespace.lang.packet import ETH_P_IP, IPPROTO_TCP, TCP, Ethernet, IPv4
from beespace.lang.verdicts import XDP_DROP, XDP_PASS
from beespace.types import Port, u32, u64


class Client(Struct):
    address: u32
    port: Port


class Backend(Struct):
    packets: u64
    bytes: u64
    weight: u64


class Twin(Program):
    backends = Array(Backend, 16)
    clients = LruHash(key=Client, value=u32, max_entries=1024)

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
            return XDP_DROP
        client = Client(address=ip.source, port=tcp.source)
        index = self.clients.get(client)
        if index is None:
            index = (ip.source * 2654435761 ^ tcp.source) & 15
            self.clients[client] = index
        backend = self.backends.get(index)
        if backend is None:
            return XDP_DROP
        backend.packets += 1
        backend.bytes += ip.total_length
        return XDP_PASS
