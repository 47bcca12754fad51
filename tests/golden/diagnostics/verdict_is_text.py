from beespace.lang import Program, cgroup_skb


class Probe(Program):
    @cgroup_skb("egress")
    def on_event(self, ctx):
        return "drop"
