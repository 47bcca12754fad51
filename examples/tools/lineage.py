"""What started a program: the chain of its ancestors, also of those that are gone, followed by pointers (an arena)."""

from __future__ import annotations

import sys
import time

from beespace import Program, bpf
from beespace.lang import Arena, Struct, btf_tracepoint
from beespace.types import Pid, Text, Timestamp, array, text, u32

PLACES = 65_536


class Process(Struct):
    parent: Process | None
    time: Timestamp
    pid: Pid
    name: Text = text(16)


class Family(Struct):
    latest: list[Process | None] = array(Process | None, PLACES)  # by process id


class Lineage(Program):
    """Keeps every program that is executed, and what executed it; each process writes in its own place alone."""

    family = Arena(Family, pool="4 MiB")

    @btf_tracepoint("sched_process_exec")
    def on_exec(self, task):
        process = self.family.new(Process)
        if process is None:
            return  # counted: probe.family.lost
        latest = self.family.value.latest
        process.time = bpf.now()
        process.pid = bpf.pid()
        process.name = task.comm
        process.parent = latest[u32(task.real_parent.tgid) % PLACES]
        latest[bpf.pid() % PLACES] = process

    def ancestors(self, pid: int) -> list[str]:
        """The names of a process and of what it comes from, as far as this program saw them begin."""
        names = []
        process = self.family.value.latest[pid % PLACES]
        while process is not None:
            names.append(process.name)
            process = process.parent
        return names


if __name__ == "__main__":
    with Lineage() as probe:
        time.sleep(float(sys.argv[1]) if len(sys.argv) > 1 else 10)
        for process in probe.family.value.latest:
            if process is not None:
                print(process.pid, " < ".join(probe.ancestors(process.pid)))
