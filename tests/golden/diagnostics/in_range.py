from beespace.lang import Array, Program, bpf, raw_tracepoint
from beespace.types import u64


class Probe(Program):
    results = Array(u64, 4)

    @raw_tracepoint("sched_process_exit")
    def on_event(self, task):
        n = u64(bpf.random())
        if n in range(1, 100, 7):
            self.results[0] = 1
        if n in range(bpf.cpu()):
            self.results[0] = 2
