from beespace.lang import Program, bpf, function, raw_tracepoint
from beespace.types import u32


class Probe(Program):
    @function
    def down(self, n: u32):
        self.again(n)

    @function
    def again(self, n: u32):
        self.down(n)

    @raw_tracepoint("sched_process_exit")
    def on_event(self, task):
        self.down(bpf.pid())
