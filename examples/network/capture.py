"""A socket that sees only some packets: the names that are asked for (DNS), from a raw packet socket."""

import socket

from beespace import Program, bpf
from beespace.lang import socket_filter
from beespace.lang.packet import ETH_P_IP, IPPROTO_UDP, UDP, IPv4
from beespace.types import Port, i32


class Capture(Program):
    """Lets UDP packets to one port through, and nothing else."""

    port: Port = 53

    @socket_filter
    def on_packet(self, ctx):
        if ctx.protocol != ETH_P_IP:
            return 0
        ip = bpf.load_bytes(ctx, IPv4, 14)
        if ip is None or ip.protocol != IPPROTO_UDP:
            return 0
        udp = bpf.load_bytes(ctx, UDP, 34)
        if udp is None or udp.destination != self.port:
            return 0
        return i32(ctx.len)


if __name__ == "__main__":
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as packets, Capture() as probe:
        probe.attach("on_packet", socket=packets)
        while True:
            print(packets.recv(65_535).hex())
