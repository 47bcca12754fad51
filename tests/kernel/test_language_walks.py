"""Iterators of the kernel over cgroups, their tasks and memory; storage of inodes; both ends of a function."""

from __future__ import annotations

import ctypes
import mmap
import os
import subprocess
import sys
from pathlib import Path

import pytest
from since import compiled_since

from beespace.lang import Global, Hash, InodeStorage, Program, Struct, bpf, fsession, lsm, syscall, tc
from beespace.types import Pid, u32, u64

pytestmark = pytest.mark.kernel


class Cgroups(Program):
    wanted = Global(u64)
    groups = Hash(key=u64, value=u64)
    pids = Hash(key=Pid, value=u64)

    @syscall
    def walk(self, ctx):
        with bpf.cgroup_from_id(self.wanted.value) as cgroup:
            if cgroup is None:
                return 1
            with bpf.rcu():
                for css in bpf.descendants(cgroup.self):
                    self.groups[css.cgroup.kn.id] += 1
            for task in bpf.tasks_of(cgroup.self):
                self.pids[u32(task.tgid)] += 1
        return 0


def test_cgroups_and_their_tasks(loaded_probe, cgroup: Path) -> None:
    with compiled_since("6.7"):
        probe = loaded_probe(Cgroups)
    inner = cgroup / "inner"
    inner.mkdir()
    try:
        with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
            (cgroup / "cgroup.procs").write_text(str(process.pid))
            probe.wanted.value = cgroup.stat().st_ino
            assert probe.loaded.programs["walk"].test_run().retval == 0
            assert dict(probe.pids.items()) == {process.pid: 1}
            assert dict(probe.groups.items()) == {cgroup.stat().st_ino: 1, inner.stat().st_ino: 1}
            process.communicate(b"\n")
    finally:
        inner.rmdir()


class Areas(Program):
    areas = Hash(key=u64, value=u64)
    low = Global(u64)
    after = Global(u64)

    @tc("ingress")
    def walk(self, ctx):
        for area in bpf.memory_areas(bpf.task(), self.low.value):
            if self.after.value != 0 and area.vm_start >= self.after.value:
                break
            self.areas[area.vm_start] = area.vm_end


def test_memory_areas(loaded_probe, tmp_path: Path) -> None:
    probe = loaded_probe(Areas)
    page = mmap.PAGESIZE
    (tmp_path / "file").write_bytes(bytes(3 * page))
    with (tmp_path / "file").open("r+b") as file, mmap.mmap(file.fileno(), 3 * page) as mapped:
        byte = ctypes.c_char.from_buffer(mapped)
        start = ctypes.addressof(byte)
        probe.loaded.programs["walk"].test_run(data_in=bytes(64))
        found = dict(probe.areas.items())
        assert found[start] == start + 3 * page
        assert len(found) > 10
        for key in found:
            del probe.areas[key]
        probe.low.value, probe.after.value = start, start + 3 * page
        probe.loaded.programs["walk"].test_run(data_in=bytes(64))
        assert dict(probe.areas.items()) == {start: start + 3 * page}
        del byte


class Opened(Struct):
    times: u64
    pid: Pid


class Inodes(Program):
    opened = InodeStorage(Opened)
    me: Pid = 0

    @lsm("file_open")
    def on_open(self, file):
        if bpf.pid() != self.me:
            return 0
        found = self.opened.get_or_create(file.f_inode)
        if found is not None:
            found.times += 1
            found.pid = bpf.pid()
        return 0


def test_inodes_remember(tmp_path: Path, own_cache: None) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    with Inodes(me=os.getpid()) as probe:
        for _ in range(3):
            file.read_text()
        entry = probe.opened[str(file)]  # old kernels see the look itself, which opens the file
        assert entry.times in (3, 4) and entry.pid == os.getpid()
        del probe.opened[str(file)]
        entry = probe.opened.get(str(file))
        assert entry is None or entry.times == 1  # by this look


class BothEnds(Program):
    me: Pid = 0
    calls = Hash(key=u64, value=u64)

    @fsession("vfs_fsync_range")
    def on_sync(self, ctx, file, start, end, datasync, result):
        if bpf.pid() == self.me:
            self.calls[u64(bpf.session_is_return(ctx))] += 1


def test_both_ends_of_a_function(tmp_path: Path, own_cache: None) -> None:
    with compiled_since("7.0"), (tmp_path / "file").open("wb") as file, BothEnds(me=os.getpid()) as probe:
        os.fsync(file.fileno())
        os.fsync(file.fileno())
        assert dict(probe.calls.items()) == {0: 2, 1: 2}
