from beespace.lang import LpmTrie, Program, raw_tracepoint
from beespace.types import be32, u64


class Probe(Program):
    routes = LpmTrie(u64, key=be32)

    @raw_tracepoint("sched_process_exit")
    def on_exit(self, ctx):
        if self.routes.get(0x0A000001, prefix=33) is None:
            return
