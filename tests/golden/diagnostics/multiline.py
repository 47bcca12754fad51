from beespace.lang import Event, Program, Ring, bpf, raw_tracepoint
from beespace.types import Pid, Text, text


class Seen(Event):
    pid: Pid
    name: Text = text(16)


class Probe(Program):
    seen = Ring(Seen)

    @raw_tracepoint("sched_process_exit")
    def on_event(self, task):
        self.seen.emit(
            Seen(
                pid=bpf.pid(),
                name=bpf.now(),
            )
        )
