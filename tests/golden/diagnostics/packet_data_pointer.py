from beespace.lang import Program, cgroup_skb


class Probe(Program):
    @cgroup_skb("egress")
    def on_event(self, ctx):
        x = ctx.data
