"""Pointers that map values keep: a task stays readable after it has ended."""

from __future__ import annotations

import subprocess
import sys

import pytest

from beespace.kernel import task_struct
from beespace.lang import Array, Global, Hash, Program, bpf, tc
from beespace.schema import Struct
from beespace.types import Kptr, kptr, text, u32, u64

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
