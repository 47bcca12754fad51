from beespace.lang import Program, raw_tracepoint
from beespace.types import u32


class Probe(Program):
    min_uid: u32 = 0

    @raw_tracepoint("sched_process_exit")
    def on_event(self, task):
        self.min_uid = 5
