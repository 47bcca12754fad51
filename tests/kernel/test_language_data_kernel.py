"""Kernel types by name: casts, views, questions, elements and copies, held against what Python sees of this process."""

from __future__ import annotations

import ctypes
import os
import resource
import socket
import struct
from pathlib import Path

import pytest

from beespace.btf import Kind
from beespace.kernel import (
    bpf_attach_type,
    file,
    mm_struct,
    no_such_type,
    pid_type,
    sockaddr_in,
    task_struct,
    vmlinux_btf,
)
from beespace.lang import (
    Array,
    Global,
    KernelStruct,
    Program,
    Struct,
    bpf,
    exists,
    function,
    offsetof,
    raw_tracepoint,
    sizeof,
)
from beespace.types import Raw, Text, array, be16, i32, raw, text, u8, u16, u32, u64

pytestmark = pytest.mark.kernel

hook = raw_tracepoint("sched_process_exit")


class task_struct___view(KernelStruct):
    tgid: i32
    comm: Text = text(16)
    real_parent: task_struct___view
    mm: mm_struct
    no_such_field: u64


class task_struct___bytes(KernelStruct, name="task_struct"):
    comm: Raw = raw(16)


class no_such_struct(KernelStruct):
    field: u32


class Limit(Struct):
    now: u64
    most: u64


class Sent(Struct):
    number: u32
    name: Text = text(12)
    slots: list[u16] = array(u16, 3)


class Kernel(Program):
    inputs = Array(u64, 4)
    results = Array(u64, 24)
    name = Global(text(16))
    other = Global(raw(16))
    limit = Global(Limit)
    sent = Global(Sent)
    values = Global(array(u16, 3))

    @hook
    def by_name(self, ctx):
        task = bpf.task()
        again = bpf.cast(u64(task), task_struct)
        self.results[0] = u64(again.tgid)
        self.results[1] = self.parent_of(task)
        self.results[2] = self.parent_of(again.real_parent)
        self.results[3] = u64(self.file_of(task.mm.exe_file))
        view = bpf.cast(task, task_struct___view)
        self.results[4] = u64(view.tgid)
        self.results[5] = u64(view.real_parent.real_parent.tgid)
        self.results[6] = u64(view.mm.arg_start)
        self.name.value = view.comm
        self.other.value = bpf.cast(task, task_struct___bytes).comm
        self.results[7] = u64(bpf.container(task.se, task_struct, "se").tgid)
        self.results[8] = u64(bpf.container(task.real_parent, task_struct, "pid") == task.real_parent)
        unknown: task_struct___view = task
        self.results[9] = u64(unknown.tgid)
        self.results[10] = u64(bpf.cast(1, task_struct).tgid)

    @function
    def parent_of(self, task: task_struct) -> u64:
        return u64(task.real_parent.tgid)

    @function
    def file_of(self, found: file | None) -> u64:
        if found is None:
            return 0
        return found.f_inode.i_ino

    @hook
    def questions(self, ctx):
        task = bpf.task()
        if exists(task.tgid) and exists(task_struct, "mm") and exists(task.mm.arg_start):
            self.results[0] = 1
        if exists(task.no_such_field):
            self.results[1] = task.no_such_field + "not even typed"
        else:
            self.results[1] = 2
        if exists(no_such_type) or exists(no_such_struct) or exists(task_struct___view, "no_such_field"):
            self.results[2] = 9
        elif not exists(task_struct.no_such):
            self.results[2] = 3
        if exists(task_struct___view, "no_such_field"):
            self.results[3] = bpf.cast(task, task_struct___view).no_such_field
        self.results[4] = u64(exists(bpf_attach_type, "BPF_CGROUP_INET_EGRESS"))
        self.results[5] = u64(exists(bpf_attach_type.BPF_NO_SUCH))
        self.results[6] = u64(bpf_attach_type.BPF_CGROUP_INET_EGRESS) * 10 + u64(pid_type.PIDTYPE_TGID)
        self.results[7] = sizeof(task_struct)
        self.results[8] = offsetof(task_struct, "mm")
        self.results[9] = offsetof(mm_struct, "arg_start")
        self.results[10] = sizeof(Sent) + 1000 * offsetof(Sent, "slots") + sizeof(u16) + sizeof(text(5))
        self.results[11] = task.no_such if exists(task.no_such) else 7
        self.results[12] = u64(exists(task_struct)) + u64(exists(mm_struct.arg_start))
        present = exists(task.pid)
        if present:
            self.results[13] = 5
        absent = exists(task.no_such)
        if self.inputs[0] == 0:
            absent = True
        if absent:
            self.results[14] = self.flag(absent) * 10 + self.flag(exists(task.no_such))
        both = exists(task.no_such) and task.no_such > 3
        self.results[15] = u64(both) + 2 * u64(not exists(task.no_such) or task.no_such == 1)

    @function
    def flag(self, value: bool) -> u64:
        return 1 if value else 2

    @hook
    def elements(self, ctx):
        task = bpf.task()
        index = u32(self.inputs[0]) % 16
        self.results[0] = task.signal.rlim[index].rlim_cur
        self.results[1] = u64(u8(task.comm[index]))
        descriptor = self.inputs[1]
        self.results[2] = task.files.fdt.fd[descriptor].f_inode.i_ino
        self.results[3] = u64(task.files.fdt.fd[descriptor].f_mode & 3)
        self.results[4] = u64(task.cgroups.subsys[index % 2] == task.cgroups.subsys[1])
        first = task.files.fdt.fd.value
        self.results[5] = first.f_inode.i_ino
        self.results[6] = u64(first == task.files.fdt.fd[0])
        self.limit.value = bpf.read(task.signal.rlim[7], Limit)
        self.results[7] = bpf.read(task.signal.rlim[7], u64)
        self.name.value = bpf.read(task.comm, text(16))
        self.other.value = bpf.read(u64(task) + offsetof(task_struct, "comm"), raw(16))
        self.results[8] = u64(task.sched_class.enqueue_task) >> 63

    @raw_tracepoint("sys_enter")
    def users(self, regs, id):
        address = u64(id)
        copied = bpf.user(address, Sent)
        self.sent.value = copied
        self.results[0] = u64(copied.number + copied.slots[1])
        self.results[1] = u64(bpf.user(address, u32))
        self.values.value = bpf.user(address + 16, array(u16, 3))
        self.results[2] = u64(bpf.user(address, be16))
        self.name.value = bpf.user(address + 4, text(16))
        target = bpf.user(self.inputs[0], sockaddr_in)
        self.results[3] = u64(target.sin_port)
        self.results[4] = u64(target.sin_addr.s_addr)
        self.results[5] = u64(target.sin_family)
        self.results[6] = u64(bpf.user(8, u32))


