"""Iterators that begin somewhere: one process, one thread, one map, a tree of cgroups; and what the kernel says."""

from __future__ import annotations

import os
import struct
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from beespace.errors import RelocationError, UsageError
from beespace.kernel import IteratorLink, LoadedObject, load
from beespace.kernel.links.info import IteratorInfo
from beespace.spec import ObjectSpec
from beespace.syscall import mounts

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("no_leaks")]

Compile = Callable[[str], ObjectSpec]

SOURCE = r"""
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
char LICENSE[] SEC("license") = "GPL";
#define __relocated __attribute__((preserve_access_index))
struct seq_file;
struct task_struct { int pid; int tgid; } __relocated;
struct kernfs_node { __u64 id; } __relocated;
struct cgroup { struct kernfs_node *kn; } __relocated;
struct bpf_iter_meta { struct seq_file *seq; } __relocated;
struct bpf_iter__task { struct bpf_iter_meta *meta; struct task_struct *task; } __relocated;
struct bpf_iter__cgroup { struct bpf_iter_meta *meta; struct cgroup *cgroup; } __relocated;
struct bpf_iter__bpf_map_elem { struct bpf_iter_meta *meta; void *map; void *key; void *value; } __relocated;

struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 8); __type(key, __u32); __type(value, __u64); }
    numbers SEC(".maps");

SEC("iter/task") int tasks(struct bpf_iter__task *ctx)
{
    struct task_struct *task = ctx->task;
    if (!task)
        return 0;
    __u32 record[2] = { task->tgid, task->pid };
    bpf_seq_write(ctx->meta->seq, record, sizeof(record));
    return 0;
}
SEC("iter/cgroup") int cgroups(struct bpf_iter__cgroup *ctx)
{
    struct cgroup *cgroup = ctx->cgroup;
    if (!cgroup)
        return 0;
    __u64 id = cgroup->kn->id;
    bpf_seq_write(ctx->meta->seq, &id, sizeof(id));
    return 0;
}
SEC("iter/bpf_map_elem") int elements(struct bpf_iter__bpf_map_elem *ctx)
{
    __u32 *key = ctx->key;
    __u64 *value = ctx->value;
    if (!key || !value)
        return 0;
    __u64 record[2] = { *key, *value };
    bpf_seq_write(ctx->meta->seq, record, sizeof(record));
    return 0;
}
"""


def opened(spec: ObjectSpec, *programs: str) -> LoadedObject:
    """The object; skips where the kernel has none of the iterators."""
    try:
        return load(spec, programs=programs)
    except RelocationError as error:
        pytest.skip(error.message)


def walk(loaded: LoadedObject, name: str, format: str, **where: object) -> list[tuple[int, ...]]:
    """What one walk gives; the iterator is closed again."""
    (link,) = loaded.attach(name, **where)
    assert isinstance(link, IteratorLink)
    try:
        return list(struct.iter_unpack(format, link.read()))
    finally:
        link.close()


def test_one_thread(compile_c: Compile) -> None:
    release = threading.Event()
    thread = threading.Thread(target=release.wait)
    thread.start()
    try:
        with load(compile_c(SOURCE), programs=["tasks"]) as loaded:
            tid = thread.native_id
            assert walk(loaded, "tasks", "=2I", tid=tid) == [(os.getpid(), tid)]
            threads = {int(entry.name) for entry in Path("/proc/self/task").iterdir()}  # libraries have some, too
            assert {tid for _, tid in walk(loaded, "tasks", "=2I", pid=os.getpid())} == threads
            (link,) = loaded.attach(pid=os.getpid())
            info = link.info
            assert isinstance(info, IteratorInfo)
            assert (info.target_name, info.pid) == ("task", os.getpid())
    finally:
        release.set()
        thread.join()


def test_the_entries_of_one_map(compile_c: Compile) -> None:
    with load(compile_c(SOURCE), programs=["elements"]) as loaded:
        numbers = loaded.maps["numbers"].raw
        for number in range(5):
            numbers.update(struct.pack("=I", number), struct.pack("=Q", number * number))
        assert sorted(walk(loaded, "elements", "=2Q", map=numbers)) == [(n, n * n) for n in range(5)]
        with pytest.raises(UsageError, match=r"over bpf_map_elem walks one map\n.*attach\(map="):
            loaded.attach("elements")


def ids(path: Path) -> set[int]:
    """The numbers of a cgroup and those below it."""
    return {Path(folder).stat().st_ino for folder, _, _ in os.walk(path)}


def test_a_tree_of_cgroups(compile_c: Compile, cgroup: Path) -> None:
    inner = cgroup / "inner"
    deep = inner / "deep"
    deep.mkdir(parents=True)
    try:
        outer, middle, low = (path.stat().st_ino for path in (cgroup, inner, deep))
        with opened(compile_c(SOURCE), "cgroups") as loaded:

            def order(name: str, start: Path = cgroup) -> list[int]:
                return [number for (number,) in walk(loaded, "cgroups", "=Q", cgroup=start, order=name)]

            assert order("self") == [outer]
            assert order("descendants_pre") == [outer, middle, low]
            assert order("descendants_post") == [low, middle, outer]
            assert order("ancestors", deep)[:3] == [low, middle, outer]
            assert [number for (number,) in walk(loaded, "cgroups", "=Q", cgroup=inner)] == [middle, low]
            everything = {number for (number,) in walk(loaded, "cgroups", "=Q")}
            with mounts.cgroup2_root() as root:
                here = ids(Path(f"/proc/self/fd/{root.fileno()}/"))
            assert {outer, middle, low} <= everything & here
    finally:
        deep.rmdir()
        inner.rmdir()


def test_the_children_of_a_cgroup(compile_c: Compile, cgroup: Path) -> None:
    inner = cgroup / "inner"
    inner.mkdir()
    try:
        with opened(compile_c(SOURCE), "cgroups") as loaded:
            found = walk(loaded, "cgroups", "=Q", cgroup=cgroup, order="children")
            assert found == [(inner.stat().st_ino,)]
    finally:
        inner.rmdir()


def test_pinned_it_is_a_file(compile_c: Compile) -> None:
    """``cat`` of the name walks, too."""
    with load(compile_c(SOURCE), programs=["tasks"]) as loaded, mounts.bpffs() as folder:
        path = f"/proc/{os.getpid()}/fd/{folder.fileno()}/tasks-{os.getpid()}"
        (link,) = loaded.attach()
        link.pin(path)
        try:
            text = subprocess.run(["cat", path], capture_output=True, check=True).stdout
            assert (os.getpid(), os.getpid()) in set(struct.iter_unpack("=2I", text))
        finally:
            link.unpin()


@pytest.mark.parametrize(
    ("name", "where", "message"),
    [
        ("cgroups", {"pid": 1}, "over cgroup cannot be for one process"),
        ("tasks", {"order": "self"}, "over task walks no cgroups"),
        ("cgroups", {"order": "sideways"}, r"'sideways' is no order of cgroups\n.*descendants_pre"),
        ("tasks", {"pid": 1, "tid": 1}, "exclude each other"),
    ],
)
def test_errors(compile_c: Compile, name: str, where: dict[str, object], message: str) -> None:
    with opened(compile_c(SOURCE), "tasks", "cgroups") as loaded:
        with pytest.raises(UsageError, match=message):
            loaded.programs[name].attach(**where)
        with pytest.raises(UsageError, match="over task walks no map"):
            loaded.programs["tasks"].attach(map=loaded.maps["numbers"].raw)
