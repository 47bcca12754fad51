from beespace.lang import Array, Program, bpf, function, raw_tracepoint
from beespace.types import u64


class Probe(Program):
    results = Array(u64, 4)

    @function
    def add(self, a: u64, b: u64) -> u64:
        return a + b

    @function
    def twice(self, a: u64, /) -> u64:
        return a * 2

    @raw_tracepoint("sched_process_exit")
    def on_event(self, task):
        n = u64(bpf.random())
        self.results[0] = self.add(*(1, 2))
        self.results[1] = self.add(**{"a": 1, "b": 2})
        self.results[2] = self.twice(a=n)
