from beespace.lang import Program, bpf, raw_tracepoint


class Probe(Program):
    @raw_tracepoint("sched_process_exit")
    def on_event(self, ctx):
        bpf.ktime_get_nss()
        bpf.bpf_ktime_get_ns()
        bpf.no_such_helper_at_all()
        bpf.task_from_vpid(1)
