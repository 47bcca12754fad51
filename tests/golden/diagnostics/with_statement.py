from beespace.lang import Counter, Program, raw_tracepoint


class Probe(Program):
    lock = Counter()

    @raw_tracepoint("sched_process_exit")
    def on_event(self, task):
        with self.lock:
            pass
