"""Simulated programs of tracepoints: records, arguments and kernel objects that the test makes up."""

from __future__ import annotations

import struct

import pytest

from beespace.errors import ProgramFault, UsageError
from beespace.lang import Array, Event, Program, Ring, bpf, btf_tracepoint, raw_tracepoint, tracepoint
from beespace.types import Text, text, u32, u64

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("own_cache")]


class Seen(Event):
    pid: u32
    parent: u32
    name: Text = text(32)


class Tracing(Program):
    seen = Ring(Seen, size="64 KiB")
    words = Array(u64, 4)

    @tracepoint("sched:sched_process_exec")
    def on_exec(self, ctx):
        self.seen.emit(Seen(pid=u32(ctx.pid), parent=bpf.pid(), name=ctx.filename))

    @tracepoint("syscalls:sys_enter_openat")
    def on_open(self, ctx):
        self.seen.emit(Seen(pid=u32(ctx.flags), parent=u32(ctx.mode), name=bpf.user_text(ctx.filename)))

    @btf_tracepoint("sched_process_exit")
    def on_exit(self, task):
        self.seen.emit(Seen(pid=u32(task.tgid), parent=u32(task.real_parent.tgid), name=task.comm))

    @tracepoint("sched:sched_process_exit")
    def on_current(self, ctx):
        task = bpf.task()
        self.seen.emit(Seen(pid=u32(task.tgid), parent=u32(task.real_parent.tgid), name=task.comm))

    @raw_tracepoint("sys_enter")
    def on_call(self, registers, number):
        self.words[0] = u64(number)


def seen(probe: Program) -> list[tuple[int, int, str]]:
    return [(each.pid, each.parent, each.name) for each in probe.seen.available()]


def test_a_record_with_a_text() -> None:
    with Tracing().simulate(tgid=42) as probe:
        probe.test_run("on_exec", context={"pid": 3, "filename": "/bin/sh"})
        probe.test_run("on_exec", context={"filename": "/usr/bin/a name that is too long for the event"})
        assert seen(probe) == [(3, 42, "/bin/sh"), (0, 42, "/usr/bin/a name that is too lon")]


def test_a_system_call() -> None:
    with Tracing().simulate() as probe:
        probe.test_run("on_open", context={"dfd": 3, "filename": "/etc/hosts", "flags": 5, "mode": 0o644})
        assert seen(probe) == [(5, 0o644, "/etc/hosts")]


def test_kernel_objects() -> None:
    task = {"tgid": 7, "comm": "nginx", "real_parent": {"tgid": 1}}
    with Tracing().simulate() as probe:
        probe.test_run("on_exit", context=[task])
        assert seen(probe) == [(7, 1, "nginx")]
        probe.test_run("on_exit", context={"p": task | {"tgid": 8}})
        assert seen(probe) == [(8, 1, "nginx")]
        with pytest.raises(ProgramFault, match="where there is nothing"):  # it has no parent
            probe.test_run("on_exit", context=[{"tgid": 7}])


def test_the_current_task() -> None:
    with Tracing().simulate(tgid=9, comm="cron", task={"real_parent": {"tgid": 2}}) as probe:
        probe.test_run("on_current", context={})
        assert seen(probe) == [(9, 2, "cron")]
    with Tracing().simulate() as probe, pytest.raises(ProgramFault, match="nobody has made one"):
        probe.test_run("on_current", context={})


def test_the_kernel_says_the_same_of_numbers() -> None:
    with Tracing().simulate() as ours, Tracing().load() as theirs:
        for probe in (ours, theirs):
            probe.test_run("on_call", context=[0, 257])
            assert probe.words[0] == 257


@pytest.mark.parametrize(
    ("method", "context", "says"),
    [
        ("on_exec", {"pdi": 3}, "has no field 'pdi'"),
        ("on_exit", {"takss": {}}, "has no argument 'takss'"),
        ("on_exec", [1], "give them by name"),
    ],
)
def test_what_there_is_not(method: str, context: object, says: str) -> None:
    with Tracing().simulate() as probe, pytest.raises(UsageError, match=says):
        probe.test_run(method, context=context)


def test_a_context_of_bytes() -> None:
    with Tracing().simulate() as probe:
        probe.test_run("on_call", context=struct.pack("<2Q", 0, 99))
        assert probe.words[0] == 99
