from beespace.lang import Program, bpf, btf_tracepoint
from beespace.lang.packet import IPv4


class Probe(Program):
    @btf_tracepoint("sched_process_exec")
    def on_event(self, task):
        ip = bpf.packet(task, IPv4, 0)
