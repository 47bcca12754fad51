from beespace.lang import Event, Program, Ring, Struct, raw_tracepoint
from beespace.types import Pid, Text, text, u16, u32


class Seen(Event):
    pid: Pid
    name: Text = text(16)

class Key(Struct):
    pid: u32
    port: u16


class Probe(Program):
    seen = Ring(Seen)

    @raw_tracepoint("sched_process_exit")
    def on_event(self, task):
        self.seen.emit(Key(pid=1))
