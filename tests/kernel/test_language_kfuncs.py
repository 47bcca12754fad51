"""Kernel functions (kfuncs) by their names, on this kernel."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from beespace.btf import Kind
from beespace.errors import CompileError
from beespace.kernel import vmlinux_btf
from beespace.lang import Array, Event, Global, Program, Ring, bpf, exists, syscall
from beespace.types import Text, i32, i64, text, u32, u64

pytestmark = pytest.mark.kernel


class Found(Event):
    pid: u32
    parent: u32
    cgroup: u64
    level: i32
    under: i64
    name: Text = text(16)


class Kernel(Program):
    """Tasks and cgroups that the kernel counts references to."""

    pid: i32 = 0
    found = Ring(Found)
    absent = Global(u64)
    entries = Array(u64, 4)
    elements = Global(i64)

    @syscall
    def look(self, ctx):
        with bpf.task_from_pid(self.pid) as task:
            if task is None:
                self.absent.value += 1
                return 0
            with bpf.cgroup_from_id(bpf.cgroup_id()) as cgroup:
                if cgroup is None:
                    self.absent.value += 100
                    return 0
                self.found.emit(
                    Found(
                        pid=u32(task.pid),
                        parent=u32(task.real_parent.tgid),
                        cgroup=cgroup.kn.id,
                        level=cgroup.level,
                        under=bpf.task_under_cgroup(task, cgroup),
                        name=task.comm,
                    )
                )
        return 0

    @syscall
    def count(self, ctx):
        self.elements.value = bpf.map_sum_elem_count(self.entries)


class Texts(Program):
    """The kernel's own functions of texts."""

    length = Global(i32)
    at = Global(i32)
    same = Global(i32)
    other = Global(i32)

    @syscall
    def look(self, ctx):
        name = text(16)
        name = bpf.task().comm
        self.length.value = bpf.strlen(name)
        self.at.value = bpf.strstr("beespace is wide", "space")
        self.same.value = bpf.strcmp(name, name)
        self.other.value = bpf.strchr("abc", 99)


def listed(name: str) -> None:
    """Skip where the kernel has no such function."""
    from beespace.kernel.features import kfunc

    if not kfunc(name).available:
        pytest.skip(f"no {name}() on this kernel")


def test_references_are_taken_and_given_back(no_leaks: None) -> None:
    listed("bpf_task_from_pid")
    with Kernel(pid=os.getpid()).load() as probe:
        for _ in range(2):
            probe.test_run("look")
        seen = list(probe.found.available())
        assert len(seen) == 2 and probe.absent.value == 0
        assert (seen[0].pid, seen[0].parent) == (os.getpid(), os.getppid())
        assert seen[0].name == Path("/proc/self/comm").read_text().strip()
        assert seen[0].under == 1 and seen[0].cgroup > 0
        path = Path("/proc/self/cgroup").read_text().splitlines()[-1].partition("::")[2]
        assert seen[0].level == len([part for part in path.split("/") if part])


def test_what_is_not_there_is_none(no_leaks: None) -> None:
    listed("bpf_task_from_pid")
    with Kernel(pid=2**22 + 1).load() as probe:
        probe.test_run("look")
        assert probe.absent.value == 1
        assert list(probe.found.available()) == []


def test_texts(no_leaks: None) -> None:
    listed("bpf_strlen")
    with Texts().load() as probe:
        probe.test_run("look")
        name = Path("/proc/self/comm").read_text().strip()
        assert (probe.length.value, probe.at.value, probe.same.value, probe.other.value) == (len(name), 3, 0, 2)


class Optional(Program):
    pid: i32 = 0
    there = Global(u64)
    asked = Global(u64)

    @syscall
    def look(self, ctx):
        self.asked.value = 1
        if exists(bpf.task_from_pid):
            with bpf.task_from_pid(self.pid) as task:
                if task is not None:
                    self.there.value = u64(task.pid)
        if exists(bpf.no_kernel_has_this):
            self.there.value = 1000


def test_one_that_may_be_missing(no_leaks: None) -> None:
    from beespace.kernel.features import kfunc

    with Optional(pid=os.getpid()).load() as probe:
        probe.test_run("look")
        there = os.getpid() if kfunc("bpf_task_from_pid").available else 0
        assert (probe.asked.value, probe.there.value) == (1, there)


class Mistakes(Program):
    entries = Array(u64, 4)

    @syscall
    def misuse(self, ctx):
        bpf.task_release(bpf.task())
        self.entries[0] = bpf.task_from_pid(1)
        bpf.strlen(self.entries)
        bpf.cgroup_from_id()
        bpf.cgroup_from_id("root")
        bpf.dynptr_size(ctx)
        bpf.rcu_read_lock()
        bpf.bpf_task_from_pid(1)
        bpf.task_from_pidd(1)


def test_what_is_refused() -> None:
    listed("bpf_task_from_pid")
    with pytest.raises(CompileError) as caught:
        Mistakes.build("/dev/null")
    found = [type(diagnostic).__name__ for diagnostic in caught.value.diagnostics]
    strlen = "TypeMismatch" if vmlinux_btf().find_all("bpf_strlen", Kind.FUNC) else "NoWord"
    assert found == [
        "OtherSpelling", "OnlyInWith", strlen, "ArgumentCount", "TypeMismatch", "NotMemory",
        "OtherSpelling", "NoWord", "NoWord",
    ]  # fmt: skip
    message = str(caught.value)
    assert "what a `with` took is given back at the end of its block" in message
    assert "bpf.task_from_pid()" in message
    assert "did you mean task_from_pid" in message
