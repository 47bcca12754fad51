"""A scheduler in Python (sched_ext, Linux 6.12): tasks run in the order in which they become ready.

What an implementation leaves out, the kernel does: tasks wait in one queue for all CPUs.  This one counts who runs, and
for how long.  The kernel's own scheduler takes over again as soon as this program ends, however it ends.
"""

from __future__ import annotations

from beespace import Counter, Hash, bpf
from beespace.lang import StructOps, struct_ops
from beespace.types import text, u64


class Fifo(StructOps, implements="sched_ext_ops"):
    """First come, first served."""

    name = "bee_fifo"
    timeout_ms = 10_000  # a task that waits longer ends this scheduler

    began = Hash(key=u64, value=u64)
    ran = Counter()
    time = Hash(key=text(16), value=u64)

    @struct_ops
    def running(self, p):
        self.ran += 1
        self.began[u64(p.pid)] = bpf.now()

    @struct_ops
    def stopping(self, p, runnable):
        began = self.began.pop(u64(p.pid))
        if began is not None:
            self.time[p.comm] += bpf.now() - began


if __name__ == "__main__":
    import time

    with Fifo() as fifo:
        try:
            time.sleep(10)
        except KeyboardInterrupt:
            pass
        print(f"{fifo.ran.value} switches")
        for name, spent in sorted(fifo.time.items(), key=lambda item: -item[1])[:10]:
            print(f"{spent / 1e6:10.1f} ms  {name}")
