"""System calls by cgroup, with a program of its own for some of them: tail calls."""

import time

from beespace import Hash, Program, bpf
from beespace.lang import ProgramArray, raw_tracepoint, tail_call
from beespace.types import CgroupId, u32, u64


class SystemCallsByCgroup(Program):
    """Counts all system calls, and those of a kind by a program of that kind."""

    calls = Hash(key=CgroupId, value=u64)
    getppid = Hash(key=CgroupId, value=u64)
    others = Hash(key=CgroupId, value=u64)
    handlers = ProgramArray(512, {110: "on_getppid"})

    @raw_tracepoint("sys_enter")
    def on_enter(self, ctx):
        self.calls[bpf.cgroup_id()] += 1
        self.handlers.jump(ctx, u32(u64(ctx.id)))
        self.others[bpf.cgroup_id()] += 1

    @tail_call
    @raw_tracepoint("sys_enter")
    def on_getppid(self, ctx):
        self.getppid[bpf.cgroup_id()] += 1


if __name__ == "__main__":
    with SystemCallsByCgroup() as probe:
        time.sleep(5)
        for cgroup, count in sorted(probe.calls.items(), key=lambda item: -item[1])[:20]:
            print(f"{cgroup:<12} {count:10}")
