from beespace.lang import Array, Program, bpf, function, raw_tracepoint
from beespace.types import u64


class Probe(Program):
    results = Array(u64, 4)

    @raw_tracepoint("sched_process_exit")
    def on_event(self, task=3):
        self.results[0] = 1

    @raw_tracepoint("sched_process_exec")
    def on_exec(self, task):
        self.results[0] = self.scaled()
        self.results[1] = self.scaled(1, 2, 3)
        self.results[2] = self.scaled(1, 2, 3, 4)
        self.results[3] = self.scaled(1, by=2, of=3)

    @function
    def scaled(self, value: u64, by: u64 = 3, to: u64 = 4) -> u64:
        return value * by + to
