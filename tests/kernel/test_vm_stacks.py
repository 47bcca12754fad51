"""Stacks in the machine: the kernel's frames, given to it, have the kernel's numbers."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from beespace.lang import Array, Program, StackTraces, bpf, tracepoint
from beespace.types import i64, u32

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("own_cache")]


class Stacks(Program):
    process: u32 = 0
    stacks = StackTraces(16384, depth=16)  # so many that no two of them want the same place by accident
    shallow = StackTraces(1, depth=2)  # one place: of two stacks
    numbers = Array(i64, 8)

    @tracepoint("task:task_rename")  # not a system call's: older kernels give its programs the user's registers
    def on_call(self, ctx):
        if bpf.pid() != self.process:
            return
        self.numbers[0] = self.stacks.id(ctx)
        self.numbers[1] = self.stacks.id(ctx, skip=1)
        self.numbers[2] = self.stacks.id(ctx, user=True)
        self.numbers[3] = self.stacks.id(ctx, skip=255)
        self.numbers[4] = self.shallow.id(ctx)
        self.numbers[5] = self.shallow.id(ctx, user=True)
        self.numbers[6] = self.shallow.id(ctx)


def test_numbers_are_those_of_the_kernel() -> None:
    with Stacks(process=os.getpid()) as kernel:
        name = Path("/proc/self/comm")
        name.write_text(name.read_text().rstrip("\n"))
        theirs = {number: kernel.numbers[number] for number in range(7)}
        stacks = dict(kernel.stacks.items())
        shallow = dict(kernel.shallow.items())
    inner, outer = stacks[theirs[0]], stacks.get(theirs[2], [])
    # Code without frame pointers lets the kernel read zeros as callers: they count in the number, and are not told.
    for zeros in range(17 - len(outer)):
        inputs = {"pid": os.getpid(), "tgid": os.getpid(), "kernel_stack": inner, "user_stack": outer + [0] * zeros}
        with Stacks(process=os.getpid()).simulate(**inputs) as machine:
            machine.test_run("on_call", context={})
            mine = {number: machine.numbers[number] for number in range(7)}
            stacks_there, shallow_there = dict(machine.stacks.items()), dict(machine.shallow.items())
        if mine[2] == theirs[2]:
            break
    if len(inner) < 16:  # else the kernel knows one more than it told
        assert mine[1] == theirs[1]
        assert stacks_there == stacks
    assert {**mine, 1: theirs[1]} == theirs
    assert shallow_there == shallow
    assert theirs[3] == -14  # EFAULT: so deep is none
    assert theirs[5] == (-17 if outer else -14)  # EEXIST: the place is taken


def test_where_there_is_no_stack() -> None:
    with Stacks(process=7).simulate(pid=7, tgid=7) as machine:
        machine.test_run("on_call", context={})
        assert machine.numbers[0] == machine.numbers[2] == -14  # EFAULT
        assert list(machine.stacks) == []
