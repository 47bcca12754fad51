"""Loops whose rounds the kernel calls: the same methods run in the kernel and in CPython, over the same inputs."""

from __future__ import annotations

import random
from types import SimpleNamespace

import pytest

from beespace.lang import Array, Program, function, raw_tracepoint
from beespace.schema import Struct
from beespace.types import array, u32, u64

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
    probe = loaded_probe(Long)
    chance = random.Random(7)
    cases = [(0, 0), (1, 1), (99, 3), *((chance.randrange(100), chance.randrange(100)) for _ in range(9))]
    for a, b in cases:
        probe.inputs[0], probe.inputs[1] = a, b
        for index in range(8):
            probe.results[index] = 0
        probe.loaded.programs[method].test_run(ctx_in=bytes(24))
        assert [probe.results[index] for index in range(8)] == in_python(method, [a, b, 0, 0]), (a, b)
