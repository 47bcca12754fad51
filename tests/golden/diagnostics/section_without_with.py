from beespace.lang import Program, bpf, cgroup_skb


class Probe(Program):
    @cgroup_skb("egress")
    def on_packet(self, ctx):
        bpf.rcu()
