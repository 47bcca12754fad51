from beespace.lang import Program, btf_tracepoint


class Probe(Program):
    @btf_tracepoint("sched_proces_exec")
    def on_event(self, task):
        x = task.pid
