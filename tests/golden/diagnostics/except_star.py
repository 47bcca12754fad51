from beespace.lang import Array, Program, bpf, raw_tracepoint
from beespace.types import u64


class Probe(Program):
    results = Array(u64, 4)

    @raw_tracepoint("sched_process_exit")
    def on_event(self, task):
        n = u64(bpf.random())
        try:
            self.results[0] = n
        except* ValueError:
            self.results[0] = 0
