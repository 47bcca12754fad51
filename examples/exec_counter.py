from beespace import Counter, Event, Hash, Program, Ring, tracepoint
from beespace.types import CgroupId, Pid, Text, Timestamp, text, u32, u64
from beespace import bpf                              # the words that only exist inside the kernel


class Exec(Event):
    time: Timestamp
    pid: Pid
    cgroup: CgroupId
    comm: Text = text(16)                             # sized fields are declared by value, so type checkers agree
    path: Text = text(256)


class ExecCounter(Program):
    """Counts every program that the system executes."""

    min_uid: u32 = 0                                  # read-only to the kernel, a keyword argument and a CLI option outside
    total = Counter()                                 # per CPU; += never loses a count
    by_comm = Hash(key=text(16), value=u64, max_entries=10_240)
    execs = Ring(Exec, size="1 MiB")

    @tracepoint("sched:sched_process_exec")
    def on_exec(self, ctx):                           # ctx is typed from BTF: a wrong field is a compile error
        if bpf.uid() < self.min_uid:
            return
        self.total += 1
        self.by_comm[bpf.comm()] += 1                 # insert-or-add, atomic
        self.execs.emit(Exec(                         # built in place in the ring; a full ring is counted, never silent
            time=bpf.now(), pid=bpf.pid(), cgroup=bpf.cgroup_id(),
            comm=bpf.comm(), path=ctx.filename,
        ))


if __name__ == "__main__":
    with ExecCounter() as probe:                      # compile (or take the cached object), relocate, load, attach
        for event in probe.execs:                     # also: async for, and .batches() for Arrow
            print(event.pid, event.path, probe.total.value)
