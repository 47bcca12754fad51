from beespace.lang import Program, raw_tracepoint


COUNT = 0


class Probe(Program):
    @raw_tracepoint("sched_process_exit")
    def on_event(self, task):
        global COUNT
        COUNT = 1
