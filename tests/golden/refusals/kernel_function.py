from beespace.lang import Counter, Program, bpf, raw_tracepoint


class Probe(Program):
    total = Counter()

    @raw_tracepoint("sched_process_exit")
    def on_exit(self, task):
        with bpf.task_from_pid(1) as found:
            if found is not None:
                self.total += 1
