"""Tracing: how long the system calls of one process take, by powers of two; the start of each in task storage."""

from __future__ import annotations

from beespace.lang import Histogram, Program, Struct, TaskStorage, bpf, btf_tracepoint
from beespace.types import Pid, Timestamp


class Call(Struct):
    started: Timestamp


class Twin(Program):
    only: Pid = 0
    open = TaskStorage(Call)
    latency = Histogram(unit="ns")

    @btf_tracepoint("sys_enter")
    def run(self, regs, id):
        if bpf.pid() != self.only:
            return
        call = self.open.get_or_create(bpf.task())
        if call is not None:
            call.started = bpf.now()

    @btf_tracepoint("sys_exit")
    def done(self, regs, ret):
        if bpf.pid() != self.only:
            return
        call = self.open.get(bpf.task())
        if call is None or call.started == 0:
            return
        self.latency.add(bpf.now() - call.started)
        call.started = 0
