"""Timers and work queues: started by a program that is run by hand, and seen when they have run."""

from __future__ import annotations

import time

import pytest
from pace import wait_for

from beespace.lang import Array, Counter, Hash, Program, bpf, function, tc
from beespace.schema import Struct
from beespace.types import (
    SpinLock,
    Text,
    Timer,
    Timestamp,
    WorkQueue,
    spin_lock,
    text,
    timer,
    u16,
    u32,
    u64,
    work_queue,
)

pytestmark = pytest.mark.kernel


class Name(Struct):
    name: Text = text(10)
    number: u16


class Alarm(Struct):
    set_at: Timestamp
    rang_at: Timestamp
    rounds: u32
    timer: Timer = timer()


class Slot(Struct):
    lock: SpinLock = spin_lock()
    timer: Timer = timer()
    index: u32
    rings: u64


class Alarms(Program):
    alarms = Hash(key=Name, value=Alarm, max_entries=16)
    slots = Array(Slot, 4)
    inputs = Array(u64, 4)
    results = Array(u64, 8)
    rang = Counter()

    @tc("egress")
    def set_alarm(self, ctx):
        alarm = self.alarms.get_or_create(Name(name="first", number=7))
        if alarm is None:
            return 1
        alarm.set_at = bpf.now()
        alarm.timer.start(self.on_alarm, 30_000_000)
        return 0

    @function
    def on_alarm(self, name: Name, alarm: Alarm):
        alarm.rang_at = bpf.now()
        alarm.rounds = alarm.rounds + 1
        if name.name == "first" and name.number == 7:
            self.rang += 1
        name.number = 9
        if alarm.rounds < 3:
            alarm.timer.start(self.on_alarm, bpf.now() + 10_000_000, absolute=True)

    @tc("egress")
    def set_slots(self, ctx):
        for index in range(4):
            slot = self.slots.get(index)
            if slot is not None:
                self.results[index] = u64(slot.timer.start(self.on_slot, self.inputs[0]))
        return 0

    @tc("egress")
    def stop_slots(self, ctx):
        slot = self.slots.get(u32(self.inputs[1]))
        if slot is None:
            return 1
        self.results[4] = u64(slot.timer.cancel())
        self.results[5] = u64(slot.timer.cancel())
        return 0

    @function
    def on_slot(self, index, slot):
        with slot.lock:
            slot.index = index + 100
            slot.rings = slot.rings + 1


def run(probe: Program, name: str, *inputs: int) -> int:
    for index, value in enumerate(inputs):
        probe.inputs[index] = value
    return probe.loaded.programs[name].test_run(data_in=bytes(64)).retval


def test_a_timer_that_starts_itself_again(loaded_probe) -> None:
    probe = loaded_probe(Alarms)
    key = Name(name="first", number=7)
    assert run(probe, "set_alarm") == 0
    wait_for(lambda: probe.alarms[key].rounds == 3)
    alarm = probe.alarms[key]
    assert alarm.rang_at - alarm.set_at >= 30_000_000 + 2 * 10_000_000
    assert probe.rang.value == 3
    time.sleep(0.05)
    assert probe.alarms[key].rounds == 3
    assert list(probe.alarms) == [key]


def test_timers_of_an_array(loaded_probe) -> None:
    probe = loaded_probe(Alarms)
    assert run(probe, "set_slots", 5_000_000) == 0
    wait_for(lambda: all(probe.slots[index].rings for index in range(4)))
    assert [(probe.slots[index].index, probe.slots[index].rings) for index in range(4)] == [
        (100, 1), (101, 1), (102, 1), (103, 1),
    ]  # fmt: skip
    assert [probe.results[index] for index in range(4)] == [0] * 4


def test_a_timer_is_cancelled(loaded_probe) -> None:
    probe = loaded_probe(Alarms)
    assert run(probe, "set_slots", 3_600_000_000_000) == 0
    assert run(probe, "stop_slots", 0, 2) == 0
    assert (probe.results[4], probe.results[5]) == (1, 0)
    assert probe.slots[2].rings == 0
    assert run(probe, "stop_slots", 0, 99) == 1


class Job(Struct):
    work: WorkQueue = work_queue()
    done: u64
    given: u64


class Jobs(Program):
    jobs = Hash(key=u32, value=Job, max_entries=16)
    results = Array(u64, 2)

    @tc("egress")
    def give(self, ctx):
        job = self.jobs.get_or_create(5)
        if job is None:
            return 1
        job.given = 21
        self.results[0] = u64(job.work.start(self.on_job))
        return 0

    @function
    def on_job(self, key: u32, job: Job):
        job.done = job.given * 2 + u64(key)


def test_work_for_later(loaded_probe) -> None:
    probe = loaded_probe(Jobs)
    assert probe.loaded.programs["give"].test_run(data_in=bytes(64)).retval == 0
    wait_for(lambda: probe.jobs[5].done != 0)
    assert (probe.jobs[5].done, probe.results[0]) == (47, 0)
