from beespace.lang import Program, Struct, function, raw_tracepoint
from beespace.types import u16, u32


class Key(Struct):
    pid: u32
    port: u16


class Probe(Program):
    @function
    def same(self, key: Key):
        return key

    @function
    def both(self, key: Key):
        return 1, key

    @raw_tracepoint("sched_process_exit")
    def on_event(self, task):
        key = Key()
        x = self.same(key)
        n, y = self.both(key)
