"""Stacks in the machine: the kernel's frames, given to it, have the kernel's numbers."""

from __future__ import annotations

import os

import pytest

from beespace.lang import Array, Program, StackTraces, bpf, tracepoint
from beespace.types import i64, u32

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("own_cache")]


class Stacks(Program):
    process: u32 = 0
    stacks = StackTraces(64, depth=16)
    shallow = StackTraces(1, depth=2)  # one place: of two stacks
    numbers = Array(i64, 8)

    @tracepoint("syscalls:sys_enter_getppid")
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
        os.getppid()
        theirs = {number: kernel.numbers[number] for number in range(7)}
        stacks = dict(kernel.stacks.items())
        shallow = dict(kernel.shallow.items())
    inner, outer = stacks[theirs[0]], stacks.get(theirs[2], [])
    inputs = {"pid": os.getpid(), "tgid": os.getpid(), "kernel_stack": inner, "user_stack": outer}
    with Stacks(process=os.getpid()).simulate(**inputs) as machine:
        machine.test_run("on_call", context={})
        if len(inner) < 16:  # else the kernel knows one more than it told
            assert machine.numbers[1] == theirs[1]
            assert dict(machine.stacks.items()) == stacks
        assert {number: machine.numbers[number] for number in (0, 2, 3, 4, 5, 6)} == {
            number: theirs[number] for number in (0, 2, 3, 4, 5, 6)
        }
        assert dict(machine.shallow.items()) == shallow
        assert theirs[3] == -14  # EFAULT: so deep is none
        assert theirs[5] == (-17 if outer else -14)  # EEXIST: the place is taken


def test_where_there_is_no_stack() -> None:
    with Stacks(process=7).simulate(pid=7, tgid=7) as machine:
        machine.test_run("on_call", context={})
        assert machine.numbers[0] == machine.numbers[2] == -14  # EFAULT
        assert list(machine.stacks) == []
