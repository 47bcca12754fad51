from beespace.lang import Program, raw_tracepoint


class Probe(Program):
    @raw_tracepoint("sched_process_exit")
    def on_event(self, task):
        x = [i for i in range(3)]
