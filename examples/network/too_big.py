"""Packets that are too big for what comes behind are answered with how big they may be (ICMP), by XDP."""

from beespace import Counter, Program, Struct, bpf, xdp
from beespace.lang.packet import ETH_P_IP, IPPROTO_ICMP, Ethernet, IPv4
from beespace.lang.verdicts import XDP_DROP, XDP_PASS, XDP_TX
from beespace.types import Raw, be16, i32, raw, u8, u16

QUOTED = 28  # bytes of the packet that stand in the answer: its IP header and 8 more


class TooBig(Struct):
    """RFC 1191: fragmentation needed."""

    type: u8
    code: u8
    checksum: be16
    unused: be16
    size: be16
    quoted: Raw = raw(QUOTED)


class PacketTooBig(Program):
    """Sends packets above ``limit`` back as an error."""

    limit: u16 = 1200  # bytes of IP
    sent = Counter()

    @xdp
    def on_packet(self, ctx):
        ethernet = bpf.packet(ctx, Ethernet, 0)
        ip = bpf.packet(ctx, IPv4, 14)
        if ethernet is None or ip is None or ethernet.ethertype != ETH_P_IP or ip.protocol == IPPROTO_ICMP:
            return XDP_PASS
        if ip.total_length <= self.limit:
            return XDP_PASS
        # Cut behind what is quoted, then make room for two headers in front of it.
        if bpf.xdp_adjust_tail(ctx, 14 + QUOTED - i32(bpf.packet_length(ctx))) < 0:
            return XDP_DROP
        if bpf.xdp_adjust_head(ctx, -28) < 0:
            return XDP_DROP
        new = bpf.packet(ctx, Ethernet, 0)
        outer = bpf.packet(ctx, IPv4, 14)
        icmp = bpf.packet(ctx, TooBig, 34)
        old = bpf.packet(ctx, Ethernet, 28)
        inner = bpf.packet(ctx, IPv4, 42)
        if new is None or outer is None or icmp is None or old is None or inner is None:
            return XDP_DROP
        new.source, new.destination = old.destination, old.source
        new.ethertype = ETH_P_IP
        outer.version_ihl = 0x45
        outer.tos = 0
        outer.total_length = 20 + 8 + QUOTED
        outer.identification = 0
        outer.flags_fragment = 0
        outer.ttl = 64
        outer.protocol = IPPROTO_ICMP
        outer.source = inner.destination
        outer.destination = inner.source
        outer.checksum = 0
        outer.checksum = bpf.checksum(outer)
        icmp.type = 3
        icmp.code = 4
        icmp.unused = 0
        icmp.size = self.limit
        icmp.checksum = 0
        icmp.checksum = bpf.checksum(icmp)
        self.sent += 1
        return XDP_TX


if __name__ == "__main__":
    import sys
    import time

    with PacketTooBig().start(interface=sys.argv[1]) as probe:
        time.sleep(60)
        print(probe.sent.value, "packets were too big")
