from beespace.lang import Counter, Program, Struct, function, raw_tracepoint
from beespace.types import u16, u32, u64


class Key(Struct):
    pid: u32
    port: u16


class Wire(Struct):
    length: u64


class Probe(Program):
    total = Counter()

    @function
    def add(self, key):
        self.total += 1

    @raw_tracepoint("sched_process_exit")
    def on_event(self, task):
        self.add(Key(pid=1))
        self.add(Wire(length=2))
