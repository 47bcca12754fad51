from beespace.lang import Counter, Program, raw_tracepoint


class Probe(Program):
    total = Counter()

    @raw_tracepoint("sched_process_exit")
    def on_event(self, task):
        for i in range(10_000_000):
            self.total += 1
