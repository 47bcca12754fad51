"""``beespace build``: every form of a program that it shows, and the report."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from beespace.cli.main import main
from beespace.elf import read

SOURCE = '''
from beespace import Counter, Hash, Program, bpf, function, tracepoint
from beespace.types import Text, text, u64
from beespace import Struct


class Key(Struct):
    name: Text = text(16)
    path: Text = text(256)
    other: Text = text(256)


class Probe(Program):
    """Counts."""

    least: u64 = 3
    total = Counter()
    names = Hash(key=Key, value=u64, max_entries=100)

    @tracepoint("sched:sched_process_exec")
    def on_exec(self, ctx):
        if self.wanted(bpf.pid()):
            self.total += 1
        self.names[Key(name=bpf.comm(), path=ctx.filename)] += 1

    @function
    def wanted(self, pid: u64) -> bool:
        return pid >= self.least
'''


@pytest.fixture
def probe(tmp_path: Path) -> Path:
    file = tmp_path / "probe.py"
    file.write_text(SOURCE)
    return file


def test_ir(probe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", str(probe), "--emit", "ir"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("module Probe, license GPL\n")
    assert "global least: u64 in .rodata = 0300000000000000" in out
    assert "function on_exec(ctx: *ctx) -> i32 section 'tracepoint/sched/sched_process_exec' else 0:" in out
    assert not (probe.parent / "probe.bpf.o").exists()


def test_llvm(probe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", str(probe), "--emit", "llvm"]) == 0
    out = capsys.readouterr().out
    assert 'target triple = "bpfel"' in out and "define" in out and "on_exec" in out


def test_assembly_has_source_and_names(probe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "probe.s"
    assert main(["build", str(probe), "--emit", "asm", "-o", str(target)]) == 0
    assert capsys.readouterr().out == ""
    lines = target.read_text().splitlines()
    assert lines[0] == "program on_exec, section tracepoint/sched/sched_process_exec:"
    at = next(
        number
        for number, line in enumerate(lines)
        if line.endswith("self.names[Key(name=bpf.comm(), path=ctx.filename)] += 1")
    )
    assert re.fullmatch(r"; probe\.py:\d+: .*", lines[at])
    assert any(line.endswith("; map names") for line in lines[at:])
    assert any("; trace_event_raw_sched_process_exec.__data_loc_filename" in line for line in lines)
    assert any(re.match(r"\s+\d+: \(85\) call", line) for line in lines)


def test_object_and_report(probe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "x.bpf.o"
    assert main(["build", str(probe), "-o", str(target), "--report", "json"]) == 0
    report = json.loads(capsys.readouterr().out)
    spec = read(target.read_bytes(), "x")
    assert report["bytes"] == target.stat().st_size
    (program,) = report["programs"]
    assert program["section"] == "tracepoint/sched/sched_process_exec"
    assert program["instructions"] == len(spec.programs["on_exec"].entry.code) // 8
    assert 0 < program["stack"] <= 512
    assert {"name": "bpf_get_current_comm", "since": "4.2"} in program["helpers"]
    names = next(each for each in report["maps"] if each["name"] == "names")
    assert names == {
        "name": "names", "type": "hash", "key_size": 528, "value_size": 8, "max_entries": 100, "bytes": 53600,
        "per_cpu": False,
    }  # fmt: skip
    assert any("on_exec() needs more memory than the 512 bytes of stack" in note for note in report["notes"])


def test_report_in_words(probe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", str(probe), "--emit", "ir", "-o", str(probe.with_suffix(".ir")), "--report"]) == 0
    out = capsys.readouterr().out
    assert "program on_exec  (tracepoint/sched/sched_process_exec, Linux 4.7)" in out
    assert re.search(r"^  stack +\d+ of 512 bytes: on_exec \d+", out, re.MULTILINE)
    assert re.search(r"^  names +hash +528 -> 8 +bytes +100 entries  52\.34 KiB$", out, re.MULTILINE)


def test_where_nothing_can_be_written(probe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", str(probe), "--emit", "ir", "-o", "/nowhere/x.ir"]) == 2
    assert "cannot write /nowhere/x.ir" in capsys.readouterr().err
