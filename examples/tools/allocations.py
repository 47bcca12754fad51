"""Sizes that programs ask malloc() for, by process."""

import time

from beespace import Histogram, Program, bpf, uprobe
from beespace.types import Pid, u64


class Allocations(Program):
    """A histogram for each process, in bytes."""

    sizes = Histogram(key=Pid, unit="bytes")

    @uprobe("libc.so.6:malloc")
    def on_malloc(self, size: u64):
        self.sizes[bpf.pid()].add(size)


if __name__ == "__main__":
    with Allocations() as probe:
        time.sleep(5)
        probe.sizes.show()
