from beespace.lang import Counter, Program, bpf, raw_tracepoint
from beespace.types import u32, u64


class Probe(Program):
    total = Counter()

    @raw_tracepoint("sched_process_exit")
    def on_event(self, task):
        if bpf.cpu() == 0:
            slot: u32 = 1
        self.total += u64(slot)
