from beespace.lang import Hash, Program, Struct, raw_tracepoint
from beespace.types import u16, u32, u8


class Key(Struct):
    pid: u32
    port: u16


class Probe(Program):
    pids = Hash(key=Key, value=u8)

    @raw_tracepoint("sched_process_exit")
    def on_event(self, task):
        last = Key()
        for i in range(4):
            key = Key(pid=i)
            last = key
        self.pids[last] = 1
