from beespace.lang import Program, bpf, function, raw_tracepoint
from beespace.types import u32


class Probe(Program):
    @function
    def pick(self, n: u32):
        if n > 1:
            return n
        return True

    @raw_tracepoint("sched_process_exit")
    def on_event(self, task):
        x = self.pick(bpf.pid())
