from beespace.lang import Histogram, Program, raw_tracepoint
from beespace.types import u32


class Probe(Program):
    latency = Histogram()
    by_user = Histogram(key=u32)

    @raw_tracepoint("sched_process_exit")
    def on_exit(self, ctx):
        self.latency[3].add(5)
        self.by_user.add(5)
