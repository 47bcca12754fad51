from beespace.lang import Program, btf_tracepoint


class Probe(Program):
    @btf_tracepoint("sched_process_exec")
    def on_event(self, task):
        pid = task.tgidd
