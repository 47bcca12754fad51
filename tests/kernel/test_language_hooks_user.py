"""Programs of user code, written in Python: functions of libraries, their returns, static probes."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pace import patience

from beespace.errors import UsageError
from beespace.lang import (
    Counter,
    Event,
    Hash,
    Program,
    Ring,
    bpf,
    uprobe,
    uprobe_multi,
    uprobe_session,
    uretprobe,
    uretprobe_multi,
    usdt,
)
from beespace.types import Pid, Text, boolean, i8, i16, i32, i64, text, u8, u32, u64

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("no_leaks", "own_cache")]

LIBC = ctypes.CDLL(None)
SOURCE = Path(__file__).with_name("usdt_target.c")


class Called(Event):
    number: i32
    size: u64
    negative: boolean
    name: Text = text(32)


class Calls(Program):
    """Calls of two functions of the C library by one process."""

    mine: Pid = 0
    calls = Ring(Called)
    results = Hash(key=i64, value=u64)

    @uprobe("setenv", binary="libc")
    def on_setenv(self, name, value: u64, overwrite: i32):
        if bpf.pid() == self.mine:
            self.calls.emit(Called(number=overwrite, size=value, name=bpf.user_text(name)))

    @uprobe("libc:abs")
    def on_abs(self, number: i32):
        if bpf.pid() == self.mine:
            self.calls.emit(Called(number=number, negative=number < 0))

    @uretprobe("labs", binary="libc")
    def on_labs(self, result: i64):
        if bpf.pid() == self.mine:
            self.results[result] += 1

    @uretprobe("libc:abs")
    def on_abs_result(self, ctx):
        if bpf.pid() == self.mine:
            self.results[1000 + i64(ctx.result)] += 1


def test_arguments_and_results() -> None:
    LIBC.labs.restype = LIBC.labs.argtypes = None
    value = ctypes.create_string_buffer(b"a value")
    with Calls(mine=os.getpid()).start() as probe:
        assert LIBC.setenv(b"BEESPACE_PROBED", value, -3) == 0
        assert LIBC.abs(ctypes.c_int(-7)) == 7
        LIBC.labs.restype, LIBC.labs.argtypes = ctypes.c_long, [ctypes.c_long]
        assert LIBC.labs(-(1 << 40)) == 1 << 40
        first, second = list(probe.calls.events(timeout=0))
        assert (first.name, first.size, first.number) == ("BEESPACE_PROBED", ctypes.addressof(value), -3)
        assert (second.number, second.negative) == (-7, True)
        assert dict(probe.results.items()) == {1 << 40: 1, 1007: 1}
        assert len(probe.links) == 4
    LIBC.unsetenv(b"BEESPACE_PROBED")


class Many(Program):
    """All functions that a glob names."""

    mine: Pid = 0
    entries = Counter()
    returns = Counter()

    @uprobe_multi("l*abs")
    def on_entry(self, ctx):
        if bpf.pid() == self.mine:
            self.entries += 1

    @uretprobe_multi("l*abs")
    def on_return(self, ctx):
        if bpf.pid() == self.mine:
            self.returns += 1


def test_many_functions_of_a_library_that_the_start_names() -> None:
    with pytest.raises(UsageError):
        Many().start()
    with Many(mine=os.getpid()).start(binary="libc") as probe:
        for _ in range(3):
            LIBC.labs(ctypes.c_long(1))
        LIBC.llabs(ctypes.c_longlong(1))
        assert (probe.entries.value, probe.returns.value) == (4, 4)


class Session(Program):
    mine: Pid = 0
    runs = Counter()

    @uprobe_session("libc:labs")
    def on_call(self, ctx):
        if bpf.pid() == self.mine:
            self.runs += 1
            return 0
        return 1


def test_a_session_runs_at_entry_and_return() -> None:
    with Session(mine=os.getpid()).start() as probe:
        LIBC.labs(ctypes.c_long(1))
        assert probe.runs.value == 2


class Probed(Event):
    a: i32
    b: i64
    c: u8
    d: i16
    e: i32
    f: i32


class Static(Program):
    """The arguments of static probes, in registers, in memory, constant."""

    mine: Pid = 0
    numbers = Ring(Probed)
    found = Hash(key=u32, value=i64)

    @usdt("bee:numbers")
    def on_numbers(self, a: i32, b: i64, c: u8, d: i16, e: i32, f: i32):
        self.numbers.emit(Probed(a=a, b=b, c=c, d=d, e=e, f=f))

    @usdt("bee:indexed")
    def on_indexed(self, first: i64, second: i64, third: i64):
        self.found[1] = first
        self.found[2] = second
        self.found[3] = third + 1

    @usdt("bee:none")
    def on_none(self, number: i8):
        self.found[4] = i64(number)

    @usdt("bee:twice")
    def on_twice(self, value: u64):
        self.found[5 + u32(value > 999)] = i64(value)


class Target:
    """A program with static probes that runs: each number is one round through all of them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None and self.process.stdout.readline() == "ready\n"

    def round(self, number: int) -> None:
        assert self.process.stdin is not None and self.process.stdout is not None
        print(number, file=self.process.stdin, flush=True)
        self.process.stdout.readline()


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Target]:
    if shutil.which("gcc") is None or os.uname().machine != "x86_64":
        pytest.skip("the program with static probes is written for gcc on x86-64")
    path = tmp_path / "target"
    subprocess.run(["gcc", "-O1", "-pie", "-fPIE", "-o", path, SOURCE], check=True)
    running = Target(path)
    try:
        yield running
    finally:
        running.process.communicate(timeout=patience(30))


def test_static_probes(target: Target) -> None:
    with Static(mine=target.process.pid).start(binary=target.path, pid=target.process.pid) as probe:
        for number in (3, 50):
            target.round(number)
            (found,) = list(probe.numbers.events(timeout=0))
            assert (found.a, found.b, found.c, found.d, found.e, found.f) == (
                -number, number << 33, 200 + number, -number, -number, -9,
            )  # fmt: skip
        assert probe.found[4] == -5
        assert (probe.found[5], probe.found[6]) == (50, 1050)
        target.round(2)
        assert (probe.found[1], probe.found[2], probe.found[3]) == (13, 12, 1)
