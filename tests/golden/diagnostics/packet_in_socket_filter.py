from beespace import Program, bpf
from beespace.lang import socket_filter
from beespace.lang.packet import IPv4


class Probe(Program):
    @socket_filter
    def on_packet(self, ctx):
        ip = bpf.packet(ctx, IPv4, 14)
        return 0 if ip is None else 1
