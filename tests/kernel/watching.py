"""What the tests of ``beespace watch`` share: processes that talk in a cgroup of their own, and the command itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
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
HEADERS = 20 + 20 + 12  # IPv4, TCP, timestamps: of each segment of an established connection
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


def talk(talker: subprocess.Popen[str], echoes: int) -> int:
    """Have a process of :data:`TALK` do so many; bytes that both sides sent."""
    assert talker.stdin is not None and talker.stdout is not None
    talker.stdin.write(f"{echoes}\n")
    talker.stdin.flush()
    assert talker.stdout.readline() == "done\n"
    return 200 * echoes


def cgroup_root() -> Path:
    for mount in Path("/proc/self/mounts").read_text().splitlines():
        _, where, kind, *_ = mount.split()
        if kind == "cgroup2":
            return Path(where)
    pytest.skip("no cgroup v2 is mounted here")


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT / "src"), "TERM": "xterm-256color", "NO_COLOR": ""}


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
