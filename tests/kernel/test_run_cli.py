"""``beespace run FILE.py``: what a program prints, its options with their comments, how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from readiness import Readiness

pytestmark = pytest.mark.kernel

SOURCE = '''
"""A file with two programs."""
from beespace import Counter, Program, bpf, tracepoint
from beespace.types import u32


class Printing(Program):
    """Prints the exits of one process."""

    wanted: u32 = 0  # the process to look at
    total = Counter()

    @tracepoint("sched:sched_process_exit")
    def on_exit(self, ctx):
        if bpf.pid() == self.wanted:
            self.total += 1
            print(f"process {bpf.pid()} ends")


class Quiet(Program):
    @tracepoint("sched:sched_process_exit")
    def on_exit(self, ctx):
        pass
'''


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = tmp_path / "two.py"
    path.write_text(SOURCE)
    return path


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "beespace", "run", *arguments]


def test_help(file: Path) -> None:
    done = subprocess.run(command(str(file), "--program", "Printing", "--help"), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Printing: Prints the exits of one process." in done.stdout
    assert "  --wanted" in done.stdout and "the process to look at" in done.stdout


def test_several_programs(file: Path) -> None:
    done = subprocess.run(command(str(file), "--for", "1s"), capture_output=True, text=True)
    assert done.returncode == 2
    assert "several programs: Printing, Quiet" in done.stderr and "choose with --program" in done.stderr


@pytest.mark.parametrize("output", ["table", "json"])
def test_what_it_prints_comes_as_it_is_printed(file: Path, output: str) -> None:
    child = subprocess.Popen(["sleep", "1000"])
    words = command(str(file), "--program", "Printing", "--wanted", str(child.pid), "-o", output)
    readiness = Readiness()
    running = subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | readiness.environment
    )
    try:
        with closing(readiness):
            readiness.wait(running)
        child.kill()
        child.wait()
        assert running.stdout is not None
        line = running.stdout.readline()
        if not line:
            pytest.skip("this machine has no tracefs instance to read")
    finally:
        child.kill()
        child.wait()
        running.send_signal(signal.SIGINT)
        rest, errors = running.communicate(timeout=30)
    if "cannot be shown" in errors:
        pytest.skip(errors)
    said = f"process {child.pid} ends"
    assert (json.loads(line) == {"print": said}) if output == "json" else line.rstrip() == said
    assert running.returncode == 0, errors
    assert "total" in rest


def test_errors_end_with_their_status(tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text(SOURCE.replace("sched_process_exit", "sched_process_exits"))
    done = subprocess.run(command(str(bad), "--program", "Quiet"), capture_output=True, text=True)
    assert done.returncode == 1
    assert "bad.py:" in done.stderr and "Traceback" not in done.stderr
