"""Where the CPUs spend their time: kernel stacks, sampled (as profile)."""

import time

from beespace import Hash, Program, Struct, bpf
from beespace.lang import StackTraces, perf_event
from beespace.types import Pid, Text, i64, text, u64


class Place(Struct):
    pid: Pid
    comm: Text = text(16)
    kernel: i64


class Profile(Program):
    """Counts samples by process and kernel stack."""

    stacks = StackTraces(16_384)
    samples = Hash(key=Place, value=u64)

    @perf_event("cpu-clock", frequency=99)
    def on_sample(self, ctx):
        self.samples[Place(pid=bpf.pid(), comm=bpf.comm(), kernel=self.stacks.id(ctx))] += 1


if __name__ == "__main__":
    with Profile() as probe:
        time.sleep(5)
        for place, count in sorted(probe.samples.items(), key=lambda item: -item[1])[:10]:
            print(f"{count:6} {place.comm} ({place.pid})")
