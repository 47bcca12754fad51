"""Perf event arrays and values of other CPUs."""

from __future__ import annotations

import os
import signal

import pytest
from pace import wait_for

from beespace.lang import (
    Array,
    Event,
    PerCpuArray,
    PerCpuHash,
    PerfCounters,
    PerfEvents,
    Program,
    Struct,
    bpf,
    raw_tracepoint,
    tracepoint,
)
from beespace.types import Pid, Text, text, u32, u64

pytestmark = pytest.mark.kernel

hook = raw_tracepoint("sched_process_exit")


class Call(Event):
    pid: Pid
    number: u64
    name: Text = text(16)


class Calls(Program):
    pid: u32 = 0
    calls = PerfEvents(Call, pages=2)

    @tracepoint("raw_syscalls:sys_enter")
    def enter(self, ctx):
        if bpf.pid() == self.pid:
            self.calls.emit(ctx, Call(pid=bpf.pid(), number=u64(ctx.id), name=bpf.comm()))


def test_events_of_every_cpu() -> None:
    begin, go = os.pipe()
    done, end = os.pipe()
    child = os.fork()
    if not child:
        for count in (5, 2000):
            os.read(begin, 1)
            for _ in range(count):
                os.getppid()
            os.write(end, b"1")
        signal.pause()
    try:
        with Calls(pid=child) as probe:
            os.write(go, b"1")
            found = list(probe.calls.events(0.3))
            assert 5 <= len(found) < 100
            assert {event.pid for event in found} == {child}
            assert len({event.name for event in found}) == 1
            os.read(done, 1)
            os.write(go, b"2")
            os.read(done, 1)  # nobody reads until all are written, so that two pages a CPU must overflow
            batch = next(iter(probe.calls.batches(5)))
            assert "number" in batch.records.schema.names
            assert probe.calls.lost > 0, "two pages have no room for so many"
            list(probe.calls.available())
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        for descriptor in (begin, go, done, end):
            os.close(descriptor)


class Counting(Program):
    clock = PerfCounters("cpu-clock")
    results = Array(u64, 2)

    @hook
    def read(self, ctx):
        first = self.clock.read()
        if first is not None:
            self.results[0] += 1
            self.results[1] = first


def test_counter_of_this_cpu(loaded_probe) -> None:
    probe = loaded_probe(Counting)
    cpu = min(os.sched_getaffinity(0))
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cpu})
    readings: list[int] = []

    def moved() -> bool:  # a guest's clock may stand still for a tick
        probe.loaded.programs["read"].test_run(ctx_in=bytes(32))
        readings.append(probe.results[1])
        return readings[-1] > readings[0]

    try:
        wait_for(moved, "the clock stands still")
    finally:
        os.sched_setaffinity(0, before)
    assert probe.results[0] == len(readings)
    assert 0 < readings[0] and readings == sorted(readings)


class Pair(Struct):
    first: u64
    second: u32


class Others(Program):
    cpu = Array(u32, 1)
    results = Array(u64, 3)
    numbers = PerCpuHash(key=u32, value=u64)
    rows = PerCpuArray(Pair, 2)

    @hook
    def look(self, ctx):
        here = self.numbers.get(1)
        self.results[0] = here if here is not None else 999
        there = self.numbers.get(1, cpu=self.cpu[0])
        self.results[1] = there if there is not None else 999
        row = self.rows.get(1, cpu=self.cpu[0])
        if row is not None:
            row.first += 5


def test_values_of_another_cpu(loaded_probe) -> None:
    probe = loaded_probe(Others)
    cpus = os.cpu_count() or 1
    backend = probe.numbers.backend
    backend.update((1).to_bytes(4, "little"), b"".join((100 + cpu).to_bytes(8, "little") for cpu in range(cpus)))
    assert probe.numbers.each(1) == [100 + cpu for cpu in range(cpus)]
    assert probe.numbers.get(1) == probe.numbers[1] == sum(100 + cpu for cpu in range(cpus))
    for cpu in range(cpus):
        probe.cpu[0] = cpu
        probe.loaded.programs["look"].test_run(ctx_in=bytes(32))
        assert probe.results[1] == 100 + cpu == probe.numbers.get(1, cpu=cpu)
    assert [row.first for row in probe.rows[1]] == [5] * cpus
    assert 100 <= probe.results[0] < 100 + cpus
    probe.cpu[0] = 10_000
    probe.loaded.programs["look"].test_run(ctx_in=bytes(32))
    assert probe.results[1] == 999
