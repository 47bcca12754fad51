"""What the tests of ``beespace watch`` share: processes that talk in a cgroup of their own, and the command itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from pace import patience

ROOT = Path(__file__).parent.parent.parent
BEESPACE = [sys.executable, "-m", "beespace"]
WATCH = [*BEESPACE, "watch"]

# A client and a server in one process; says its port, and answers each line of standard input with so many echoes.
TALK = """
import os, socket, sys
listener = socket.create_server(("127.0.0.1", 0))
near = socket.create_connection(listener.getsockname())
far = listener.accept()[0]
print(listener.getsockname()[1], flush=True)
for line in sys.stdin:
    for _ in range(int(line)):
        near.sendall(b"q" * 100)
        far.recv(1000)
        far.sendall(b"a" * 100)
        near.recv(1000)
    print("done", flush=True)
"""
# The same without being asked.
CHATTER = """
import socket, time
listener = socket.create_server(("127.0.0.1", 0))
near = socket.create_connection(listener.getsockname())
far = listener.accept()[0]
print(listener.getsockname()[1], flush=True)
while True:
    near.sendall(b"q" * 1000)
    far.recv(1000)
    time.sleep(0.01)
"""


class Place:
    """A cgroup of the test's own, and what runs in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.processes: list[subprocess.Popen[str]] = []

    def start(self, command: list[str], **options: Any) -> subprocess.Popen[str]:
        """``command`` in the cgroup, from its first instruction on."""
        enter = ["sh", "-c", 'echo $$ >"$0/cgroup.procs" && exec "$@"', str(self.path), *command]
        process = subprocess.Popen(enter, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **options)
        self.processes.append(process)
        return process

    def talker(self, source: str = CHATTER) -> tuple[subprocess.Popen[str], int]:
        """A process that talks over loopback, and its server's port."""
        process = self.start([sys.executable, "-c", source])
        assert process.stdout is not None
        return process, int(process.stdout.readline())


def cgroup_root() -> Path:
    for mount in Path("/proc/self/mounts").read_text().splitlines():
        _, where, kind, *_ = mount.split()
        if kind == "cgroup2":
            return Path(where)
    pytest.skip("no cgroup v2 is mounted here")


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT / "src"), "TERM": "xterm-256color", "NO_COLOR": ""}


def wait_until_attached(place: Path, process: subprocess.Popen[Any], watchers: int = 1) -> None:
    """Until the programs of so many watchers are attached to ``place``."""
    deadline = time.monotonic() + patience(30)
    while time.monotonic() < deadline:
        shown = subprocess.run(["bpftool", "-j", "cgroup", "show", str(place)], capture_output=True, text=True)
        if len(json.loads(shown.stdout.strip() or "[]")) >= 11 * watchers:
            time.sleep(0.5)  # the iterators that look for older sockets run next
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    raise AssertionError("beespace watch did not attach within 30 s")


def end(process: subprocess.Popen[str], how: signal.Signals = signal.SIGINT) -> tuple[str, str]:
    process.send_signal(how)
    output, errors = process.communicate(timeout=patience(30))
    assert process.returncode == 0, errors
    return output, said(errors)


def said(errors: str) -> str:
    """What it said, without the notes on what this kernel does not have."""
    return "".join(line for line in errors.splitlines(keepends=True) if ": note: " not in line)


def rows_of(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]
