from beespace.lang import Program, raw_tracepoint


NAMES = {1: "one"}


class Probe(Program):
    @raw_tracepoint("sched_process_exit")
    def on_event(self, task):
        x = NAMES
