from beespace.lang import Program, bpf, raw_tracepoint
from beespace.types import i32


class Probe(Program):
    @raw_tracepoint("sched_process_exit")
    def on_event(self, task):
        print(f"{i32(bpf.pid()):x} {bpf.pid()}")
        print(f"{bpf.pid():,}")
