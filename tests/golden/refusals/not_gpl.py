from beespace.lang import Hash, Program, raw_tracepoint
from beespace.types import text, u64


class Probe(Program):
    license = "Proprietary"
    names = Hash(key=text(16), value=u64)

    @raw_tracepoint("sched_process_exit")
    def on_exit(self, task):
        self.names[task.comm] += 1
