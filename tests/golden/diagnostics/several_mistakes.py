from beespace.lang import Counter, Program, bpf, raw_tracepoint


class Probe(Program):
    total = Counter()

    @raw_tracepoint("sched_process_exit")
    def on_event(self, task):
        x = bpf.piid()
        y = bpf.now() / 2
        self.total += x + y
        self.totl += 1
