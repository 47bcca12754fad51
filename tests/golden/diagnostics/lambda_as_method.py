from beespace.lang import Program, raw_tracepoint


class Probe(Program):
    on_event = raw_tracepoint("sched_process_exit")(lambda self, task: None)
