from beespace.lang import Program, raw_tracepoint
from beespace.types import u16


class Probe(Program):
    @raw_tracepoint("sched_process_exit")
    def on_event(self, task):
        port: u16 = 65536
