from beespace.lang import Program, cgroup_skb


class Probe(Program):
    @cgroup_skb("ingress")
    def on_event(self, ctx):
        return ctx.len
