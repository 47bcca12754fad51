from beespace.lang import Program, raw_tracepoint
from beespace.types import u32


class Probe(Program):
    @raw_tracepoint("sched_process_exit")
    def on_event(self, task):
        count: u32 = 1
        return cuont
