from beespace.lang import Program, bpf, raw_tracepoint


class Probe(Program):
    @raw_tracepoint("sched_process_exit")
    def on_event(self, task):
        bpf.log(f"{task.real_parent} {bpf.task()}")
