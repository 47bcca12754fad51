from beespace.lang import Hash, Program, Struct, raw_tracepoint
from beespace.types import u16, u32, u8


class Key(Struct):
    pid: u32
    port: u16

more = {}


class Probe(Program):
    pids = Hash(key=Key, value=u8)

    @raw_tracepoint("sched_process_exit")
    def on_event(self, task):
        self.pids[Key(pid=1, **more)] = 1