@pytest.fixture
def run(loaded_probe):
    def start(method: str, *inputs: int, context: bytes = bytes(32)):
        probe = loaded_probe(Kernel)
        for number, value in enumerate(inputs):
            probe.inputs[number] = value
        probe.loaded.programs[method].test_run(ctx_in=context)
        return probe, [probe.results[number] for number in range(24)]

    return start


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def test_types_by_name(run) -> None:
    probe, results = run("by_name")
    parent = os.getppid()
    grandparent = int(_stat(parent)[1])
    assert results[:3] == [os.getpid(), parent, grandparent]
    assert results[3] == Path("/proc/self/exe").stat().st_ino
    assert results[4:6] == [os.getpid(), grandparent]
    assert results[6] == int(_stat(os.getpid())[45])
    name = Path("/proc/self/comm").read_text().strip()
    assert probe.name.value == name
    assert probe.other.value.rstrip(b"\0") == name.encode()
    assert results[7:11] == [os.getpid(), 0, os.getpid(), 0]


def test_questions(run) -> None:
    _, results = run("questions")
    btf = vmlinux_btf()
    task, mm = (btf.find(name, Kind.STRUCT) for name in ("task_struct", "mm_struct"))
    assert results[:6] == [1, 2, 3, 0, 1, 0]
    assert results[6] == 11
    assert results[7:10] == [
        btf.size(task), btf.member(task, "mm").byte_offset, btf.member(mm, "arg_start").byte_offset,
    ]  # fmt: skip
    assert results[10:16] == [24 + 16_000 + 2 + 5, 7, 2, 5, 12, 2]


def test_elements(run) -> None:
    with Path(__file__).open("rb") as opened:
        for index in (3, 7):
            probe, results = run("elements", index, opened.fileno())
            unlimited = resource.RLIM_INFINITY
            limit, most = (
                value if value != unlimited else 2**64 - 1 for value in resource.getrlimit(resource.RLIMIT_NOFILE)
            )
            name = Path("/proc/self/comm").read_text().strip().encode().ljust(16, b"\0")
            if index == 7:
                assert results[0] == limit
            assert results[1] == name[index]
            assert results[2:4] == [os.fstat(opened.fileno()).st_ino, 1]
            assert results[4] == 1  # index % 2
            assert results[5:7] == [os.fstat(0).st_ino, 1]
            assert (probe.limit.value, results[7]) == (Limit(now=limit, most=most), limit)
            assert (probe.name.value, probe.other.value) == (name.rstrip(b"\0").decode(), name)
            assert results[8] == 1


def test_user_memory(run) -> None:
    data = ctypes.create_string_buffer(struct.pack("=I12s3Hxx", 70_000, b"a name", 1, 2, 3))
    where = ctypes.create_string_buffer(
        struct.pack("=H", socket.AF_INET) + struct.pack(">H", 8080) + socket.inet_aton("10.1.2.3") + bytes(8)
    )
    context = struct.pack("=QQ", 0, ctypes.addressof(data)) + bytes(16)
    probe, results = run("users", ctypes.addressof(where), context=context)
    assert probe.sent.value == Sent(number=70_000, name="a name", slots=[1, 2, 3])
    assert results[:3] == [70_002, 70_000, 0x7011]
    assert probe.values.value == [1, 2, 3]
    assert probe.name.value == "a name"
    assert results[3:7] == [8080, 0x0A010203, socket.AF_INET, 0]
