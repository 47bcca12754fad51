from beespace.lang import Program, ProgramArray, cgroup_skb, raw_tracepoint, tail_call


class Probe(Program):
    calls = ProgramArray(2, {1: "on_packet"})

    @raw_tracepoint("sched_process_exit")
    def on_exit(self, ctx):
        self.calls.jump(ctx, 1)

    @tail_call
    @cgroup_skb("egress")
    def on_packet(self, ctx):
        return 1
