from beespace.lang import Array, Program, bpf, function, raw_tracepoint
from beespace.types import u64


class Base(Program):
    results = Array(u64, 4)

    @function
    def scaled(self, n: u64) -> u64:
        return n + 1


class Probe(Base):
    @function
    def scaled(self, n: u64) -> u64:
        return super().scaled(n) * 2 + Base.scaled(self, n)

    @raw_tracepoint("sched_process_exit")
    def on_event(self, task):
        self.results[0] = self.scaled(bpf.random())
