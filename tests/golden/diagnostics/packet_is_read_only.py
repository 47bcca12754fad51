from beespace.lang import Program, bpf, cgroup_skb
from beespace.lang.packet import IPv4


class Probe(Program):
    @cgroup_skb("egress")
    def on_event(self, ctx):
        ip = bpf.packet(ctx, IPv4, 0)
        if ip is not None:
            ip.ttl = 64
