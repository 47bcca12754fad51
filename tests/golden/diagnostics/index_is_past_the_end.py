from beespace.lang import Array, Program, raw_tracepoint
from beespace.types import u64


class Probe(Program):
    slots = Array(u64, 16)

    @raw_tracepoint("sched_process_exit")
    def on_event(self, task):
        self.slots[16] += 1
