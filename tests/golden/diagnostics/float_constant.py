from beespace.lang import Program, bpf, raw_tracepoint


RATE = 0.5


class Probe(Program):
    @raw_tracepoint("sched_process_exit")
    def on_event(self, task):
        x = bpf.now() * RATE
