"""Spin locks and timers in map values, and other blocks that end by themselves."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pace import patience

from beespace.lang import Array, Counter, Hash, Program, Ring, bpf, cgroup_skb, function, tc
from beespace.schema import Event, Struct
from beespace.types import CgroupId, Duration, SpinLock, Timer, spin_lock, timer, u32, u64

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("no_leaks")]


class Bucket(Struct):
    lock: SpinLock = spin_lock()
    timer: Timer = timer()
    tokens: u64
    refills: u64
    made: u32


class RateLimiter(Program):
    """A token bucket for each cgroup, filled by a timer: what is over the rate is dropped."""

    burst: u64 = 5
    interval: Duration = 300_000_000
    buckets = Hash(key=CgroupId, value=Bucket, max_entries=64)
    passed = Counter()
    dropped = Counter()

    @cgroup_skb("egress")
    def on_packet(self, ctx):
        bucket = self.buckets.get_or_create(bpf.packet_cgroup_id(ctx))
        if bucket is None:
            return True
        first = False
        allowed = False
        with bucket.lock:
            if bucket.made == 0:
                bucket.made = 1
                bucket.tokens = self.burst
                first = True
            if bucket.tokens > 0:
                bucket.tokens = bucket.tokens - 1
                allowed = True
        if first:
            bucket.timer.start(self.refill, self.interval)
        if allowed:
            self.passed += 1
        else:
            self.dropped += 1
        return allowed

    @function
    def refill(self, cgroup: CgroupId, bucket: Bucket):
        with bucket.lock:
            bucket.tokens = self.burst
            bucket.refills = bucket.refills + 1
        bucket.timer.start(self.refill, self.interval)


# Waits until it is in the cgroup; in each round it sends as many packets as argv[1] says, and prints how many went out.
SEND = """
import socket, sys, time
sys.stdin.readline()
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(3):
    sent = 0
    for _ in range(int(sys.argv[1])):
        try:
            sender.sendto(b"x", ("127.0.0.1", 9))
        except PermissionError:
            continue
        except ConnectionRefusedError:
            pass
        sent += 1
    print(sent, flush=True)
    time.sleep(0.6)
