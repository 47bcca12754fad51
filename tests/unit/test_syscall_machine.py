"""Texts of /proc and /sys, clocks, polling, mapped memory."""

from __future__ import annotations

import mmap
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beespace.errors import KernelError
from beespace.syscall import clock, memory, mounts, process
from beespace.syscall.memory import MappedMemory
from beespace.syscall.poll import Poller


@pytest.mark.parametrize(
    ("text", "cpus"),
    [("0", (0,)), ("0-3\n", (0, 1, 2, 3)), ("0-1,8,10-11", (0, 1, 8, 10, 11)), ("\n", ())],
)
def test_cpu_lists(text: str, cpus: tuple[int, ...]) -> None:
    assert process.parse_cpus(text) == cpus


@given(st.sets(st.integers(0, 200)))
def test_any_cpu_list_comes_back(cpus: set[int]) -> None:
    runs: list[list[int]] = []
    for cpu in sorted(cpus):
        if runs and cpu == runs[-1][-1] + 1:
            runs[-1].append(cpu)
        else:
            runs.append([cpu])
    text = ",".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)
    assert process.parse_cpus(text) == tuple(sorted(cpus))


def test_capability_masks() -> None:
    assert process.capability_names(0) == frozenset()
    assert process.capability_names(1 << 39 | 1 << 38 | 1 << 12) == {"CAP_BPF", "CAP_PERFMON", "CAP_NET_ADMIN"}
    assert process.capability_names(1 << 63 | 1) == {"CAP_CHOWN"}


@pytest.mark.parametrize(
    ("text", "initial"),
    [("         0          0 4294967295\n", True), ("0 100000 65536\n", False), ("0 0 4294967295\n1 1 1\n", False)],
)
def test_user_namespaces(text: str, initial: bool) -> None:
    assert process.covers_all_users(text) is initial


def test_sysctls() -> None:
    assert process.sysctl("kernel.pid_max") == int(Path("/proc/sys/kernel/pid_max").read_text())
    assert process.sysctl("kernel.ostype") is None
    assert process.sysctl("kernel.no_such_thing") is None


def test_usage_grows_with_work() -> None:
    before = process.usage()
    sum(range(2_000_000))
    after = process.usage()
    assert after.cpu_seconds > before.cpu_seconds
    assert 1 << 20 < after.rss_bytes < 1 << 34


MOUNTINFO = r"""
24 30 0:22 / /proc rw,relatime - proc proc rw
25 30 0:23 / /sys/fs/cgroup/unified rw shared:7 master:2 - cgroup2 cgroup2 rw,nsdelegate
26 30 8:1 /sub\040dir /mnt/with\040space rw - ext4 /dev/sda1 rw
garbage
"""


def test_mountinfo() -> None:
    assert list(mounts.parse_mountinfo(MOUNTINFO)) == [
        mounts.Mount(os.makedev(0, 22), "/", "/proc", "proc"),
        mounts.Mount(os.makedev(0, 23), "/", "/sys/fs/cgroup/unified", "cgroup2"),
        mounts.Mount(os.makedev(8, 1), "/sub dir", "/mnt/with space", "ext4"),
    ]


def test_a_visible_mount_is_found() -> None:
    assert "/proc" in [mount.path for mount in mounts.visible_mounts("proc")]
    assert mounts.visible_mounts("no such file system") == []
    with mounts.root_of("proc") as root:
        assert mounts.read_at(root, "self/comm").strip() == mounts.read_at(root, f"{os.getpid()}/comm").strip()
        assert "stat" in mounts.list_at(root, "self")
        with pytest.raises(KernelError, match=r"cannot open nonsense: No such file.*openat failed with ENOENT"):
            mounts.open_at(root, "nonsense")


def test_boot_time_becomes_wall_time() -> None:
    offset = clock.boottime_offset_ns()
    before = time.time_ns()
    now = clock.boottime_ns() + offset
    after = time.time_ns()
    assert before - 2_000_000 <= now <= after + 2_000_000


def test_ticks() -> None:
    assert clock.ticks_to_ns(clock.ticks_per_second()) == 1_000_000_000


def test_polling_gives_the_keys_of_what_is_ready() -> None:
    reader, writer = os.pipe()
    try:
        with Poller[str]() as poller:
            poller.register(reader, "pipe")
            assert poller.wait(0) == []
            os.write(writer, b"x")
            assert poller.wait(10) == ["pipe"]
            poller.unregister(reader)
            assert poller.wait(0) == []
            poller.wake()
            started = time.monotonic()
            assert poller.wait(10) == []
            assert time.monotonic() - started < 5
            assert poller.wait(0) == []
        poller.close()
    finally:
        os.close(reader)
        os.close(writer)


def test_memory_that_is_still_read_outlives_close() -> None:
    mapped = MappedMemory(mmap.mmap(-1, mmap.PAGESIZE))
    mapped.view[:5] = b"hello"
    reader = mapped.view[:5]
    mapped.close()
    mapped.close()
    assert mapped.closed and len(mapped) == 0
    assert bytes(reader) == b"hello"


def test_memory_is_dead_after_close() -> None:
    mapped = MappedMemory(mmap.mmap(-1, mmap.PAGESIZE))
    view = mapped.view
    mapped.close()
    with pytest.raises(ValueError, match="released"):
        view[0]


def test_what_cannot_be_mapped_says_so() -> None:
    reader, writer = os.pipe()
    try:
        with pytest.raises(KernelError, match="cannot map 4096 bytes of a BPF map into memory"):
            memory.map_memory(reader, 4096, writable=False)
    finally:
        os.close(reader)
        os.close(writer)
