from beespace.lang import Counter, Program, function, raw_tracepoint


class Probe(Program):
    total = Counter()

    @function
    def add(self, n):
        self.total += n

    @raw_tracepoint("sched_process_exit")
    def on_event(self, task):
        self.add(1)
