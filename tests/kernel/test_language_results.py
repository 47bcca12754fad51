"""What functions return: several values, texts, structs, numbers that may be None."""

from __future__ import annotations

import os

import pytest

from beespace.lang import Array, Hash, Program, Struct, bpf, function, raw_tracepoint
from beespace.types import Text, u8, u16, u32, u64

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
