"""Every file in ``examples/tools`` is run, and what it says is held against what the test did."""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from beespace.session.files import program_of

pytestmark = pytest.mark.kernel

TOOLS = Path(__file__).parent.parent.parent / "examples" / "tools"


@pytest.fixture(autouse=True)
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiled objects go where the test can throw them away."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def mine(events: Any, **wanted: Any) -> list[Any]:
    """The events that are there and have these values; others on this machine cause some meanwhile."""
    return [event for event in events if all(getattr(event, name) == value for name, value in wanted.items())]


def drops(probe: Any, tmp_path: Path) -> None:
    def to_nobody() -> int:
        return sum(count for drop, count in probe.drops.items() if drop.protocol == 0x0800)

    before = to_nobody()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        nobody = free.getsockname()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _ in range(5):
            sender.sendto(b"nobody listens", nobody)
    assert to_nobody() - before >= 5


def exits(probe: Any, tmp_path: Path) -> None:
    began = time.monotonic()
    process = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read(); sys.exit(7)"], stdin=-1)
    process.communicate()
    lived = time.monotonic() - began
    killed = subprocess.Popen(["sleep", "60"])
    killed.kill()
    killed.wait()
    found = list(probe.exits.available())
    (ended,) = mine(found, pid=process.pid)
    assert (ended.parent, ended.status) == (os.getpid(), 7)
    assert 0 < ended.age <= lived * 1e9 + 1e8
    assert [event.status for event in mine(found, pid=killed.pid)] == [-signal.SIGKILL]


def faults(probe: Any, tmp_path: Path) -> None:
    pages = 500
    touching = f"import mmap; m = mmap.mmap(-1, {pages} * 4096)\nfor i in range({pages}): m[i * 4096] = 1"
    naming = "open('/proc/self/comm', 'w').write('bee_faults')"
    subprocess.run([sys.executable, "-c", f"{naming}\n{touching}"], check=True)
    assert probe.faults["bee_faults"] >= pages


def mounts(probe: Any, tmp_path: Path) -> None:
    command = ["unshare", "--mount", "mount", "-t", "tmpfs", "bee-source", str(tmp_path)]
    subprocess.run(command, check=True)
    found = mine(probe.mounts.available(), source="bee-source")
    if not found:
        pytest.skip("this mount(8) uses fsmount(), which is another system call")
    assert [(event.target, event.type, event.result, event.comm) for event in found] == [
        (str(tmp_path), "tmpfs", 0, "mount")
    ]


def open_files(probe: Any, tmp_path: Path) -> None:
    files = [(tmp_path / str(number)).open("w") for number in range(20)]
    try:
        probe.iterate("on_file")
        listed = len(list(Path("/proc/self/fd").iterdir())) - 1  # the one that lists
        assert probe.files[os.getpid()] == listed + 2  # the iterator, and what it is made from
    finally:
        for file in files:
            file.close()


def opens(probe: Any, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("")
    with pytest.raises(FileNotFoundError):
        (tmp_path / "missing").read_text()
    found = mine(probe.opens.available(), pid=os.getpid())
    results = {event.path: event.result for event in found}
    assert results[str(path)] > 2
    assert results[str(tmp_path / "missing")] == -errno.ENOENT


def signals(probe: Any, tmp_path: Path) -> None:
    target = subprocess.Popen(["sleep", "60"])
    while Path(f"/proc/{target.pid}/comm").read_text() != "sleep\n":
        time.sleep(0.01)
    target.send_signal(signal.SIGUSR1)
    target.wait()
    (sent,) = mine(probe.signals.available(), target=target.pid, signal=signal.SIGUSR1)
    assert (sent.sender, sent.target_comm) == (os.getpid(), "sleep")


def softirqs(probe: Any, tmp_path: Path) -> None:
    timer = 1
    before = probe.count[timer]
    time.sleep(0.3)
    assert probe.count[timer] > before
    assert 0 < probe.time[timer] < 60e9


def syscalls(probe: Any, tmp_path: Path) -> None:
    getppid = {"x86_64": 110, "aarch64": 173}[os.uname().machine]
    libc = ctypes.CDLL(None)
    for _ in range(1234):
        libc.getppid()
    counts = {call.number: count for call, count in probe.calls.items() if call.pid == os.getpid()}
    assert counts[getppid] == 1234


def tcp_states(probe: Any, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as client:
        port = server.getsockname()[1]
        client.connect(("127.0.0.1", port))
        with server.accept()[0]:
            pass
        client.recv(1)
    time.sleep(0.1)
    found = list(probe.changes.available())
    there = [(event.old, event.new) for event in mine(found, remote_port=port)]
    assert there[:3] == [(7, 2), (2, 1), (1, 8)]  # CLOSE, SYN_SENT, ESTABLISHED, CLOSE_WAIT
    assert {event.remote_address for event in mine(found, remote_port=port)} == {"127.0.0.1"}
    assert (7, 10) in [(event.old, event.new) for event in mine(found, port=port)]  # LISTEN


CHECKS: dict[str, Callable[[Any, Path], None]] = {
    check.__name__: check
    for check in (
        drops, exits, faults, mounts, open_files, opens, signals, softirqs, syscalls, tcp_states,
    )
}  # fmt: skip

FILES = sorted(TOOLS.glob("*.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
@pytest.mark.usefixtures("no_leaks")
def test_tool(file: Path, tmp_path: Path) -> None:
    assert file.stem in CHECKS, f"{file.name} has no test: add what it should say to CHECKS"
    program: Any = program_of(file)
    with program() as probe:
        CHECKS[file.stem](probe, tmp_path)