"""


def test_a_rate_limiter_drops_what_is_over_the_rate(loaded_probe, cgroup: Path) -> None:
    probe = loaded_probe(RateLimiter)
    with probe.loaded.programs["on_packet"].attach(cgroup=cgroup):
        command = [sys.executable, "-c", SEND, "40"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as sender:
            (cgroup / "cgroup.procs").write_text(str(sender.pid))
            output, _ = sender.communicate("\n", timeout=patience(60))
    sent = [int(line) for line in output.split()]
    bucket = next(bucket for _, bucket in probe.buckets.items())
    assert len(sent) == 3
    # The timer fills the bucket between the rounds, and 40 packets take less time than it waits.
    assert all(5 <= each < 40 for each in sent), sent
    assert bucket.refills >= 2
    assert bucket.tokens == 5
    assert (bucket.lock, bucket.timer) == (None, None)
    assert probe.passed.value + probe.dropped.value == 120
    # What is refused at once is not counted as sent; an error of the round before may stand in for one.
    assert abs(probe.passed.value - sum(sent)) <= 3


# --- every way out of a block --------------------------------------------------------------------


class Cell(Struct):
    lock: SpinLock = spin_lock()
    a: u64
    b: u64


class Seen(Event):
    number: u64
    twice: u64


class Locks(Program):
    cells = Array(Cell, 2)
    inputs = Array(u64, 2)
    results = Array(u64, 8)

    @tc("egress")
    def locks(self, ctx):
        n = self.inputs[0]
        cell = self.cells.get(0)
        if cell is None:
            return 1
        self.results[0] = self.under_lock(cell, n)
        rounds: u64 = 0
        for i in range(20):
            with cell.lock:
                if u64(i) == n:
                    break
                if i % 2 == 0:
                    continue
                cell.b = cell.b + 1
            rounds += 1
        self.results[1] = rounds
        with cell.lock:  # it is free again, or this would never end
            cell.a = 77
            found = cell.b
        self.results[2] = found
        return 0

    @function
    def under_lock(self, cell: Cell, n: u64) -> u64:
        with cell.lock:
            if n > 10:
                return cell.a + n
            cell.a = n
        return 1


class Records(Program):
    inputs = Array(u64, 2)
    results = Array(u64, 8)
    events = Ring(Seen, size=4096)

    @tc("egress")
    def records(self, ctx):
        n = self.inputs[0]
        for i in range(8):
            with self.events.reserve() as event:
                if event is None:
                    self.results[0] += 1
                    return 1
                event.number = u64(i)
                if u64(i) == n:
                    break
                if i % 3 == 0:
                    continue
                event.twice = u64(i) * 2
                if i == 5:
                    event.discard()
                    event.number = 99
        return 0


class Sections(Program):
    inputs = Array(u64, 2)
    results = Array(u64, 8)

    @tc("egress")
    def sections(self, ctx):
        with bpf.rcu():
            task = bpf.task()
            if task.pid == 0:
                return 5
            self.results[0] = u64(task.real_parent.tgid)
        with bpf.preempt_disabled():
            self.results[1] = u64(bpf.cpu()) + 1
            if self.inputs[0] == 3:
                return 3
        self.results[2] = 1
        return 0


class Interrupts(Program):
    inputs = Array(u64, 2)
    results = Array(u64, 8)

    @tc("egress")
    def interrupts(self, ctx):
        with bpf.irqs_disabled():
            for i in range(3):
                if u64(i) == self.inputs[0]:
                    return 7
            with bpf.irqs_disabled():
                self.results[0] = 4
        return 0


def run(probe: Program, name: str, n: int) -> tuple[int, list[int]]:
    probe.inputs[0] = n
    for index in range(8):
        probe.results[index] = 0
    verdict = probe.loaded.programs[name].test_run(data_in=bytes(64)).retval
    return verdict, [probe.results[index] for index in range(8)]


@pytest.mark.parametrize("n", [0, 3, 10, 11, 30])
def test_locks_are_given_back(loaded_probe, n: int) -> None:
    probe = loaded_probe(Locks)
    odd = sum(1 for i in range(min(n, 20)) if i % 2)
    verdict, results = run(probe, "locks", n)
    assert verdict == 0
    assert results[:3] == [n if n > 10 else 1, odd, odd]
    assert (probe.cells[0].a, probe.cells[0].b, probe.cells[0].lock) == (77, odd, None)
    assert run(probe, "locks", 11)[1][0] == 77 + 11


@pytest.mark.parametrize("n", [0, 2, 5, 8])
def test_records_are_sent_at_the_end_of_the_block(loaded_probe, n: int) -> None:
    probe = loaded_probe(Records)
    assert run(probe, "records", n)[0] == 0
    sent = [(event.number, event.twice) for event in probe.events.available()]
    assert sent == [(i, 2 * i) for i in range(min(n, 8)) if i % 3 and i != 5]
    assert probe.events.lost == 0


def test_a_full_ring_gives_none(loaded_probe) -> None:
    probe = loaded_probe(Records)
    verdicts = [run(probe, "records", 8)[0] for _ in range(60)]
    assert verdicts[0] == 0 and verdicts[-1] == 1
    assert probe.events.lost == verdicts.count(1)
    assert all(event.twice == 2 * event.number for event in probe.events.available())


def test_sections_end(loaded_probe) -> None:
    probe = loaded_probe(Sections)
    verdict, results = run(probe, "sections", 3)
    assert (verdict, results[2]) == (3, 0)
    verdict, results = run(probe, "sections", 4)
    assert (verdict, results[0], results[2]) == (0, os.getppid(), 1)
    assert results[1] >= 1


def test_interrupts_come_back(loaded_probe) -> None:
    probe = loaded_probe(Interrupts)
    assert run(probe, "interrupts", 2)[0] == 7
    assert run(probe, "interrupts", 5) == (0, [4, 0, 0, 0, 0, 0, 0, 0])
