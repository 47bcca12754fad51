from beespace.lang import Array, Program, bpf, raw_tracepoint
from beespace.types import u64

__LIMIT = 5


class Probe(Program):
    results = Array(u64, 4)

    @raw_tracepoint("sched_process_exit")
    def on_event(self, task):
        n = u64(bpf.random())
        self.results[0] = __LIMIT
        self.results[1] = self.__limit
