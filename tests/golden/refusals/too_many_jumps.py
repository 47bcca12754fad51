from beespace.lang import Counter, Program, bpf, raw_tracepoint


class Probe(Program):
    total = Counter()

    @raw_tracepoint("sched_process_exit")
    def on_exit(self, task):
        sum = 0
        for row in range(4000):
            if bpf.random() & 1:
                sum += row * 3
            if bpf.random() & 2:
                sum ^= row
            if bpf.random() & 4:
                sum += 17
        self.total += sum
