from beespace.lang import Program, bpf, raw_tracepoint
from beespace.types import u32


class Probe(Program):
    @raw_tracepoint("sched_process_exit")
    def on_event(self, task):
        small: u32 = bpf.now()
