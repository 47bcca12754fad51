"""Loops whose rounds the kernel calls: the same methods run in the kernel and in CPython, over the same inputs."""

from __future__ import annotations

import os
import random
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from beespace.compiler.kernel.calls import has_helper
from beespace.errors import NotSupported
from beespace.kernel import vmlinux_btf
from beespace.lang import (
    Array,
    Global,
    Hash,
    LruHash,
    PerCpuArray,
    PerCpuHash,
    Program,
    UserRing,
    bpf,
    function,
    raw_tracepoint,
    tc,
)
from beespace.schema import Struct
from beespace.types import Text, array, i32, text, u16, u32, u64

pytestmark = pytest.mark.kernel

hook = raw_tracepoint("sched_process_exit")
MANY = 10_000


class Sums(Struct):
    even: u64
    odd: u64
    last: u32
    slots: list[u64] = array(u64, 8)


class Long(Program):
    inputs = Array(u64, 4)
    results = Array(u64, 8)

    @hook
    def counts(self, ctx):
        a, b = self.inputs[0], self.inputs[1]
        total: u64 = 0
        for i in range(MANY):
            if i % 3 == 0:
                continue
            if total > 40_000_000 + a:
                break
            total += u64(i) + b
        self.results[0] = total
        steps: u64 = 0
        for i in range(7, 50_000, 3):
            steps += u64(i)
        self.results[1] = steps
        down = 0
        for i in range(20_000, 100, -2):
            down += 1
            if u64(i) < a + 9_000:
                break
        else:
            down += 1_000_000
        self.results[2] = down

    @hook
    def dynamic(self, ctx):
        a, b = self.inputs[0], self.inputs[1]
        rounds: u64 = 0
        for i in range(min(a * 97, 100_000)):
            rounds += 1
            if u64(i) > b * 120:
                break
        else:
            rounds += 1_000_000
        self.results[0] = rounds
        last: u64 = 5
        for i in range(3, min(b * 300, 9_000)):
            last = u64(i)
        self.results[1] = last
        nothing = a ^ a  # the kernel knows that, too
        for i in range(min(nothing, 9_000)):
            last += u64(i)
        else:
            last += 1
        self.results[2] = last

    @hook
    def nested(self, ctx):
        a, b = self.inputs[0], self.inputs[1]
        total: u64 = 0
        for i in range(5_000):
            if u64(i) > a:
                break
            row: u64 = 0
            for j in range(6_000):
                if u64(j) > b:
                    break
                row += u64(j) * u64(i)
            for k in range(4):
                row += u64(k)
            total += row
        self.results[0] = total
        found: u64 = 0
        for i in range(3):
            for j in range(5_000):
                if u64(j) * u64(i) > a * 40:
                    found += u64(j)
                    break
        self.results[1] = found

    @hook
    def structs(self, ctx):
        a = self.inputs[0]
        sums = Sums(last=1)
        other = Sums()
        for i in range(6_000):
            if sums.odd == 3:
                break
            if (u64(i) + a) % 2 == 0:
                sums.even += u64(i)
            else:
                sums.odd += u64(i)
            sums.last = i
            here = Sums(even=u64(i))
            other.even += here.even
            other.slots[i % 8] += 1
        self.results[0] = sums.even
        self.results[1] = sums.odd
        self.results[2] = u64(sums.last)
        self.results[3] = other.even
        self.results[4] = other.slots[3]

    @hook
    def returns(self, ctx):
        a, b = self.inputs[0], self.inputs[1]
        self.results[0] = self.first_multiple(a * 31 + 5000, b + 2)
        self.results[1] = u64(self.has_divisor(a + 2))
        for i in range(5_000):
            self.results[2] = u64(i)
            if u64(i) > a * 50:
                return
        self.results[3] = 1

    @function
    def first_multiple(self, start: u64, of: u64) -> u64:
        for i in range(8_000):
            if of != 0 and (start + u64(i)) % of == 0:
                return start + u64(i)
        return 0

    @function
    def has_divisor(self, n: u64):
        for i in range(2, 5_000):
            if u64(i) >= n:
                return False
            if n % u64(i) == 0:
                return True
        return False


METHODS = ("counts", "dynamic", "nested", "structs", "returns")


def in_python(method: str, inputs: list[int]) -> list[int]:
    """The method as CPython runs it."""
    probe = SimpleNamespace(inputs=inputs, results=[0] * 8)
    for name, found in vars(Long).items():
        if callable(found):
            setattr(probe, name, found.__get__(probe))
    getattr(probe, method)(None)
    return probe.results


