from beespace.lang import Program, bpf, raw_tracepoint
from beespace.types import u32


class Probe(Program):
    min_uid: u32 = 0

    @raw_tracepoint("sched_process_exit")
    def on_event(self, task):
        if bpf.uid() < self.min_uuid:
            return
