from beespace.lang import Hash, Program, Struct, bpf, raw_tracepoint
from beespace.types import u16, u32, u64


class Key(Struct):
    pid: u32
    port: u16


class Probe(Program):
    flows = Hash(key=Key, value=u64)

    @raw_tracepoint("sched_process_exit")
    def on_event(self, task):
        self.flows[bpf.pid()] += 1