@pytest.mark.parametrize("method", METHODS)
def test_long_loops_do_what_python_does(method, loaded_probe) -> None:
    if not has_helper(vmlinux_btf(), "loop"):
        raise NotSupported("bpf_loop()", since="5.17")
    probe = loaded_probe(Long)
    chance = random.Random(7)
    cases = [(0, 0), (1, 1), (99, 3), *((chance.randrange(100), chance.randrange(100)) for _ in range(9))]
    for a, b in cases:
        probe.inputs[0], probe.inputs[1] = a, b
        for index in range(8):
            probe.results[index] = 0
        probe.loaded.programs[method].test_run(ctx_in=bytes(24))
        assert [probe.results[index] for index in range(8)] == in_python(method, [a, b, 0, 0]), (a, b)


# --- entries of maps -----------------------------------------------------------------------------


class Key(Struct):
    name: Text = text(12)
    port: u16


class Value(Struct):
    count: u64
    last: u32


class Entries(Program):
    plain = Hash(key=u32, value=u64, max_entries=64)
    structs = Hash(key=Key, value=Value, max_entries=64)
    recent = LruHash(key=u32, value=u32, max_entries=64)
    slots = Array(u32, 16)
    each_cpu = PerCpuArray(u64, 4)
    counted = PerCpuHash(key=u32, value=u64)
    found = Hash(key=text(12), value=u64)
    results = Array(u64, 12)

    @tc("egress")
    def visit(self, ctx):
        total: u64 = 0
        keys: u64 = 0
        for key, value in self.plain.items():
            if key == 3:
                continue
            total += value
            keys += u64(key)
        self.results[0] = total
        self.results[1] = keys
        rounds: u64 = 0
        for _ in self.plain:
            rounds += 1
            if rounds == 4:
                break
        else:
            rounds += 100
        self.results[2] = rounds
        for name, stats in self.structs.items():
            stats.count += 1
            self.found[name.name] = u64(name.port) + u64(stats.last)
            name.port = 0  # a copy: the map's key stays as it is
        for number in self.recent.values():
            self.results[3] += u64(number)
        for index, slot in self.slots.items():
            if index < 16:
                self.results[4] += u64(slot) * u64(index)
        self.each_cpu[2] += 5
        for amount in self.each_cpu.values():
            self.results[5] += amount
        self.counted[7] += 2
        for amount in self.counted.values():
            self.results[6] += amount
        self.results[7] = self.first_above(20)
        for key in self.plain.keys():
            if key % 2 == 0:
                del self.plain[key]
        return 0

    @function
    def first_above(self, least: u64) -> u64:
        for value in self.plain.values():
            if value > least:
                return value
        return 0


def test_entries_of_maps(loaded_probe) -> None:
    probe = loaded_probe(Entries)
    for key in range(10):
        probe.plain[key] = key * 10
        probe.recent[key] = key + 1
        probe.slots[key] = 100 + key
    for number in range(5):
        probe.structs[Key(name=f"n{number}", port=number)] = Value(count=number, last=1000)
    probe.loaded.programs["visit"].test_run(data_in=bytes(64))
    results = [probe.results[index] for index in range(8)]
    assert results[0] == sum(key * 10 for key in range(10) if key != 3)
    assert results[1] == sum(range(10)) - 3
    assert results[2] == 4
    assert dict(probe.found.items()) == {f"n{number}": 1000 + number for number in range(5)}
    assert {(key.name, key.port, value.count) for key, value in probe.structs.items()} == {
        (f"n{number}", number, number + 1) for number in range(5)
    }
    assert results[3] == sum(range(1, 11))
    assert results[4] == sum((100 + key) * key for key in range(10))
    assert results[5:7] == [5, 2]
    assert results[7] in range(30, 100, 10)
    assert sorted(probe.plain) == [1, 3, 5, 7, 9]


# --- the kernel's own iterators ------------------------------------------------------------------


class Iterators(Program):
    wanted = Global(u32)
    results = Array(u64, 12)

    @tc("egress")
    def tasks(self, ctx):
        for task in bpf.tasks():
            self.results[0] += 1
            if u32(task.tgid) == self.wanted.value:
                self.results[1] = u64(task.real_parent.tgid)
                threads: u64 = 0
                for thread in bpf.threads(bpf.task()):
                    if thread.tgid == task.tgid:
                        threads += 1
                self.results[2] = threads
                break
        self.results[3] = self.pid_seen(self.wanted.value)
        for task in bpf.all_threads():
            if u32(task.tgid) == self.wanted.value:
                self.results[4] += 1
        return 0

    @function
    def pid_seen(self, pid: u32) -> u64:
        for task in bpf.tasks():
            if u32(task.pid) == pid:
                return 1
        return 0


