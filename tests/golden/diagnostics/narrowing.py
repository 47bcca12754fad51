from beespace.lang import Hash, Program, bpf, raw_tracepoint
from beespace.types import u32


class Probe(Program):
    sizes = Hash(key=u32, value=u32)

    @raw_tracepoint("sched_process_exit")
    def on_event(self, task):
        self.sizes[bpf.pid()] = bpf.now()
