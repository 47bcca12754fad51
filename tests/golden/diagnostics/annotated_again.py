from beespace.lang import Array, Program, bpf, raw_tracepoint
from beespace.types import u32, u64


class Probe(Program):
    results = Array(u64, 4)

    @raw_tracepoint("sched_process_exit")
    def on_event(self, task):
        n = u64(bpf.random())
        size: u64 = n
        size: u32 = 5
        self.results[0] = size