class Numbers(Program):
    inputs = Array(u64, 2)
    results = Array(u64, 12)

    @tc("egress")
    def numbers(self, ctx):
        n = i32(self.inputs[0])
        total: u64 = 0
        for number in bpf.numbers(-3, n):
            if number < 0:
                continue
            if number == 5000:
                break
            total += u64(u32(number))
        else:
            total += 1_000_000_000
        self.results[0] = total
        return 0


def test_tasks(loaded_probe) -> None:
    event = threading.Event()
    others = [threading.Thread(target=event.wait) for _ in range(3)]
    for other in others:
        other.start()
    try:
        probe = loaded_probe(Iterators)
        probe.wanted.value = os.getpid()
        probe.loaded.programs["tasks"].test_run(data_in=bytes(64))
        count = len([*Path("/proc/self/task").iterdir()])
    finally:
        event.set()
        for other in others:
            other.join()
    assert probe.results[0] >= 1
    assert probe.results[1] == os.getppid()
    assert [probe.results[index] for index in (2, 3, 4)] == [count, 1, count]


@pytest.mark.parametrize("n", [-5, 0, 10, 5000, 5001, 100_000])
def test_numbers(loaded_probe, n: int) -> None:
    probe = loaded_probe(Numbers)
    probe.inputs[0] = n % 2**64
    probe.loaded.programs["numbers"].test_run(data_in=bytes(64))
    expected = sum(range(max(n, 0))) + 1_000_000_000 if n <= 5000 else sum(range(5000))
    assert probe.results[0] == expected


# --- records from user space ---------------------------------------------------------------------


class Command(Struct):
    word: u32
    amount: u64
    name: Text = text(8)


class Commands(Program):
    commands = UserRing(Command, size="4 KiB")
    results = Array(u64, 8)
    named = Hash(key=text(8), value=u64)

    @tc("egress")
    def take(self, ctx):
        total: u64 = 0
        for command in self.commands.records():
            if command.word == 9:
                break
            if command.word == 2:
                continue
            total += command.amount
            self.named[command.name] += command.amount
        self.results[0] = total
        return 0

    @tc("egress")
    def take_all(self, ctx):
        self.results[1] = u64(self.commands.drain(self.on_command))
        return 0

    @function
    def on_command(self, command: Command):
        self.results[2] += command.amount
        command.amount = 0


def test_records_from_user_space(loaded_probe) -> None:
    probe = loaded_probe(Commands)
    words = [1, 2, 3, 9, 4, 5]
    for number, word in enumerate(words):
        assert probe.commands.send(Command(word=word, amount=10 + number, name=f"n{number}"))
    probe.loaded.programs["take"].test_run(data_in=bytes(64))
    assert probe.results[0] == 10 + 12
    assert dict(probe.named.items()) == {"n0": 10, "n2": 12}
    probe.loaded.programs["take_all"].test_run(data_in=bytes(64))
    assert (probe.results[1], probe.results[2]) == (2, 14 + 15)
    probe.loaded.programs["take_all"].test_run(data_in=bytes(64))
    assert (probe.results[1], probe.results[2]) == (0, 14 + 15)
    assert probe.commands.lost == 0


# --- without bpf_loop() --------------------------------------------------------------------------


class Walked(Program):
    results = Array(u64, 4)

    @tc("egress")
    def count(self, ctx):
        total: u64 = 0
        for i in range(6000):
            if i % 4 == 1:
                continue
            if i == 5001:
                break
            total += u64(i)
        self.results[0] = total
        return 0


def test_long_loops_on_kernels_without_bpf_loop(loaded_probe, monkeypatch: pytest.MonkeyPatch) -> None:
    assert has_helper(vmlinux_btf(), "map_lookup_elem")
    assert not has_helper(vmlinux_btf(), "no_such_helper")
    monkeypatch.setattr("beespace.compiler.statements.loops.has_helper", lambda btf, name: False)
    probe = loaded_probe(Walked)
    probe.loaded.programs["count"].test_run(data_in=bytes(64))
    assert probe.results[0] == sum(i for i in range(6000) if i % 4 != 1)
