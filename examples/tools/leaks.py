"""Memory that was asked for and not given back, by the stack that asked (as memleak)."""

from beespace import Hash, LruHash, Program, Struct, bpf, uprobe
from beespace.lang import StackTraces, uretprobe
from beespace.types import Tid, i64, u64


class Allocation(Struct):
    size: u64
    stack: i64


class Leaks(Program):
    """Follows malloc() and free() of the C library."""

    least: u64 = 0  # bytes of what is followed
    sizes = Hash(key=Tid, value=u64)  # of the call that a thread is in
    allocations = LruHash(key=u64, value=Allocation, max_entries=100_000)
    stacks = StackTraces(10_000)
    open = Hash(key=i64, value=i64)  # bytes, by stack

    @uprobe("libc:malloc")
    def on_malloc(self, size: u64):
        if size >= self.least:
            self.sizes[bpf.tid()] = size

    @uretprobe("libc:malloc")
    def on_return(self, ctx, result: u64):
        size = self.sizes.pop(bpf.tid())
        if size is None or result == 0:
            return
        stack = self.stacks.id(ctx, user=True)
        self.allocations[result] = Allocation(size=size, stack=stack)
        self.open[stack] += i64(size)

    @uprobe("libc:free")
    def on_free(self, address: u64):
        allocation = self.allocations.get(address)
        if allocation is not None:
            self.open[allocation.stack] -= i64(allocation.size)
            del self.allocations[address]


if __name__ == "__main__":
    import sys
    import time

    pid = int(sys.argv[1])
    with Leaks().start(pid=pid) as probe:
        time.sleep(10)
        for stack, size in sorted(probe.open.items(), key=lambda entry: -entry[1])[:10]:
            print(f"{size} bytes:", *probe.stacks.symbols(stack, pid=pid)[:8])
