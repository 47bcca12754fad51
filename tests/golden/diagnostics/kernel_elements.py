from beespace import Counter, Program
from beespace.lang import PerCpuVariable, kconfig, raw_tracepoint
from beespace.types import text, u32


class Probe(Program):
    hz = kconfig("CONFIG_HZ")
    queues = PerCpuVariable("runqueues", text(4))
    total = Counter()

    @raw_tracepoint("sched_process_exit")
    def on_exit(self, task):
        index = u32(task.tgid)
        if task.comm[index] == 1:
            self.total += 1
        if task.comm[-1] == 1:
            self.total += 1
        self.total += self.hz
        self.total += self.queues.here()
        self.total += task.mm.value
        self.total += task.tgid.value
