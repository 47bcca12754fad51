from beespace.lang import Program, bpf, btf_tracepoint


class Probe(Program):
    @btf_tracepoint("sched_process_exec")
    def on_event(self, task, old_pid, binary):
        path = binary.filename
        name = bpf.kernel_text(path)
