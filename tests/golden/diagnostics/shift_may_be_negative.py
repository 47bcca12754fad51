from beespace.lang import Program, bpf, raw_tracepoint
from beespace.types import i32


class Probe(Program):
    @raw_tracepoint("sched_process_exit")
    def on_event(self, task):
        steps = i32(bpf.random())
        x = bpf.now() >> steps
