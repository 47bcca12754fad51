"""Coverage of the kernel side: held against a hand-made expectation, and against what CPython's own trace sees."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from beespace.cli.test import plugin_name
from beespace.lang import Global, Hash, Program, Struct, function, xdp
from beespace.session.marked import Measured, measure
from beespace.types import SpinLock, spin_lock, u32, u64

SOURCE = str(Path(__file__).parents[2] / "src")


@pytest.fixture(autouse=True)
def shipped_types(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.setenv("BEESPACE_BTF", "shipped")


class Walks(Program):
    first: u32 = 0
    second: u32 = 0
    result = Global(u32, 0)

    @xdp
    def on_packet(self, ctx):
        self.result.value = self.walk(self.first, self.second)
        return 2

    @function
    def walk(self, n: u32, m: u32) -> u32:
        """Statements of all kinds."""
        total: u32 = 0
        for number in range(6):
            if number == n:
                continue
            if number > m:
                break
            total += number
        else:
            total += 100
        while total > 5:
            total -= 3
            if total == m:
                break
        match n % 4:
            case 0:
                total += 1
            case 1 | 2 if m > 3:
                total += 2
            case other:
                total += other
        if n > m and total > 3:
            return total
        for _ in range(m & 3):
            for _ in range(2):
                total += 1
        if n == 7:
            pass
        return (
            total
            + 1
        )  # fmt: skip


def traced(code: Any, *arguments: int) -> tuple[int, set[tuple[int, int]]]:
    """What CPython runs: the result, and the arcs between first lines of statements."""
    arcs: set[tuple[int, int]] = set()
    latest = -code.__code__.co_firstlineno

    def see(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal latest
        if frame.f_code is not code.__code__:
            return None
        line = _first(frame.f_lineno, code.__code__.co_filename)
        if event == "line" and line != latest:
            arcs.add((latest, line))
            latest = line
        elif event == "return":
            arcs.add((latest, -code.__code__.co_firstlineno))
        return see

    before = sys.gettrace()
    sys.settrace(see)
    try:
        result = code(None, *arguments)
    finally:
        sys.settrace(before)
    return result, arcs


def _first(line: int, file: str) -> int:
    """The first line of the statement: the only one here that has several is the last return."""
    lines = Path(file).read_text().splitlines()
    return line - 1 if lines[line - 1].strip() == "total" else line - 2 if lines[line - 1].strip() == "+ 1" else line


@pytest.mark.parametrize("n", range(9))
@pytest.mark.parametrize("m", [0, 2, 5, 7])
def test_lines_come_as_cpython_runs_them(n: int, m: int) -> None:
    walk = Walks.declaration().functions["walk"]
    expected, arcs = traced(walk, n, m)
    measured = Measured()
    measure(measured)
    try:
        with Walks(first=n, second=m).simulate() as probe:
            probe.test_run("on_packet", bytes(64))
            assert probe.result.value == expected
    finally:
        measure(None)
    begin = -walk.__code__.co_firstlineno
    inside = range(walk.__code__.co_firstlineno, walk.__code__.co_firstlineno + 60)
    ours = {arc for arc in measured.arcs[__file__] if abs(arc[0]) in inside and abs(arc[1]) in inside}
    assert ours == arcs
    assert {arc for arc in ours if arc[0] == begin}


class Slot(Struct):
    lock: SpinLock = spin_lock()
    count: u64


class Locked(Program):
    slots = Hash(key=u32, value=Slot)

    @xdp
    def on_packet(self, ctx):
        slot = self.slots.get_or_create(0)
        if slot is not None:
            with slot.lock:
                slot.count += 1
        return 2


def test_a_lock_is_no_obstacle() -> None:
    measured = Measured()
    measure(measured)
    try:
        with Locked().simulate() as probe:
            probe.test_run("on_packet", bytes(64))
            assert probe.slots[0].count == 1
    finally:
        measure(None)
    first = Locked.declaration().functions["on_packet"].__code__.co_firstlineno
    assert sorted(line - first for line in measured.lines[__file__]) == [2, 3, 4, 5, 6]


def test_without_a_measurement_the_object_is_another() -> None:
    with Locked().simulate() as probe:
        assert 0xBEE not in probe.program("on_packet").machine.helpers


PROBE = '''
from beespace import Counter, Hash, Program, bpf, function, xdp
from beespace.types import u8, u32, u64


class Many(Program):
    """Some of everything."""

    short = Counter()
    seen = Hash(key=u8, value=u64)
    limit: u32 = 60

    @xdp
    def on_packet(self, ctx):
        """What it does."""
        length = bpf.packet_length(ctx)
        if length < self.limit:
            self.short += 1
            return 1
        elif length > 1000:
            self.big(length)
        for number in range(4):
            if number == 7:
                continue
            self.seen[1] += number
        match length % 4:
            case 0:
                self.seen[0] += 1
            case _:
                pass
        return 2

    @function
    def big(self, length: u32):
        if length > 2000:
            self.seen[9] += 1
        self.seen[8] += 1


def plain(number):
    return number + 1
'''
TESTS = """
from probe import Many, plain


def test_many(vm):
    probe = vm(Many)
    probe.test_run("on_packet", bytes(64))
    probe.test_run("on_packet", bytes(1200))
    assert plain(1) == 2
"""
RUN = [2, 3, 6, 9, 10, 11, 13, 14, 16, 17, 20, 21, 22, 23, 25, 26, 27, 28, 31, 33, 34, 35, 37, 40, 41]
MISSING = [18, 19, 24, 29, 30, 36]
BRANCHES = [[17, 20], [20, 21], [20, 22], [22, 23], [22, 26], [23, 25], [27, 28], [35, 37]]
MISSING_BRANCHES = [[17, 18], [23, 24], [27, 29], [35, 36]]


@pytest.mark.parametrize(
    "command",
    [
        ["-m", "coverage", "run", "--branch", "--source=.", "-m", "pytest"],
        ["-m", "pytest", "--cov=.", "--cov-branch", "--cov-report="],
    ],
    ids=["coverage run", "pytest --cov"],
)
def test_the_usual_report_has_the_kernel_side(tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "probe.py").write_text(PROBE)
    (tmp_path / "test_probe.py").write_text(TESTS)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV"))}
    environment |= {"PYTHONPATH": SOURCE, "XDG_CACHE_HOME": str(tmp_path / "cache"), "BEESPACE_BTF": "shipped"}
    command = [*command, "-q", "-p", plugin_name(), "-p", "no:cacheprovider"]
    for each in (command, ["-m", "coverage", "json", "-q"]):
        done = subprocess.run(
            [sys.executable, *each], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "coverage.json").read_text())["files"]["probe.py"]
    assert (report["executed_lines"], report["missing_lines"]) == (RUN, MISSING)
    assert (report["executed_branches"], report["missing_branches"]) == (BRANCHES, MISSING_BRANCHES)
