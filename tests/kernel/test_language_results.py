"""What functions return: several values, texts, structs, numbers that may be None."""

from __future__ import annotations

import os
from enum import IntEnum

import pytest

from beespace.lang import Array, Hash, Program, Struct, bpf, function, raw_tracepoint
from beespace.types import Text, i32, text, u8, u16, u32, u64

pytestmark = pytest.mark.kernel


class Point(Struct):
    x: u32
    y: u32


class Results(Program):
    results = Array(u64, 32)
    points = Hash(key=u32, value=Point)

    @raw_tracepoint("sched_process_exit")
    def run(self, ctx):
        n = self.results[0]
        low, high = self.split(n)
        self.results[1] = low
        self.results[2] = u64(high)
        pair = self.parse(n)
        if pair is not None:
            port, ok = pair
            self.results[3] = u64(port) + u64(ok)
            self.results[4] = u64(pair[0])
        if self.parse(0) is None:
            self.results[5] = 1
        name = self.name_of(u32(n))
        if name == "odd":
            self.results[6] = 7
        p = self.point(u32(n))
        p.x += 1
        self.results[7] = u64(p.x) * 1000 + u64(p.y)
        where, task, count = self.look(1)
        if where is not None:
            where.x += 5
            self.results[8] = u64(where.x)
        self.results[9] = u64(task.tgid) * 10 + count
        some = self.maybe(u32(n))
        self.results[10] = 99 if some is None else some
        for i in range(5):
            p = self.turned(p)
            a, b = self.pair(u32(i))
            self.results[11] = self.results[11] + u64(a * b)
        self.results[12] = u64(p.x) * 1000 + u64(p.y)
        me, n16, addr = self.texts()
        if me[:2] == "ab" and addr == "10.0.0.1":
            self.results[13] = u64(n16)

    @function
    def texts(self):
        return "abc", u16(7), bpf.v4(0x0A000001)

    @function
    def pair(self, i: u32) -> tuple[u32, u32]:
        return self.other(i)

    @function
    def other(self, i: u32):
        return i, i + 1

    @function
    def turned(self, p: Point) -> Point:
        return Point(x=p.y, y=p.x)

    @function
    def maybe(self, n: u32) -> u64 | None:
        if n > 5:
            return u64(n) * 3
        return self.results.get(n + 100)

    @function
    def look(self, key: u32):
        return self.points.get(key), bpf.task(), 4

    @function
    def point(self, n: u32) -> Point:
        p = Point(x=n)
        p.y = n * 2
        return p

    @function
    def name_of(self, n: u32) -> Text:
        if n % 2:
            return "odd"
        return "even"

    @function
    def split(self, n: u64):
        return n >> 4, u8(n & 15)

    @function
    def parse(self, n: u64) -> tuple[u16, bool] | None:
        if n < 3:
            return None
        return u16(n), n > 5


def test_results_in_memory(loaded_probe) -> None:
    probe = loaded_probe(Results)
    probe.results[0] = 0x123
    probe.points[1] = Point(x=1, y=2)
    probe.loaded.programs["run"].test_run(ctx_in=bytes(24))
    found = [probe.results[number] for number in range(14)]
    assert found[1:8] == [0x12, 3, 0x123 + 1, 0x123, 1, 7, 0x124 * 1000 + 0x246]
    assert found[8:11] == [6, os.getpid() * 10 + 4, 0x123 * 3]
    assert found[11:] == [sum(i * (i + 1) for i in range(5)), 0x246 * 1000 + 0x124, 7]


class State(IntEnum):
    OPEN = 1
    CLOSED = 2


class Outer(Struct):
    point: Point
    name: Text = text(8)


@function
def both(a: u64, b: u64) -> tuple[u64, u64]:
    return max(a, b), min(a, b)


class Shapes(Program):
    """Members, structs in structs, what may be None, many parameters, functions of a module, loops."""

    results = Array(u64, 40)
    counts = Hash(key=u32, value=u64)
    points = Hash(key=u32, value=Point)

    @raw_tracepoint("sched_process_exit")
    def run(self, task):
        n = self.results[0]
        c = self.count(u32(n))
        if c is not None:
            self.results[1] = c
        if self.count(99) is None:
            self.results[2] = 1
        name = self.name(u32(n))
        if name is not None and name == "seven":
            self.results[3] = 1
        if self.name(1) is None:
            self.results[4] = 1
        p = self.made(u32(n))
        if p is not None:
            p.y += 1
            self.results[5] = u64(p.x + p.y)
        if self.made(0) is None:
            self.results[6] = 1
        state, ok, small = self.state(n, 1, 2, 3, 4)
        self.results[7] = u64(state.value) * 100 + u64(ok) * 10 + u64(u32(0 - small))
        big, little = both(n, 3)
        self.results[8] = big * 100 + little
        total: u64 = 0
        for i in range(4):
            for j in range(3):
                a, b = both(u64(i), u64(j))
                total += a * 10 + b
        self.results[9] = total
        o = self.outer(u32(n))
        self.results[10] = u64(o.point.x)
        if o.name == "outer":
            self.results[11] = 1
        self.results[12], self.results[13] = both(5, 6)
        one, two = self.checked(n)
        self.results[14] = one + two
        q = Point(x=1, y=2)
        q.x, q.y = self.swap(q.x, q.y)
        self.results[15] = u64(q.x * 10 + q.y)
        found, key = self.find(u32(n))
        if found is not None:
            found.x += 1
            self.results[16] = u64(found.x) + u64(key)
        none, key = self.find(1000)
        self.results[17] = u64(none is None) + u64(key)
        pair = both(1, 2) if n > 3 else both(3, 4)
        self.results[18] = pair[0]

    @function
    def find(self, key: u32):
        if key > 100:
            return None, key
        return self.points.get(key), key + 1

    @function
    def swap(self, a: u32, b: u32):
        return b, a

    @function
    def checked(self, n: u64):
        assert n < 100, f"{n}"
        return n, n + 1

    @function
    def outer(self, n: u32):
        result = Outer(point=Point(x=n), name="outer")
        result.point.x += 1
        return result

    @function
    def state(self, a: u64, b: u64, c: u64, d: u64, e: u64):
        if a + b + c + d + e > 10:
            return State.CLOSED, True, i32(-3)
        return State.OPEN, False, i32(0)

    @function
    def made(self, n: u32) -> Point | None:
        if n == 0:
            return None
        return Point(x=n, y=n)

    @function
    def name(self, n: u32):
        if n == 1:
            return None
        if n == 7:
            return "seven"
        return "other"

    @function
    def count(self, key: u32):
        return self.counts.get(key)


def test_results_of_all_shapes(loaded_probe) -> None:
    probe = loaded_probe(Shapes)
    probe.results[0] = 7
    probe.counts[7] = 70
    probe.points[7] = Point(x=5)
    probe.loaded.programs["run"].test_run(ctx_in=bytes(24))
    got = [probe.results[i] for i in range(19)]
    total = sum(max(i, j) * 10 + min(i, j) for i in range(4) for j in range(3))
    assert got[1:] == [70, 1, 1, 1, 15, 1, 213, 703, total, 8, 1, 6, 5, 15, 21, 6 + 8, 1 + 1000, 2]
