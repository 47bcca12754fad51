"""Tail calls and stacks of the language."""

from __future__ import annotations

import os

import pytest

from beespace.errors import UsageError
from beespace.lang import (
    Array,
    Counter,
    Hash,
    Program,
    ProgramArray,
    StackTraces,
    bpf,
    raw_tracepoint,
    tail_call,
    tracepoint,
)
from beespace.types import Pid, i64, u32, u64

pytestmark = pytest.mark.kernel

hook = raw_tracepoint("sched_process_exit")


class Jumps(Program):
    which = Array(u32, 1)
    trace = Array(u64, 4)
    calls = ProgramArray(8, {0: "on_a", 1: "on_b"})

    @hook
    def enter(self, ctx):
        self.trace[0] += 1
        self.calls.jump(ctx, self.which[0])
        self.trace[1] += 1

    @tail_call
    @hook
    def on_a(self, ctx):
        self.trace[2] += 1

    @tail_call
    @hook
    def on_b(self, ctx):
        self.trace[3] += 10
        self.calls.jump(ctx, 0)


@pytest.fixture
def jumps(loaded_probe):
    probe = loaded_probe(Jumps)

    def run(which: int) -> list[int]:
        probe.which[0] = which
        for slot in range(4):
            probe.trace[slot] = 0
        probe.loaded.programs["enter"].test_run(ctx_in=bytes(32))
        return [probe.trace[slot] for slot in range(4)]

    run.probe = probe
    return run


def test_a_jump_does_not_come_back(jumps) -> None:
    assert jumps(0) == [1, 0, 1, 0]
    assert jumps(1) == [1, 0, 1, 10]


def test_an_empty_place_is_fallen_through(jumps) -> None:
    assert jumps(5) == [1, 1, 0, 0]
    assert jumps(99) == [1, 1, 0, 0]


def test_places_are_changed_outside(jumps) -> None:
    calls = jumps.probe.calls
    programs = jumps.probe.loaded.programs
    assert dict(calls.items()) == {0: programs["on_a"].info().id, 1: programs["on_b"].info().id}
    calls[5] = programs["on_a"]
    assert jumps(5) == [1, 0, 1, 0]
    calls[5] = "on_b"
    assert jumps(5) == [1, 0, 1, 10]
    with pytest.raises(UsageError, match="on_a"):
        calls[5] = "on_c"
    del calls[5]
    assert jumps(5) == [1, 1, 0, 0]


class Calls(Program):
    """What is jumped to is not attached by itself."""

    pid: u32 = 0
    entered = Counter()
    read = Counter()
    other = Counter()
    calls = ProgramArray(512, {0: "on_read"})

    @tracepoint("raw_syscalls:sys_enter")
    def enter(self, ctx):
        if bpf.pid() != self.pid:
            return
        self.entered += 1
        self.calls.jump(ctx, u32(ctx.id))
        self.other += 1

    @tail_call
    @tracepoint("raw_syscalls:sys_enter")
    def on_read(self, ctx):
        self.read += 1


def test_only_the_first_is_attached() -> None:
    read, write = os.pipe()
    try:
        os.write(write, bytes(10))
        with Calls(pid=os.getpid()) as probe:
            for _ in range(10):
                os.read(read, 1)
            total, reads, others = probe.entered.value, probe.read.value, probe.other.value
        assert reads >= 10
        assert total <= reads + others <= total + 4, "reading the three is calls, too"
    finally:
        os.close(read)
        os.close(write)


class Stacks(Program):
    pid: u32 = 0
    stacks = StackTraces(1024)
    shallow = StackTraces(64, depth=3)
    counts = Hash(key=i64, value=u64)
    users = Hash(key=i64, value=u64)
    owners = Hash(key=Pid, value=i64)

    @tracepoint("raw_syscalls:sys_enter")
    def enter(self, ctx):
        if bpf.pid() == self.pid:
            self.counts[self.stacks.id(ctx)] += 1
            self.users[self.stacks.id(ctx, user=True)] += 1
            self.owners[bpf.pid()] = self.shallow.id(ctx, skip=0)


def test_stacks_have_names() -> None:
    with Stacks(pid=os.getpid()) as probe:
        os.getppid()
        found = dict(probe.counts.items())
        kernel = max(found, key=found.get)
        assert kernel >= 0
        names = probe.stacks.symbols(kernel)
        assert len(names) == len(probe.stacks[kernel])
        assert any("syscall" in name for name in names), names
        assert all(address >> 63 for address in probe.stacks[kernel])
        user = next(number for number in dict(probe.users.items()) if number >= 0)
        assert probe.stacks[user]
        assert not any(address >> 63 for address in probe.stacks[user])
        assert probe.stacks.symbols(user)[0] == hex(probe.stacks[user][0])
        for _ in range(50):
            os.getppid()
        users = dict(probe.users.items())
        names = [probe.stacks.symbols(number, pid=os.getpid())[0] for number in users if number >= 0]
        assert any("getppid" in name for name in names), names
        with pytest.raises(UsageError):
            probe.stacks.symbols(user, pid=2**22 + 1)
        assert 0 < len(probe.shallow[probe.owners[os.getpid()]]) <= 3
        with pytest.raises(KeyError):
            probe.stacks[-14]
        assert kernel in probe.stacks
        assert kernel in dict(probe.stacks.items())
