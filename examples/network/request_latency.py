"""How long servers take to answer, seen from the cgroup of their clients: from request to answer, by port."""

from beespace import Histogram, LruHash, Program, bpf, cgroup_skb, function
from beespace.lang.packet import IPPROTO_TCP, TCP, IPv4
from beespace.types import Cookie, Port, Timestamp, u16, u32


class RequestLatency(Program):
    """Each connection is known by its cookie; what is sent first after an answer is the next request."""

    asked = LruHash(key=Cookie, value=Timestamp)
    latency = Histogram(key=Port, unit="us")

    @cgroup_skb("egress")
    def on_request(self, ctx):
        if self.payload(ctx) > 0:
            self.asked.insert(bpf.socket_cookie(ctx), bpf.now())

    @cgroup_skb("ingress")
    def on_answer(self, ctx):
        if self.payload(ctx) > 0:
            asked = self.asked.pop(bpf.socket_cookie(ctx))
            if asked is not None:
                self.latency[u16(ctx.remote_port)].add((bpf.now() - asked) // 1000)

    @function
    def payload(self, ctx) -> u32:
        ip = bpf.packet(ctx, IPv4, 0)
        if ip is None or ip.protocol != IPPROTO_TCP:
            return 0
        header = u32(ip.version_ihl & 15) * 4
        tcp = bpf.packet(ctx, TCP, header)
        return 0 if tcp is None else ip.total_length - header - u32(tcp.data_offset >> 4) * 4


if __name__ == "__main__":
    import sys
    import time

    with RequestLatency().start(cgroup=sys.argv[1]) as probe:
        time.sleep(60)
        for port, latency in probe.latency.items():
            print(f"port {port}:")
            latency.show()
