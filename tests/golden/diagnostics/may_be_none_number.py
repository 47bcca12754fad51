from beespace.lang import Counter, Hash, Program, bpf, raw_tracepoint
from beespace.types import u32, u64


class Probe(Program):
    counts = Hash(key=u32, value=u64)
    total = Counter()

    @raw_tracepoint("sched_process_exit")
    def on_event(self, task):
        value = self.counts.get(bpf.pid())
        self.total += value
