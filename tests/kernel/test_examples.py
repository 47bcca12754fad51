"""Every file in ``examples/`` is run against this kernel and against programs that the test executed itself."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pace import patience

from beespace.session.files import program_of

pytestmark = pytest.mark.kernel

ROOT = Path(__file__).parent.parent.parent
EXAMPLES = ROOT / "examples"
NOBODY_ELSE = 47_811  # a user that runs nothing on this machine but what a test starts


@pytest.fixture
def executable() -> Iterator[Path]:
    """A program with a name that nothing else on this machine has; any user may execute it."""
    with tempfile.TemporaryDirectory(prefix="beespace-test-") as folder:
        Path(folder).chmod(0o755)
        path = Path(folder) / f"bst{os.getpid()}"
        shutil.copy(shutil.which("true") or "/bin/true", path)
        path.chmod(0o755)
        yield path


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiled objects go where the test can throw them away."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def execute(path: Path, times: int, user: int | None = None) -> list[int]:
    """Run ``path`` that often; the pids."""
    pids = []
    for _ in range(times):
        process = subprocess.Popen([path], user=user)
        assert process.wait() == 0
        pids.append(process.pid)
    return pids


@pytest.mark.usefixtures("cached", "no_leaks")
def test_exec_counter_counts_exactly(executable: Path) -> None:
    counter: Any = program_of(EXAMPLES / "exec_counter.py")
    with counter() as probe:
        pids = execute(executable, 37)
        events = list(probe.execs.events(0.2))
        assert probe.by_comm[executable.name] == 37
        assert probe.execs.lost == 0
        assert probe.total.value >= len(events)
    mine = [event for event in events if event.path == str(executable)]
    assert [event.pid for event in mine] == pids
    assert {event.comm for event in mine} == {executable.name}
    assert [event.time for event in mine] == sorted(event.time for event in mine)
    now = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    assert all(0 < now - event.time < 60_000_000_000 for event in mine)


@pytest.mark.usefixtures("cached", "no_leaks")
def test_exec_counters_option_reaches_the_kernel(executable: Path) -> None:
    """``min_uid`` leaves out everybody but the test's own user, so that even the total is known."""
    counter: Any = program_of(EXAMPLES / "exec_counter.py")
    with counter(min_uid=NOBODY_ELSE) as probe:
        execute(executable, 5)
        pids = execute(executable, 21, user=NOBODY_ELSE)
        events = list(probe.execs.events(0.2))
        assert probe.total.value == probe.by_comm[executable.name] == 21
        assert dict(probe.by_comm.items()) == {executable.name: 21}
    assert [(event.pid, event.path) for event in events] == [(pid, str(executable)) for pid in pids]


@pytest.mark.usefixtures("cached", "no_leaks")
def test_exec_counter_as_arrow(executable: Path) -> None:
    counter: Any = program_of(EXAMPLES / "exec_counter.py")
    with counter(min_uid=NOBODY_ELSE) as probe:
        pids = execute(executable, 8, user=NOBODY_ELSE)
        batches = list(probe.execs.batches(0.2))
    assert [pid for batch in batches for pid in batch.records.column("pid").to_pylist()] == pids
    assert {path for batch in batches for path in batch.records.column("path").to_pylist()} == {str(executable)}
    assert not any(any(batch.lost.values()) for batch in batches)


def test_a_full_ring_is_counted(executable: Path, cached: None) -> None:
    """Nobody reads, and 4 KiB hold a dozen events: what is not in the ring is in ``lost``."""
    counter: Any = program_of(EXAMPLES / "exec_counter.py")
    probe = counter(min_uid=NOBODY_ELSE)
    probe.execs.max_entries = 4096
    with probe:
        execute(executable, 40, user=NOBODY_ELSE)
        assert probe.total.value == 40
        lost = probe.execs.lost
        events = list(probe.execs.events(0.2))
        assert 0 < lost < 40
        assert len(events) + lost == 40


def printed_by(file: Path, cache: Path, work: Callable[[], None], done: Callable[[str], bool]) -> str:
    """What ``python FILE`` prints while ``work`` is done, until it is enough; Ctrl-C ends it."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT / "src"),
        "PYTHONUNBUFFERED": "1",
        "PYTHONFAULTHANDLER": "1",
        "XDG_CACHE_HOME": str(cache),
    }
    lines: list[str] = []
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell's background jobs; and so would be what we start
        signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(
        [sys.executable, str(file)], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None and process.stderr is not None
            reader = threading.Thread(target=lambda: lines.extend(process.stdout or ()))
            reader.start()
            deadline = time.monotonic() + patience(30)
            while not lines:  # any program that the machine executes; ours make sure that there is one
                if time.monotonic() > deadline or process.poll() is not None:
                    process.send_signal(signal.SIGABRT)  # says where it stands: faulthandler is on
                    pytest.fail(f"{file.name} printed nothing\n{process.stderr.read()}")
                subprocess.run(["true"], check=True)
                time.sleep(0.02)
            work()
            while not done("".join(lines)) and time.monotonic() < deadline:
                time.sleep(0.05)
            process.send_signal(signal.SIGINT)
            errors = process.stderr.read()
            reader.join()
        finally:
            if process.poll() is None:
                process.kill()
    assert "Error" not in errors, errors
    return "".join(lines)


def check_exec_counter(cache: Path, executable: Path) -> None:
    pids: list[int] = []
    output = printed_by(
        EXAMPLES / "exec_counter.py",
        cache,
        lambda: pids.extend(execute(executable, 12)),
        lambda text: text.count(f" {executable} ") >= 12,
    )
    rows = [line.split() for line in output.splitlines()]
    mine = [row for row in rows if row[1] == str(executable)]
    assert [int(row[0]) for row in mine] == pids
    totals = [int(row[-1]) for row in mine]
    assert totals == sorted(totals) and totals[0] >= 1


def check_open_object(cache: Path, executable: Path) -> None:
    """It opens what the other example builds: the events' struct is found by the ring's name."""
    counter: Any = program_of(EXAMPLES / "exec_counter.py")
    cache.mkdir()
    counter.build(cache / "execs.bpf.o")
    command = [sys.executable, "-u", str(EXAMPLES / "open_object.py"), str(cache / "execs.bpf.o"), "1", "min_uid=64998"]
    with subprocess.Popen(
        command, env={**os.environ, "PYTHONPATH": str(ROOT / "src")}, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("on_exec is attached to ")
        pids = execute(executable, 3, user=64998)
        rest = process.stdout.read()
    assert process.returncode == 0
    assert [rest.count(f"pid={pid}, ") for pid in pids] == [1, 1, 1]


AS_PROGRAMS: dict[str, Callable[[Path, Path], None]] = {
    "exec_counter.py": check_exec_counter,
    "open_object.py": check_open_object,
}


# Those that have a test of their own, and where it is.
ELSEWHERE = {"reno.py": "test_struct_ops_class.py", "scheduler.py": "test_struct_ops_scheduler.py"}
FILES = sorted(file for file in EXAMPLES.glob("*.py") if file.name not in ELSEWHERE)


@pytest.mark.parametrize("name", ELSEWHERE)
def test_what_is_tested_elsewhere(name: str) -> None:
    assert f'"{name}"' in (Path(__file__).parent / ELSEWHERE[name]).read_text()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_as_a_program(file: Path, tmp_path: Path, executable: Path) -> None:
    assert file.name in AS_PROGRAMS, f"{file.name} has no test: add what it should print to AS_PROGRAMS"
    AS_PROGRAMS[file.name](tmp_path / "cache", executable)
