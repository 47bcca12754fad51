from beespace.lang import Hash, Program, Struct, bpf, function, raw_tracepoint
from beespace.types import u32, u64


class Stats(Struct):
    count: u64


class Probe(Program):
    flows = Hash(key=u32, value=Stats)

    @function
    def touch(self, stats: Stats):
        stats.count = 1

    @raw_tracepoint("sched_process_exit")
    def on_event(self, task):
        value = self.flows.get(bpf.pid())
        if value is not None:
            self.touch(value)
        self.touch(Stats())
