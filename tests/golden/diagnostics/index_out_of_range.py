from beespace.lang import Array, Program, bpf, raw_tracepoint
from beespace.types import u64


class Probe(Program):
    slots = Array(u64, 16)

    @raw_tracepoint("sched_process_exit")
    def on_event(self, task):
        self.slots[bpf.random()] += 1
