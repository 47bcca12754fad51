from beespace.lang import Array, Program, raw_tracepoint
from beespace.types import u64


class Probe(Program):
    results = Array(u64, 4)

    @raw_tracepoint("sched_process_exit")
    async def on_event(self, task):
        self.results[0] = 1
