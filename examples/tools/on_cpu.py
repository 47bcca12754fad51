"""How long tasks run before they leave the CPU, by name (as cpudist)."""

import time

from beespace import Histogram, Program, bpf, btf_tracepoint
from beespace.lang import PerCpuArray
from beespace.types import text, u64


class OnCpu(Program):
    """A histogram for each command, in microseconds."""

    began = PerCpuArray(u64, 1)
    times = Histogram(key=text(16), unit="us")

    @btf_tracepoint("sched_switch")
    def on_switch(self, preempt, previous, next):
        began = self.began[0]
        now = bpf.now()
        if began != 0 and previous.pid != 0:
            self.times[previous.comm].add((now - began) // 1000)
        self.began[0] = now


if __name__ == "__main__":
    with OnCpu() as probe:
        time.sleep(5)
        probe.times.show()
