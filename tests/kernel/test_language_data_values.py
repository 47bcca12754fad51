"""Enumerations, flags, unions, bools, arrays, constants, options and variables of every kind, on this kernel."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import NamedTuple

import pytest

from beespace.errors import NotSupported, UsageError, VerifierError
from beespace.lang import Array, Event, Global, Hash, Program, Ring, Struct, Union, option, raw_tracepoint
from beespace.types import (
    Address,
    Raw,
    Text,
    array,
    be16,
    be32,
    boolean,
    i64,
    raw,
    stored,
    text,
    u8,
    u16,
    u32,
    u64,
)

pytestmark = pytest.mark.kernel

hook = raw_tracepoint("sched_process_exit")


class State(IntEnum):
    NEW = 0
    OPEN = 3
    CLOSED = 7


class Level(IntEnum):
    LOW = -1
    HIGH = 1


class Access(IntFlag):
    READ = 1
    WRITE = 2
    RUN = 8


class Halves(Struct):
    low: u16
    high: u16


class Where(Union):
    v4: be32
    halves: Halves
    parts: list[u8] = array(u8, 4)
    v6: Raw = raw(16)


class Point(Struct):
    x: u16
    y: u32


class Shape(Struct):
    state: State
    small: State = stored(State, u8)
    level: Level
    access: Access
    shown: bool
    where: Where
    points: list[Point] = array(Point, 3)
    grid: list[list[u16]] = array(array(u16, 4), 2)
    names: list[str] = array(text(16), 3)
    states: list[State] = array(stored(State, u16), 4)
    marks: list[bool] = array(bool, 5)
    macs: list[bytes] = array(raw(6), 2)


class Seen(Event):
    state: State
    access: Access
    where: Where
    shown: bool
    points: list[Point] = array(Point, 3)


@dataclass(frozen=True)
class Limits:
    low: int
    high: int
    name: str


class Pair(NamedTuple):
    first: int
    second: bytes


LIMITS = Limits(3, 300, "limits")
PAIR = Pair(11, b"pair")
WEIGHTS = (5, 1, 70_000, 9)
SIGNED = (-3, 4)
WORDS = ("zero", "one", "twenty-two")
STATES = (State.OPEN, State.CLOSED, State.NEW)
POINTS = (Point(x=1, y=2), Point(x=3, y=4))
ORIGIN = Point(x=100, y=200)
ENABLED = True


class Shared(Program):
    state: State = State.OPEN
    access: Access = Access.READ
    shown: bool = False
    old: boolean = True
    network: Address = "10.0.0.1"
    path: Text = option(text(24), "/usr/bin", help="where to look")
    mac: Raw = option(raw(6), b"\1\2\3\4\5\6")
    ports: list[u16] = option(array(u16, 4), [80, 443, 0, 9])
    order: be16 = 0x1234
    inputs = Array(u64, 4)
    results = Array(i64, 32)
    shapes = Hash(key=u32, value=Shape)
    by_state = Hash(key=State, value=u64)
    by_flag = Hash(key=bool, value=Access)
    by_where = Hash(key=Where, value=State)
    table = Global(array(u64, 64))
    flag = Global(bool, True)
    current = Global(State, State.CLOSED)
    title = Global(text(16), "start")
    shape = Global(Shape)
    grid = Global(array(array(u16, 4), 2))
    address = Global(Address, "::1")
    seen = Ring(Seen, size="4 KiB")


class Data(Shared):
    """Structs on the stack; indexes into them are computed, which kernels before 5.12 refuse."""

    @hook
    def enums(self, ctx):
        state = State(u32(self.inputs[0]))
        self.by_state[state] += 1
        self.results[0] = i64(state == State.OPEN)
        self.results[1] = i64(state in (State.NEW, State.CLOSED))
        match state:
            case State.NEW:
                self.results[2] = 1
            case State.OPEN | State.CLOSED:
                self.results[2] = 2
            case _:
                self.results[2] = 3
        access = Access.READ | Access.RUN
        if state > State.NEW:
            access |= Access.WRITE
        self.results[3] = i64(bool(access & Access.RUN))
        self.results[4] = i64(u64(access & ~Access.READ))
        self.by_flag[state == State.OPEN] = access
        self.results[5] = State.CLOSED.value + 1
        shape = Shape(state=state, small=State.CLOSED, level=Level.LOW, access=~Access.READ, shown=self.shown)
        shape.states[1] = State.OPEN
        shape.states[u32(self.inputs[0]) % 4] = shape.small
        shape.marks[2] = True
        shape.marks[4] = not shape.marks[2]
        self.shapes[1] = shape
        self.results[6] = i64(shape.level)
        self.results[7] = i64(shape.level < Level.HIGH)
        self.results[8] = 1 if self.state == State.OPEN else 0
        self.results[9] = i64(Access.READ in self.access) + 2 * i64(Access.WRITE in self.access)
        self.results[10] = i64(State.OPEN.name == "OPEN")
        stored_small = Shape(small=state)
        self.results[11] = i64(stored_small.small == state)

    @hook
    def unions(self, ctx):
        where = Where(v4=0x0A000001)
        self.results[0] = i64(where.parts[0])
        self.results[1] = i64(where.parts[3])
        self.results[2] = i64(where.halves.low)
        other = Where()
        other.parts[u32(self.inputs[0]) % 4] = 77
        self.results[3] = i64(other.v4)
        where.halves = Halves(low=1, high=2)
        self.results[4] = i64(where == Where(halves=Halves(low=1, high=2)))
        self.by_where[where] = State.OPEN
        shape = Shape(where=where)
        shape.where.v6 = b"0123456789abcdef"
        self.shapes[2] = shape
        self.seen.emit(
            Seen(state=State.CLOSED, access=Access.WRITE, where=shape.where, shown=True, points=shape.points)
        )

    @hook
    def arrays(self, ctx):
        index = u32(self.inputs[0]) % 2
        shape = Shape()
        shape.points[1] = Point(x=5, y=6)
        point = shape.points[index]
        point.y = 60
        shape.points[2].x = 9
        shape.grid[index][3] = 42
        row = shape.grid[index]
        row[0] += 2
        shape.names[index] = "name"
        shape.names[2] = shape.names[index]
        shape.macs[1] = b"\xaa\xbb\xcc\xdd\xee\xff"
        self.results[0] = i64(shape.names[2] == "name")
        self.results[1] = i64(shape.grid[0] == shape.grid[1])
        shape.grid[1 - index] = shape.grid[index]
        self.results[2] = i64(shape.grid[0] == shape.grid[1])
        self.shapes[3] = shape
        local = array(u32, 6)
        local[3] = 8
        local[index] += 1
        total = 0
        for number in range(len(local)):
            total += local[number]
        self.results[3] = i64(total)
        points = array(Point, 2)
        points[index].x = 4
        other = points[index]
        other.y = 5
        self.results[4] = i64(points[index].x) * 10 + i64(points[index].y)
        self.results[5] = i64(points[0] == points[1])
        row = shape.grid[0]
        shape.grid[0] = [row[1], row[0], u16(index), 7]
        shape.states = [State.OPEN, State.NEW, State.CLOSED, shape.states[0]]
        self.results[6] = i64(shape.grid[0][0]) * 1000 + i64(shape.grid[0][2]) * 10 + i64(shape.grid[0][3])
        self.results[7] = i64(shape.states[2] == State.CLOSED) + 2 * i64(State.NEW in shape.states)
        self.results[8] = i64(shape.macs[1][index]) + 1000 * i64(self.mac[5])
        self.results[9] = i64(7 in shape.grid[0]) + 2 * i64(9 not in shape.grid[0])
        made = Shape(points=[Point(x=1), shape.points[0], Point(y=2)], names=["a", "bc", shape.names[2]])
        self.results[10] = i64(made.points[2].y) + 10 * i64(made.names[2] == "name") + 100 * i64(made.names[1] == "bc")


class Held(Shared):
    """The same in maps and constant data, where every kernel takes them."""

    @hook
    def variables(self, ctx):
        index = u32(self.inputs[0])
        if index < 64:
            self.table.value[index] += 3
            self.table.value[63 - index] = 9
        self.flag.value = not self.flag.value
        if self.current.value == State.CLOSED:
            self.current.value = State.OPEN
        if self.title.value == "start":
            self.title.value = "running"
        self.shape.value.points[1].y = 12
        self.shape.value.access = self.shape.value.access | Access.RUN
        self.shape.value.names[1] = self.title.value
        self.grid.value[1][2] = 6
        self.results[0] = i64(self.address.value == "::1")
        self.address.value = self.network

    @hook
    def constants(self, ctx):
        index = u32(self.inputs[0]) % 2
        self.results[0] = LIMITS.low + len(LIMITS.name)
        self.results[1] = i64(LIMITS.name == "limits")
        self.results[2] = PAIR.first + PAIR[0]
        self.results[3] = WEIGHTS[2] + len(WEIGHTS)
        self.results[4] = i64(WEIGHTS[index + 1])
        narrow: u32 = WEIGHTS[index]
        self.results[5] = i64(narrow)
        self.results[6] = SIGNED[index]
        self.results[7] = i64(WORDS[index] == "one")
        self.results[8] = i64(STATES[index] == State.CLOSED)
        self.results[9] = i64(POINTS[index].y)
        self.results[10] = i64(ORIGIN.x) + i64(POINTS[1].x)
        self.results[11] = 1 if ENABLED else 0
        self.results[12] = i64(index in WEIGHTS)
        total = 0
        for each in State:
            total = total * 10 + u64(each)
        self.results[14] = i64(total)
        self.results[13] = WEIGHTS[-1]

    @hook
    def options_of_every_kind(self, ctx):
        index = u32(self.inputs[0]) % 4
        self.results[0] = i64(self.ports[index])
        self.results[1] = i64(self.path == "/usr/bin")
        self.results[2] = i64(self.path.startswith("/opt"))
        self.results[3] = i64(self.mac == b"\1\2\3\4\5\6")
        self.results[4] = i64(self.network == "10.0.0.1")
        self.results[5] = i64(self.order)
        self.results[6] = i64(self.shown) + 2 * i64(self.old)
        self.results[7] = i64(self.state)


@pytest.fixture
def run(loaded_probe):
    def start(method: str, *inputs: int, **options: object):
        try:
            probe = loaded_probe(Data if hasattr(Data, method) else Held, options)
        except VerifierError as error:
            # What a computed index wrote over a constant counts as not written (until kernel commit 6715df8d5d24).
            if "read from stack" in error.reason:
                raise NotSupported("memory of the stack that a computed index wrote to", since="6.3") from error
            raise
        for number, value in enumerate(inputs):
            probe.inputs[number] = value
        probe.loaded.programs[method].test_run(ctx_in=bytes(32))
        return probe, [probe.results[number] for number in range(16)]

    return start


@pytest.mark.parametrize("number", [0, 3, 7, 5])
def test_enumerations(run, number: int) -> None:
    probe, results = run("enums", number, access=Access.READ | Access.RUN)
    state = State(number) if number != 5 else 5
    access = Access.READ | Access.RUN | (Access.WRITE if number else 0)
    assert list(probe.by_state.items()) == [(state, 1)]
    assert type(next(iter(probe.by_state))) is (State if number != 5 else int)
    assert results[:3] == [number == 3, number in (0, 7), {0: 1, 3: 2, 7: 2, 5: 3}[number]]
    assert results[3:6] == [1, int(access & ~Access.READ), 8]
    assert dict(probe.by_flag.items()) == {number == 3: access}
    shape = probe.shapes[1]
    expected = Shape(state=state, small=State.CLOSED, level=Level.LOW, access=~Access.READ)
    expected.states[1] = State.OPEN
    expected.states[number % 4] = State.CLOSED
    expected.marks[2] = True
    assert shape == expected
    assert (type(shape.level), type(shape.small), type(shape.marks[2])) == (Level, State, bool)
    assert results[6:12] == [-1, 1, 1, 1, 1, 1]


@pytest.mark.parametrize("index", range(4))
def test_unions(run, index: int) -> None:
    probe, results = run("unions", index)
    where = Where(v4=0x0A000001)
    assert results[:3] == [where.parts[0], where.parts[3], where.halves.low]
    other = Where(parts=[77 if number == index else 0 for number in range(4)])
    assert results[3:5] == [other.v4, 1]
    where.halves = Halves(low=1, high=2)
    assert list(probe.by_where.items()) == [(where, State.OPEN)]
    where.v6 = b"0123456789abcdef"
    shape = probe.shapes[2]
    assert (shape.where, shape.where.v4, shape.where.parts) == (where, 0x30313233, [0x30, 0x31, 0x32, 0x33])
    (event,) = probe.seen.available()
    assert event == Seen(state=State.CLOSED, access=Access.WRITE, where=where, shown=True)


@pytest.mark.parametrize("index", range(2))
def test_arrays(run, index: int) -> None:
    probe, results = run("arrays", index)
    shape = Shape()
    shape.points[1] = Point(x=5, y=6)
    shape.points[index].y = 60
    shape.points[2].x = 9
    shape.grid[0] = shape.grid[1] = [2, 0, 0, 42]
    shape.names[index] = shape.names[2] = "name"
    shape.macs[1] = b"\xaa\xbb\xcc\xdd\xee\xff"
    assert probe.shapes[3] == shape
    assert results[:6] == [1, 0, 1, 9, 45, 0]
    assert results[6:11] == [index * 10 + 7, 3, b"\xaa\xbb"[index] + 6000, 3, 112]


def test_variables(run) -> None:
    probe, results = run("variables", 3)
    table = probe.table.value
    assert (table[3], table[60], sum(table)) == (3, 9, 12)
    assert (probe.flag.value, probe.current.value, probe.title.value) == (False, State.OPEN, "running")
    assert probe.shape.value.points[1] == Point(y=12)
    assert (probe.shape.value.access, probe.shape.value.names[1]) == (Access.RUN, "running")
    assert probe.grid.value == [[0] * 4, [0, 0, 6, 0]]
    assert (results[0], probe.address.value) == (1, "10.0.0.1")
    probe.table.value = list(range(64))
    probe.title.value = "again"
    probe.current.value = State.NEW
    probe.loaded.programs["variables"].test_run(ctx_in=bytes(32))
    assert (probe.table.value[3], probe.table.value[60]) == (6, 9)
    assert (probe.title.value, probe.current.value, probe.flag.value) == ("again", State.NEW, True)


@pytest.mark.parametrize("index", range(2))
def test_constants(run, index: int) -> None:
    _, results = run("constants", index)
    assert results[14] == 37
    assert results[:14] == [
        LIMITS.low + len(LIMITS.name), 1, 22, 70_004, WEIGHTS[index + 1], WEIGHTS[index], SIGNED[index],
        WORDS[index] == "one", STATES[index] == State.CLOSED, POINTS[index].y, 103, 1, index in WEIGHTS, 9,
    ]  # fmt: skip


def test_options(run) -> None:
    _, results = run("options_of_every_kind", 1)
    assert results[:8] == [443, 1, 0, 1, 1, 0x1234, 2, 3]
    probe, results = run(
        "options_of_every_kind", 3, state=State.CLOSED, shown=True, old=False, network="::2", path="/opt/x",
        mac=bytes(6), ports=[1, 2, 3, 4], order=7,
    )  # fmt: skip
    assert results[:8] == [4, 0, 1, 0, 0, 7, 1, 7]
    assert (probe.state, probe.path, probe.ports) == (State.CLOSED, "/opt/x", [1, 2, 3, 4])


@pytest.mark.parametrize(
    ("name", "value"), [("path", "x" * 25), ("network", "nowhere"), ("ports", [1, 2]), ("order", 70_000), ("mac", 5)]
)
def test_options_that_do_not_fit(name: str, value: object) -> None:
    with pytest.raises(UsageError, match=f"option '{name}' of Data"):
        Data(**{name: value})
