from beespace.lang import Hash, Program, Struct, bpf, raw_tracepoint
from beespace.types import u32


class Stats(Struct):
    flags: u32


class Probe(Program):
    flows = Hash(key=u32, value=Stats)

    @raw_tracepoint("sched_process_exit")
    def on_event(self, task):
        value = self.flows.get(bpf.pid())
        if value is not None:
            value.flags |= 1
