from beespace.lang import Program, raw_tracepoint


def double(n):
    return 2 * n


class Probe(Program):
    @raw_tracepoint("sched_process_exit")
    def on_event(self, task):
        x = double(3)
