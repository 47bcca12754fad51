"""Time spent in each kind of soft interrupt (as softirqs)."""

import time

from beespace import Array, Program, bpf, btf_tracepoint
from beespace.lang import PerCpuArray
from beespace.types import u64

KINDS = ("hi", "timer", "net_tx", "net_rx", "block", "irq_poll", "tasklet", "sched", "hrtimer", "rcu")


class SoftIrqs(Program):
    """Sums the nanoseconds of each kind."""

    began = PerCpuArray(u64, 1)
    time = Array(u64, 10)
    count = Array(u64, 10)

    @btf_tracepoint("softirq_entry")
    def on_entry(self, vec):
        self.began[0] = bpf.now()

    @btf_tracepoint("softirq_exit")
    def on_exit(self, vec):
        began = self.began[0]
        if began != 0 and vec < 10:
            self.time[vec] += bpf.now() - began
            self.count[vec] += 1


if __name__ == "__main__":
    with SoftIrqs() as probe:
        time.sleep(5)
        for number, kind in enumerate(KINDS):
            print(f"{kind:10} {probe.count[number]:10} {probe.time[number] / 1e6:12.3f} ms")
