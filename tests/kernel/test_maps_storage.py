"""Storage of tasks, files, sockets and cgroups on the running kernel."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from beespace.btf import BtfBuilder
from beespace.errors import KernelError, UsageError
from beespace.isa.constants import MapFlag, MapType
from beespace.kernel import load
from beespace.kernel.create import create_map
from beespace.kernel.maps import AttachedCgroup, container
from beespace.kernel.object_types import load_types
from beespace.spec import MapSpec, ObjectSpec
from beespace.syscall.process import possible_cpus

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("no_leaks")]

Compile = Callable[..., ObjectSpec]
SINCE = {
    MapType.SK_STORAGE: "5.2", MapType.INODE_STORAGE: "5.10", MapType.TASK_STORAGE: "5.11", MapType.CGRP_STORAGE: "6.2",
}  # fmt: skip


@contextmanager
def made(kind: MapType) -> Iterator[Any]:
    """Storage of one int; a type that this kernel does not have skips the test."""
    builder = BtfBuilder()
    number = builder.int("int", 4, signed=True)
    types = load_types(builder.bytes())
    assert types.descriptor is not None
    spec = MapSpec("test", kind, 4, 4, 0, MapFlag.NO_PREALLOC, key_type=number, value_type=number)
    with types.descriptor:
        try:
            raw = create_map(spec, types=types)
        except KernelError as error:
            if error.errno == errno.EINVAL:
                pytest.skip(f"this kernel has no maps of type {kind.name} (Linux {SINCE[kind]})")
            raise
    with container(raw) as typed:
        yield typed


def used(storage: Any, owner: Any, other: Any) -> None:
    """What all storage does, with something and another thing of its kind."""
    assert owner not in storage and storage.get(owner) is None
    for missing in (lambda: storage[owner], lambda: storage.pop(owner), lambda: storage.__delitem__(owner)):
        with pytest.raises(KeyError):
            missing()
    assert not storage.replace(owner, 1)
    storage[owner] = 5
    assert (storage[owner], owner in storage, other in storage) == (5, True, False)
    assert (storage.add(owner, 6), storage.replace(owner, 7), storage.add(other, 8)) == (False, True, True)
    assert (storage.pop(owner), storage.pop(owner, None), storage[other]) == (7, None, 8)
    del storage[other]
    assert other not in storage
    with pytest.raises(UsageError, match="map 'test' belongs to"):
        storage[1.5]


class Numbered:
    def __init__(self, number: int) -> None:
        self.number = number

    def fileno(self) -> int:
        return self.number


def test_a_task_is_its_pid_or_an_open_pidfd() -> None:
    with made(MapType.TASK_STORAGE) as storage:
        pidfd = os.pidfd_open(os.getppid())
        try:
            used(storage, os.getpid(), Numbered(pidfd))
        finally:
            os.close(pidfd)
        with pytest.raises(UsageError, match="there is no process 4194303"):
            storage[4194303]


def test_a_file_is_its_path_or_open(tmp_path: Path) -> None:
    file, other = tmp_path / "file", tmp_path / "other"
    file.write_text("")
    other.write_text("")
    with made(MapType.INODE_STORAGE) as storage:
        with other.open() as opened:
            used(storage, file, opened)
            used(storage, str(file), opened.fileno())
        with pytest.raises(UsageError, match="cannot open"):
            storage[tmp_path / "none"]


def test_a_socket_is_itself() -> None:
    with made(MapType.SK_STORAGE) as storage, socket.socket() as one, socket.socket() as two:
        used(storage, one, two.fileno())
        with pytest.raises(UsageError, match="a socket"):
            storage["1.2.3.4"]


def test_a_cgroup_is_its_directory(cgroup: Path) -> None:
    inner = cgroup / "inner"
    inner.mkdir()
    try:
        with made(MapType.CGRP_STORAGE) as storage:
            used(storage, cgroup, str(inner))
    finally:
        inner.rmdir()


ATTACHED = r"""
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
struct count { __u64 packets; };
struct { __uint(type, BPF_MAP_TYPE_CGROUP_STORAGE);
         __type(key, struct bpf_cgroup_storage_key); __type(value, struct count); } each SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_CGROUP_STORAGE);
         __type(key, __u64); __type(value, struct count); } shared SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE);
         __type(key, struct bpf_cgroup_storage_key); __type(value, struct count); } cpus SEC(".maps");
SEC("cgroup_skb/egress") int count(struct __sk_buff *skb)
{
    struct count *one = bpf_get_local_storage(&each, 0);
    one->packets++;
    return 1;
}
SEC("cgroup_skb/ingress") int count_shared(struct __sk_buff *skb)
{
    struct count *one = bpf_get_local_storage(&shared, 0);
    one->packets++;
    return 1;
}
SEC("cgroup/sock_create") int count_cpus(struct bpf_sock *sk)
{
    struct count *one = bpf_get_local_storage(&cpus, 0);
    one->packets++;
    return 1;
}
char LICENSE[] SEC("license") = "GPL";
"""
EGRESS, CREATE = 1, 2  # enum bpf_attach_type


def test_storage_of_attached_programs(compile_c: Compile, cgroup: Path) -> None:
    number = cgroup.stat().st_ino
    with load(compile_c(ATTACHED)) as loaded:
        each, shared, cpus = (loaded.maps[name] for name in ("each", "shared", "cpus"))
        assert dict(each) == {} and len(shared) == 0
        for name in loaded.programs:
            loaded.attach(name, cgroup=cgroup)
        key = AttachedCgroup(number, EGRESS)
        assert list(each) == [key] and list(shared) == [number] and list(cpus) == [(number, CREATE)]
        each[key] = {"packets": 5}
        shared[number] = (6,)
        cpus[number, CREATE] = ({"packets": 1},) * len(possible_cpus())
        assert each[key].packets == 5 and dict(shared.items())[number].packets == 6
        assert [value.packets for value in cpus[number, CREATE]] == [1] * len(possible_cpus())
        for missing in ((1, EGRESS), (number, 99)):
            with pytest.raises(KeyError):
                each[missing]
            with pytest.raises(KeyError):
                each[missing] = (1,)
        with pytest.raises(UsageError, match="is no"):
            each["x"]
