"""Sub-programs of the language on this kernel: what goes in, what comes out."""

from __future__ import annotations

import pytest

from beespace.lang import Array, Global, Hash, Program, Struct, bpf, function, raw_tracepoint
from beespace.types import Address, Text, boolean, text, u32, u64

pytestmark = pytest.mark.kernel

hook = raw_tracepoint("sched_process_exit")


class Point(Struct):
    x: u32
    y: u32
    name: Text = text(8)
    where: Address


class Functions(Program):
    verbose: boolean = False
    points = Hash(key=u32, value=Point)
    names = Hash(key=text(8), value=u64)
    inputs = Array(u32, 2)
    results = Array(u64, 12)
    calls = Global(u64)

    @hook
    def run(self, ctx):
        number = self.inputs[0]
        point = Point(x=number, name="start", where="::2")
        self.move(point, 5)
        self.move(by=1, point=point)
        self.results[0] = u64(point.x) * 100 + u64(point.y)
        self.points[number] = point
        found = self.find(number)
        if found is None:
            return
        found.y += 1000
        self.results[1] = u64(found.y)
        self.results[2] = u64(self.find(number + 1) is None)
        self.results[3] = self.y_of(self.points.get(number)) + self.y_of(None)
        self.results[4] = u64(self.is_named(point, "start")) + u64(self.is_named(point, "stop")) * 10
        self.results[5] = u64(self.at(point.where)) + u64(self.at("::1")) * 10
        self.count(point.name)
        self.count("other")
        self.results[6] = u64(self.parent(bpf.task()))
        first = self.first_of(point)
        if first is not None:
            self.results[7] = u64(first.x)
        self.results[8] = u64(self.verbose)

    @function
    def move(self, point: Point, by: u32):
        """Structs are passed by reference."""
        point.x += by
        point.y = point.x * 2
        self.calls.value += 1

    @function
    def find(self, number: u32) -> Point | None:
        return self.points.get(number)

    @function
    def y_of(self, point: Point | None) -> u64:
        return u64(point.y) if point is not None else 7

    @function
    def is_named(self, point, name: Text):
        return point.name == name

    @function
    def at(self, where: Address):
        if where == "::2":
            return True
        return False

    @function
    def count(self, name: Text):
        self.names[name] += 1

    @function
    def parent(self, task):
        return u32(task.real_parent.tgid)

    @function
    def first_of(self, point):
        best = self.points.get(point.x)
        if best is None:
            for i in range(40):
                best = self.points.get(u32(i))
                if best is not None:
                    break
        return best if best is not None else self.points.get_or_create(0)


def test_functions(loaded_probe) -> None:
    import os

    probe = loaded_probe(Functions)
    probe.inputs[0] = 30
    probe.loaded.programs["run"].test_run(ctx_in=bytes(24))
    found = [probe.results[number] for number in range(9)]
    assert found == [3672, 1072, 1, 1079, 1, 1, os.getppid(), 36, 0]
    assert dict(probe.names.items()) == {"start": 1, "other": 1}
    assert probe.calls.value == 2
