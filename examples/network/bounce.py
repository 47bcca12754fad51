"""Packets that go back where they came from, before the network stack sees them: XDP_TX."""

from beespace import Counter, Program, bpf, xdp
from beespace.lang.packet import ETH_P_IP, IPPROTO_UDP, UDP, Ethernet, IPv4
from beespace.lang.verdicts import XDP_PASS, XDP_TX
from beespace.types import Port, raw


class Bounce(Program):
    """Answers UDP packets to one port with themselves."""

    port: Port = 7
    bounced = Counter()

    @xdp
    def on_packet(self, ctx):
        ethernet = bpf.packet(ctx, Ethernet, 0)
        ip = bpf.packet(ctx, IPv4, 14)
        udp = bpf.packet(ctx, UDP, 34)
        if ethernet is None or ip is None or udp is None:
            return XDP_PASS
        if ethernet.ethertype != ETH_P_IP or ip.protocol != IPPROTO_UDP or udp.destination != self.port:
            return XDP_PASS
        address = raw(6)
        address = ethernet.source
        ethernet.source = ethernet.destination
        ethernet.destination = address
        ip.source, ip.destination = ip.destination, ip.source
        udp.source, udp.destination = udp.destination, udp.source
        self.bounced += 1
        return XDP_TX


if __name__ == "__main__":
    import sys
    import time

    with Bounce().start(interface=sys.argv[1]) as probe:
        time.sleep(60)
        print("bounced:", probe.bounced.value)
