"""Where tasks wait: the time off the CPU by stack (as offcputime)."""

import time

from beespace import Hash, Program, Struct, bpf, btf_tracepoint
from beespace.lang import StackTraces
from beespace.types import Pid, Text, Tid, i64, text, u32, u64


class Place(Struct):
    pid: Pid
    comm: Text = text(16)
    kernel: i64  # a stack of self.stacks, or a negative error number
    user: i64


class Left(Struct):
    time: u64
    place: Place


class OffCpu(Program):
    """Sums the nanoseconds that tasks were off the CPU."""

    pid: u32 = 0  # of this process alone
    stacks = StackTraces(16_384)
    left = Hash(key=Tid, value=Left, max_entries=65_536)
    times = Hash(key=Place, value=u64)

    @btf_tracepoint("sched_switch")
    def on_switch(self, ctx):
        now = bpf.now()
        previous = ctx.prev
        if previous.pid != 0 and (self.pid == 0 or u32(previous.tgid) == self.pid):
            place = Place(
                pid=u32(previous.tgid),
                comm=previous.comm,
                kernel=self.stacks.id(ctx),
                user=self.stacks.id(ctx, user=True),
            )
            self.left[u32(previous.pid)] = Left(time=now, place=place)
        left = self.left.get(u32(ctx.next.pid))
        if left is not None:
            self.times[left.place] += now - left.time
            del self.left[u32(ctx.next.pid)]


if __name__ == "__main__":
    with OffCpu() as probe:
        time.sleep(5)
        for place, nanoseconds in sorted(probe.times.items(), key=lambda item: -item[1])[:10]:
            print(f"{place.comm} ({place.pid}): {nanoseconds / 1e6:.1f} ms")
            for frame in probe.stacks[place.kernel] if place.kernel >= 0 else []:
                print("   ", frame)
