from beespace.lang import Hash, Program, raw_tracepoint
from beespace.types import u32, u64


class Probe(Program):
    counts = Hash(key=u32, value=u64)

    @raw_tracepoint("sched_process_exit")
    def on_event(self, task):
        self.counts.clear()
