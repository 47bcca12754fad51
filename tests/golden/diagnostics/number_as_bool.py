from beespace.lang import Program, Struct, raw_tracepoint
from beespace.types import boolean


class Wire(Struct):
    egress: boolean


class Probe(Program):
    @raw_tracepoint("sched_process_exit")
    def on_event(self, task):
        key = Wire(egress=1)
