from beespace.lang import Hash, Program, bpf, raw_tracepoint
from beespace.types import u32, u64


class Probe(Program):
    seen = Hash(key=u32, value=u64)

    @raw_tracepoint("sched_process_exit")
    def on_event(self, ctx):
        bpf.map_update_elem(self.seen, 1, 2, 0)
