"""The context, and what the hook hands in by position, in one method."""

from __future__ import annotations

import os

import pytest

from beespace import Hash, Program, btf_tracepoint
from beespace.lang import StackTraces
from beespace.types import Pid, i64, u32

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("own_cache", "no_leaks")]


class Both(Program):
    stacks = StackTraces(1024)
    left = Hash(key=Pid, value=i64)
    same = Hash(key=Pid, value=u32)

    @btf_tracepoint("sched_switch")
    def on_switch(self, ctx, preempt, previous, following):
        self.left[u32(previous.tgid)] = self.stacks.id(ctx)
        self.same[u32(previous.tgid)] = u32(previous.pid == ctx.prev.pid and following.pid == ctx.next.pid)


def test_the_context_before_the_arguments() -> None:
    with Both() as probe:
        os.sched_yield()
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
        assert probe.left[os.getpid()] >= 0
        assert probe.same[os.getpid()] == 1
        names = list(probe.stacks.symbols(probe.left[os.getpid()]))
        assert any("schedule" in name for name in names), names
