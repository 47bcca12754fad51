"""Pointers that map values keep: a task stays readable after it has ended."""

from __future__ import annotations

import subprocess
import sys

import pytest
from since import compiled_since

from beespace.kernel import bpf_cpumask, task_struct
from beespace.lang import Array, Global, Hash, Program, bpf, syscall, tc
from beespace.schema import Struct
from beespace.types import Kptr, Text, kptr, text, u32, u64

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("no_leaks")]


class Kept(Struct):
    task: Kptr = kptr(task_struct)
    note: u64


class Keeper(Program):
    wanted = Global(u32)
    kept = Hash(key=u32, value=Kept, max_entries=16)
    slots = Array(Kept, 2)
    names = Hash(key=u32, value=text(16))
    results = Array(u64, 8)

    @tc("egress")
    def keep(self, ctx):
        kept = self.kept.get_or_create(1)
        if kept is None:
            return 1
        for task in bpf.tasks():
            if u32(task.tgid) == self.wanted.value:
                self.results[0] = u64(kept.task.store(task))
        self.results[1] = u64(kept.task.store(bpf.task())) if self.wanted.value == 0 else 9
        return 0

    @tc("egress")
    def look(self, ctx):
        kept = self.kept.get(1)
        if kept is None:
            return 1
        with bpf.rcu():
            task = kept.task.get()
            if task is None:
                return 2
            self.names[u32(task.tgid)] = task.comm
            self.results[2] = u64(task.tgid)
        return 0

    @tc("egress")
    def drop(self, ctx):
        kept = self.kept.get(1)
        if kept is None:
            return 1
        self.results[3] = u64(kept.task.clear())
        self.results[4] = u64(kept.task.clear())
        return 0


def run(probe: Program, name: str) -> int:
    return probe.loaded.programs[name].test_run(data_in=bytes(64)).retval


def test_a_task_is_kept(loaded_probe) -> None:
    probe = loaded_probe(Keeper)
    assert run(probe, "look") == 1
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        probe.wanted.value = other.pid
        assert run(probe, "keep") == 0
        assert probe.results[0] == 1
        assert run(probe, "look") == 0
        assert probe.results[2] == other.pid
        other.communicate(b"\n")
    assert run(probe, "look") == 0  # the object is still there, though the process is not
    assert probe.results[2] == other.pid
    assert list(probe.names) == [other.pid]
    assert run(probe, "drop") == 0
    assert (probe.results[3], probe.results[4]) == (1, 0)
    assert run(probe, "look") == 2
    probe.wanted.value = 0
    for _ in range(3):
        assert run(probe, "keep") == 0
        assert probe.results[1] == 1


class Job(Struct):
    number: u64
    name: Text = text(8)


class Box(Struct):
    job: Kptr = kptr(Job)


class Slot(Struct):
    mask: Kptr = kptr(bpf_cpumask)


class Boxes(Program):
    """Objects of the program's own that map values keep."""

    slots = Array(Box, 1)
    results = Array(u64, 8)

    @tc("egress")
    def put(self, ctx):
        slot = self.slots[0]
        for number in range(2):
            job = bpf.new(Job)
            if job is None:
                return 1
            job.number = u64(number) + 5
            job.name = "a job"
            self.results[number] = u64(slot.job.store(job))
        return 0

    @tc("egress")
    def get(self, ctx):
        slot = self.slots[0]
        job = slot.job.take()
        if job is None:
            return 1
        if job.name == "a job":
            self.results[2] = job.number
        self.results[3] = u64(slot.job.clear())
        slot.job.store(job)
        self.results[4] = u64(slot.job.clear())
        again = slot.job.take()
        return 0 if again is None else 2


class Masks(Program):
    slots = Array(Slot, 1)
    results = Array(u64, 8)

    @syscall
    def masks(self, ctx):
        slot = self.slots[0]
        with bpf.cpumask_create() as mask:
            if mask is None:
                return 1
            bpf.cpumask_set_cpu(3, mask)
            self.results[5] = u64(slot.mask.store(mask))
        return 0


def test_objects_of_our_own_are_kept(loaded_probe) -> None:
    probe = loaded_probe(Boxes)
    assert run(probe, "get") == 1
    assert run(probe, "put") == 0
    assert run(probe, "get") == 0
    assert [probe.results[number] for number in range(5)] == [1, 1, 6, 0, 1]
    assert run(probe, "put") == 0  # the second goes with the map


def test_a_mask_of_cpus_is_kept(loaded_probe) -> None:
    with compiled_since("6.3"):
        probe = loaded_probe(Masks)
    assert probe.loaded.programs["masks"].test_run().retval == 0
    assert probe.results[5] == 1
