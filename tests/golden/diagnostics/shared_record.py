from beespace.lang import Program, tracepoint


class Probe(Program):
    @tracepoint("sched:sched_wakeup_new")
    def on_event(self, ctx):
        x = ctx.pid
