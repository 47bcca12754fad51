from beespace.lang import Program, Struct, raw_tracepoint
from beespace.types import u16, u32


class Key(Struct):
    pid: u32
    port: u16


class Probe(Program):
    @raw_tracepoint("sched_process_exit")
    def on_event(self, task):
        key = Key()
        if key is None:
            return
