"""The runner that holds beespace against another loader: verdicts, limits, comparison."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from beespace.errors import FormatError, KernelError

ROOT = Path(__file__).resolve().parent.parent.parent
OBJECTS = ROOT / "src" / "beespace" / "probes" / "objects"


@pytest.fixture(scope="module")
def runner() -> ModuleType:
    where = importlib.util.spec_from_file_location("compare_objects", ROOT / "tools" / "compare_objects.py")
    assert where is not None and where.loader is not None
    module = importlib.util.module_from_spec(where)
    where.loader.exec_module(module)
    return module


def row(verdict: str, errno: int = 0, reason: str = "", program: str | None = None) -> dict[str, Any]:
    return {"object": "a.bpf.o", "program": program, "verdict": verdict, "errno": errno, "reason": reason}


def test_what_hangs_dies_or_grows_is_a_verdict(runner: ModuleType) -> None:
    def hang() -> dict[str, Any]:
        time.sleep(60)
        return {}

    def die() -> dict[str, Any]:
        os.kill(os.getpid(), signal.SIGKILL)
        return {}

    start = time.monotonic()
    assert runner.attempt(hang, 0.2, 4096)["verdict"] == "timeout"
    assert time.monotonic() - start < 10
    assert runner.attempt(die, 20, 4096) | {"ms": 0} == {
        "verdict": "crash", "errno": 0, "reason": "ended with -9", "ms": 0,
    }  # fmt: skip
    grown = runner.attempt(lambda: runner.judge("open", lambda: bytearray(8 << 30)), 20, 4096)
    assert (grown["verdict"], grown["reason"].split(":")[0]) == ("crash", "MemoryError")


def test_refusals_and_bugs_are_told_apart(runner: ModuleType) -> None:
    def refused() -> None:
        raise FormatError("no object", offset=3)

    def forbidden() -> None:
        error = KernelError("no", call="bpf", errno=1)
        error.add_note("and this is why")
        raise error

    def bug() -> None:
        raise KeyError("x")

    assert runner.judge("open", refused) | {"log": ""} == {
        "verdict": "open", "errno": 0, "reason": "no object (at offset 0x3)", "log": "",
    }  # fmt: skip
    found = runner.judge("load", forbidden)
    assert (found["verdict"], found["errno"]) == ("load", 1) and found["reason"].endswith("and this is why")
    found = runner.judge("load", bug)
    assert found["verdict"] == "crash" and found["reason"].startswith("KeyError: 'x' (test_compare_objects.py:")


@pytest.mark.parametrize(
    ("ours", "theirs", "kind"),
    [
        (row("ok"), row("ok"), "both accept"),
        (row("load", 22), row("load", 22), "both refuse, same errno"),
        (row("load", 13), row("load", 22), "both refuse, other errno"),
        (row("open"), row("open", 22), "both refuse, same errno"),
        (row("load"), row("load", 22), "both refuse, one without errno"),
        (row("crash"), row("load"), "both refuse, other errno"),
        (row("load", 22), row("ok"), "accepted by them only"),
        (row("ok"), row("open", 22), "accepted by us only"),
    ],
)
def test_kinds(runner: ModuleType, ours: dict[str, Any], theirs: dict[str, Any], kind: str) -> None:
    assert runner.kind(ours, theirs) == kind


def test_differences_are_grouped_by_reason(runner: ModuleType) -> None:
    key = ("a.bpf.o", None, None)
    ours: dict[tuple[str, str | None, None], dict[str, Any]] = {}
    theirs: dict[tuple[str, str | None, None], dict[str, Any]] = {}
    for number, name in enumerate(("one", "two")):
        ours["a.bpf.o", name, None] = row("load", 22, f"program '{name}' has {number} instructions", name)
        theirs["a.bpf.o", name, None] = row("ok", program=name)
    ours[key] = theirs[key] = row("ok")
    lines = list(runner.table(runner.compare(ours, theirs), 1))
    assert lines[1].split() == ["both", "accept", "1", "0"]
    assert "accepted by them only, 2: we: EINVAL: program '...' has N instructions" in "\n".join(lines)
    assert sum(line.startswith("    a.bpf.o") for line in lines) == 1


def test_programs_of_an_unreadable_object_are_not_missing(runner: ModuleType) -> None:
    ours = {("a.bpf.o", None, None): row("open")}
    theirs = {("a.bpf.o", None, None): row("ok"), ("a.bpf.o", "one", None): row("ok", program="one")}
    found = runner.compare(ours, theirs)
    assert not found["in one file only"] and len(found["accepted by them only"]) == 1


def test_reads_a_folder(runner: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = next(OBJECTS.glob("*.o"))
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "good.bpf.o").write_bytes(good.read_bytes())
    (tmp_path / "bad.bpf.o").write_bytes(good.read_bytes()[:100])
    ours, theirs = tmp_path / "ours.jsonl", tmp_path / "theirs.jsonl"
    assert runner.main([str(tmp_path), "--stage", "read", "--output", str(ours)]) == 0
    rows = [json.loads(line) for line in ours.read_text().splitlines()]
    assert [(each["object"], each["verdict"]) for each in rows] == [("bad.bpf.o", "open"), ("deep/good.bpf.o", "ok")]

    theirs.write_text("".join(json.dumps(each | {"verdict": "ok"}) + "\n" for each in rows))
    compare = [str(tmp_path), "--verdicts", str(ours), "--against", str(theirs)]
    assert runner.main(compare) == 1
    assert "accepted by them only, 1: we: open:" in capsys.readouterr().out
    assert runner.main([*compare, "--only", "deep/*"]) == 0
