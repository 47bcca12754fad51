from beespace.lang import Counter, Program, TopK, raw_tracepoint
from beespace.types import u32


class Probe(Program):
    counts = TopK(u32)
    total = Counter()

    @raw_tracepoint("sched_process_exit")
    def on_event(self, task):
        for key in self.counts:
            self.total += 1
