from beespace.lang import Counter, Program, raw_tracepoint
from beespace.types import u64


class Probe(Program):
    total = Counter()

    @raw_tracepoint("sched_process_exit")
    def on_exit(self, task):
        best: u64 = 0
        for row in range(4096):
            for column in range(4096):
                best = best * 3 + row ^ column
        self.total += best
