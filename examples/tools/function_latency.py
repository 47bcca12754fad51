"""How long a kernel function takes (as funclatency)."""

import time

from beespace import Hash, Histogram, Program, bpf, kprobe
from beespace.lang import kretprobe
from beespace.types import Tid, u64


class FunctionLatency(Program):
    """A histogram of vfs_read(), in nanoseconds."""

    began = Hash(key=Tid, value=u64)
    latency = Histogram(unit="ns")

    @kprobe("vfs_read")
    def on_entry(self, file):
        self.began[bpf.tid()] = bpf.now()

    @kretprobe("vfs_read")
    def on_return(self, result):
        began = self.began.pop(bpf.tid())
        if began is not None:
            self.latency.add(bpf.now() - began)


if __name__ == "__main__":
    with FunctionLatency() as probe:
        time.sleep(5)
        probe.latency.show()
