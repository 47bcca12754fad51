from beespace.lang import Counter, Program, raw_tracepoint


class Probe(Program):
    total = Counter()

    @raw_tracepoint("sched_process_exit")
    def on_event(self, task):
        for i in range(0, 10, 0):
            self.total += 1
