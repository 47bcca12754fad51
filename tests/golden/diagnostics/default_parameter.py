from beespace.lang import Program, function, raw_tracepoint
from beespace.types import u32


class Probe(Program):
    @function
    def add(self, n: u32 = 1):
        return n

    @raw_tracepoint("sched_process_exit")
    def on_event(self, task):
        x = self.add()
