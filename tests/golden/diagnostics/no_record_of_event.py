from beespace.lang import Program, tracepoint


class Probe(Program):
    @tracepoint("sched:sched_switch")
    def on_event(self, ctx):
        x = ctx.pid
