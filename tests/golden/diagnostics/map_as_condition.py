from beespace.lang import Array, Hash, Program, bpf, raw_tracepoint
from beespace.types import u32, u64


class Probe(Program):
    results = Array(u64, 4)
    seen = Hash(key=u32, value=u64)

    @raw_tracepoint("sched_process_exit")
    def on_event(self, task):
        n = u64(bpf.random())
        if self.seen:
            self.results[0] = 1
        if not self.results:
            self.results[0] = 2
