"""Locks of programs that threads wait for, by process and address of the lock (as futexctn)."""

from beespace import Hash, Program, Struct, bpf, tracepoint
from beespace.types import Duration, Pid, Tid, Timestamp, u64

FUTEX_WAIT, FUTEX_WAIT_BITSET, COMMAND = 0, 9, 0x7F


class Lock(Struct):
    pid: Pid
    address: u64


class Wait(Struct):
    address: u64
    since: Timestamp


class Waits(Struct):
    count: u64
    total: Duration
    shortest: Duration
    longest: Duration


class Locks(Program):
    """How often and how long each lock was waited for."""

    waiting = Hash(key=Tid, value=Wait)
    locks = Hash(key=Lock, value=Waits)

    @tracepoint("syscalls:sys_enter_futex")
    def on_enter(self, ctx):
        if ctx.op & COMMAND in (FUTEX_WAIT, FUTEX_WAIT_BITSET):
            self.waiting[bpf.tid()] = Wait(address=ctx.uaddr, since=bpf.now())

    @tracepoint("syscalls:sys_exit_futex")
    def on_exit(self, ctx):
        wait = self.waiting.get(bpf.tid())
        if wait is None:
            return
        took = bpf.now() - wait.since
        waits = self.locks.get_or_create(Lock(pid=bpf.pid(), address=wait.address))
        if waits is not None:
            waits.count += 1
            waits.total += took
            waits.longest = max(waits.longest, took)
            waits.shortest = min(waits.shortest or took, took)
        del self.waiting[bpf.tid()]


if __name__ == "__main__":
    import time

    with Locks() as probe:
        time.sleep(10)
        for lock, waits in sorted(probe.locks.items(), key=lambda entry: -entry[1].total)[:20]:
            print(f"{lock.pid:<8} {lock.address:#x} {waits.count} waits, {waits.total // 1000} us")
