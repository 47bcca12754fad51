from beespace.lang import Array, Program, bpf, raw_tracepoint
from beespace.types import u64


class Probe(Program):
    results = Array(u64, 4)

    @raw_tracepoint("sched_process_exit")
    def on_event(self, task):
        best = None
        if bpf.cpu() > 3:
            best = u64(bpf.cpu())
        if best is not None:
            self.results[0] = best
