from beespace.lang import Hash, Program, raw_tracepoint
from beespace.types import text, u64


class Probe(Program):
    names = Hash(key=text(16), value=u64)

    @raw_tracepoint("sched_process_exit")
    def on_event(self, task):
        self.names["a name of more than sixteen bytes"] += 1
