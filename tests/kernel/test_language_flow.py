"""Control flow: the same methods run in the kernel and in CPython, over the same inputs.

A method of :class:`Flow` reads ``self.inputs`` and writes ``self.results``; in CPython these are lists.
"""

from __future__ import annotations

import random
from enum import IntEnum
from types import SimpleNamespace

import pytest

from beespace.lang import Array, Program, function, raw_tracepoint
from beespace.types import i64, u8, u32, u64

pytestmark = pytest.mark.kernel

hook = raw_tracepoint("sched_process_exit")
LIMIT = 5


class Shape(IntEnum):
    LINE = 1
    SQUARE = 2
    CUBE = 3


class Flow(Program):
    scale: u32 = 3
    WIDTH = 7
    inputs = Array(u64, 4)
    results = Array(u64, 8)

    @hook
    def branches(self, ctx):
        a, b = self.inputs[0], self.inputs[1]
        if a < b:
            order: u64 = 1
        elif a == b:
            order = 2
        else:
            order = 3
        self.results[0] = order
        self.results[1] = 10 if a > 100 else 20 if a > 50 else 30
        both = a > 10 and b > 10
        neither = not (a > 10 or b > 10)
        self.results[2] = u64(both)
        self.results[3] = u64(neither)
        self.results[4] = (a and b) + (b or 4)
        self.results[5] = u64(10 <= a < 60 != b)
        self.results[6] = u64(a in (1, 2, 3, 50) or b not in (4, 5))

    @hook
    def loops(self, ctx):
        a, b = self.inputs[0], self.inputs[1]
        total: u64 = 0
        for i in range(10):
            if i == 3:
                continue
            if i == 8 and a > 20:
                break
            total += u64(i) * b
        self.results[0] = total
        rounds: u64 = 0
        for i in range(2, 20, 5):
            rounds += u64(i)
        for _ in range(9, 3, -2):
            rounds += 100
        self.results[1] = rounds
        inner: u64 = 0
        for i in range(6):
            for j in range(i):
                if u64(j) > a % 7:
                    break
                inner += 1
            else:
                inner += 1000
        self.results[2] = inner
        last: u64 = 99
        for i in range(min(a, 12)):
            last = u64(i)
        self.results[3] = last
        found: u64 = 0
        for i in range(16):
            if u64(i) * u64(i) >= b:
                found = u64(i)
                break
        else:
            found = 77
        self.results[4] = found

    @hook
    def names(self, ctx):
        a, b = self.inputs[0], self.inputs[1]
        a, b = b, a
        self.results[0] = a
        x = y = b + 1
        x += 1
        self.results[1] = x * 1000 + y
        if (double := a * 2) > 50:
            self.results[2] = double
        else:
            self.results[2] = 1
        n = a + 10
        n -= b % 3
        n *= 2
        n //= 3
        n %= 1000
        n |= 1
        n ^= 2
        n <<= 2
        n >>= 1
        n &= 0xFFFF
        self.results[3] = n
        self.results[4] = self.WIDTH * LIMIT + Shape.CUBE
        self.results[5] = u64(self.scale) << 2

    @hook
    def matches(self, ctx):
        a = self.inputs[0]
        match a % 6:
            case 0:
                kind: u64 = 10
            case Shape.LINE | Shape.SQUARE:
                kind = 20
            case 4 if a > 40:
                kind = 30
            case _:
                kind = 40
        self.results[0] = kind

    @hook
    def calls(self, ctx):
        a, b = self.inputs[0], self.inputs[1]
        self.results[0] = self.gcd(a, b)
        self.results[1] = self.clamp(a, high=40, low=10)
        self.results[2] = u64(self.is_odd(a))
        self.results[3] = self.fibonacci(min(a, 30))
        self.note(a + b)

    @function
    def gcd(self, a: u64, b: u64):
        for _ in range(100):
            if b == 0:
                break
            a, b = b, a % b
        return a

    @function
    def clamp(self, value: u64, low: u64, high: u64) -> u64:
        if value < low:
            return low
        return min(value, high)

    @function
    def is_odd(self, value: u64):
        return value & 1 == 1

    @function
    def fibonacci(self, n: u64):
        a: u64 = 0
        b: u64 = 1
        for _ in range(min(n, 90)):
            a, b = b, a + b
        return a

    @function
    def note(self, value: u64):
        if value > 100:
            self.results[4] = 1
            return
        self.results[4] = value

    @hook
    def signed(self, ctx):
        a = i64(self.inputs[0]) - 50
        b = i64(self.inputs[1]) % 9 + 1
        self.results[0] = u64(a // b + 1000)
        self.results[1] = u64(a % b)
        self.results[2] = u64(abs(a))
        self.results[3] = u64(max(a, b, 3))
        self.results[4] = u64((a >> 2) + 1000)
        small = u8(self.inputs[0])
        self.results[5] = u64(small)


METHODS = ("branches", "loops", "names", "matches", "calls", "signed")


def in_python(method: str, inputs: list[int]) -> list[int]:
    """The method as CPython runs it."""
    probe = SimpleNamespace(inputs=inputs, results=[0] * 8, scale=Flow.scale, WIDTH=Flow.WIDTH)
    for name, found in vars(Flow).items():
        if callable(found):
            setattr(probe, name, found.__get__(probe))
    getattr(probe, method)(None)
    return probe.results


@pytest.mark.parametrize("method", METHODS)
def test_same_as_python(method: str, loaded_probe) -> None:
    probe = loaded_probe(Flow)
    chance = random.Random(7)
    for _ in range(60):
        inputs = [chance.choice((0, 1, 2, 3, 49, 50, 51, chance.randrange(120))) for _ in range(4)]
        for number, value in enumerate(inputs):
            probe.inputs[number] = value
        for number in range(8):
            probe.results[number] = 0
        probe.loaded.programs[method].test_run(ctx_in=bytes(32))
        assert [probe.results[number] for number in range(8)] == in_python(method, inputs), inputs
