from beespace.lang import Counter, Program, bpf, raw_tracepoint


class Probe(Program):
    total = Counter()

    @raw_tracepoint("sched_process_exit")
    def on_event(self, task):
        for i in range(bpf.random()):
            self.total += 1
