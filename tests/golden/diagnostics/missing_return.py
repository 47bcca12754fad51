from beespace.lang import Program, bpf, function, raw_tracepoint
from beespace.types import u32


class Probe(Program):
    @function
    def half(self, n: u32) -> u32:
        if n > 1:
            return n >> 1

    @raw_tracepoint("sched_process_exit")
    def on_event(self, task):
        x = self.half(bpf.pid())
