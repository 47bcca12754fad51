from beespace import Counter, Program, cgroup_skb
from beespace.lang.contexts import PacketContext, XdpContext


class Probe(Program):
    total = Counter()

    @cgroup_skb("egress")
    def fine(self, ctx: PacketContext):
        self.total += ctx.len

    @cgroup_skb("egress")
    def on_packet(self, ctx: XdpContext):
        self.total += ctx.ingress_ifindex
