from beespace.lang import Counter, Program, raw_tracepoint
from beespace.types import u32


class Probe(Program):
    rounds: u32 = 4
    total = Counter()

    @raw_tracepoint("sched_process_exit")
    def on_event(self, task):
        for i in range(self.rounds):
            self.total += 1
