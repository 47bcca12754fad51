"""Who sends most: the addresses with the most bytes (heavy hitters), and packets a second."""

from beespace import Program, bpf, cgroup_skb
from beespace.lang import Rate, TopK
from beespace.lang.packet import IPv4
from beespace.types import Address


class Talkers(Program):
    """Counts the bytes that a cgroup sends by destination."""

    bytes = TopK(Address, k=10)
    packets = Rate()

    @cgroup_skb("egress")
    def on_packet(self, ctx):
        self.packets += 1
        ip = bpf.packet(ctx, IPv4, 0)
        if ip is not None and ip.version_ihl >> 4 == 4:
            self.bytes[bpf.v4(ip.destination)] += ctx.len


if __name__ == "__main__":
    import sys
    import time

    with Talkers().start(cgroup=sys.argv[1]) as probe:
        time.sleep(10)
        probe.bytes.show()
        print(round(probe.packets.mean), "packets a second")
