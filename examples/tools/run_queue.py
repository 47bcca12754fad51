"""How long tasks wait for a CPU (as runqlat)."""

import time

from beespace import Histogram, Program, bpf, btf_tracepoint
from beespace.lang import LruHash
from beespace.types import Tid, u32, u64


class RunQueue(Program):
    """A histogram of the time between being runnable and running, in microseconds."""

    woken = LruHash(key=Tid, value=u64, max_entries=65_536)
    waits = Histogram(unit="us")

    @btf_tracepoint("sched_wakeup")
    def on_wakeup(self, task):
        self.woken[u32(task.pid)] = bpf.now()

    @btf_tracepoint("sched_wakeup_new")
    def on_wakeup_new(self, task):
        self.woken[u32(task.pid)] = bpf.now()

    @btf_tracepoint("sched_switch")
    def on_switch(self, preempt, previous, next):
        if preempt:
            self.woken[u32(previous.pid)] = bpf.now()  # it would have gone on
        since = self.woken.pop(u32(next.pid))
        if since is not None:
            self.waits.add((bpf.now() - since) // 1000)


if __name__ == "__main__":
    with RunQueue() as probe:
        time.sleep(5)
        probe.waits.show()
