from beespace.lang import Program, bpf, raw_tracepoint
from beespace.types import i64


class Probe(Program):
    @raw_tracepoint("sched_process_exit")
    def on_event(self, task):
        left = i64(1)
        right = left + bpf.now()
