from beespace.lang import Counter, Program, function, raw_tracepoint
from beespace.types import u64


class Probe(Program):
    total = Counter()

    @function
    def add(self, n: u64, m: u64):
        self.total += n + m

    @raw_tracepoint("sched_process_exit")
    def on_event(self, task):
        self.add(1)
