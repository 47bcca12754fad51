from beespace.lang import Event, Program, Ring, tracepoint
from beespace.types import Pid, Text, text, u32


class Seen(Event):
    pid: Pid
    name: Text = text(16)


class Probe(Program):
    seen = Ring(Seen)

    @tracepoint("sched:sched_process_exec")
    def on_event(self, ctx):
        self.seen.emit(Seen(pid=u32(ctx.pid), name=ctx.filenam))
