"""What tests of ``watch`` share: two network namespaces of the test's own, a cgroup, and ``beespace watch`` on it.

The namespaces are joined by a veth pair with offloads on; every process of a test runs in the cgroup, and
``beespace watch --cgroup`` sees that cgroup only.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pace import patience
from readiness import Readiness
from watching import cgroup_root

__all__ = ["Net", "Watch", "cgroup_root", "line", "lose", "lost", "net", "of", "sh", "total", "watched"]

ROOT = Path(__file__).parent.parent.parent


@dataclass
class Net:
    """Two namespaces, joined; a cgroup; and what was started in them."""

    name: str
    cgroup: Path
    addresses: tuple[str, str] = ("10.77.0.1", "10.77.0.2")
    addresses6: tuple[str, str] = ("fd77::1", "fd77::2")
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, side: int, source: str, *arguments: object) -> subprocess.Popen[str]:
        """A Python process in namespace ``side`` and in the test's cgroup."""
        return self.start_program(side, sys.executable, "-c", source, *arguments)

    def start_program(self, side: int, *arguments: object) -> subprocess.Popen[str]:
        """Any program there."""

        def enter() -> None:
            (self.cgroup / "cgroup.procs").write_text(str(os.getpid()))

        command = ["nsenter", f"--net=/run/netns/{self.name}{side}", *map(str, arguments)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=enter)
        self.processes.append(process)
        return process

    def run(self, side: int, source: str, *arguments: object) -> str:
        """The same, to its end; what it printed."""
        process = self.start(side, source, *arguments)
        output, _ = process.communicate("\n", timeout=patience(60))
        return output


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def sh(command: str) -> None:
    subprocess.run(command.split(), check=True, capture_output=True)


@pytest.fixture
def net() -> Iterator[Net]:
    name = f"bst{os.getpid()}x"
    cgroup = cgroup_root() / f"beespace-test-{os.getpid()}"
    bench = Net(name, cgroup)
    try:
        cgroup.mkdir()
        for side in (0, 1):
            sh(f"ip netns add {name}{side}")
        sh(f"ip link add v0 netns {name}0 type veth peer name v0 netns {name}1")
        for side in (0, 1):
            sh(f"ip -n {name}{side} addr add {bench.addresses[side]}/24 dev v0")
            sh(f"ip -n {name}{side} addr add {bench.addresses6[side]}/64 dev v0 nodad")
            sh(f"ip -n {name}{side} link set v0 up")
            sh(f"ip -n {name}{side} link set lo up")
        yield bench
    finally:
        for process in bench.processes:
            process.kill()
            process.communicate()
        for side in (0, 1):
            subprocess.run(["ip", "netns", "del", f"{name}{side}"], capture_output=True)
        deadline = time.monotonic() + patience(5)
        while cgroup.exists() and time.monotonic() < deadline:
            try:
                cgroup.rmdir()
            except OSError:
                time.sleep(0.05)


class Watch:
    """``beespace watch -o json`` on the test's cgroup, and its rows."""

    def __init__(self, cgroup: Path, *options: str, netns: str | None = None) -> None:
        command = [] if netns is None else ["nsenter", f"--net=/run/netns/{netns}"]
        command += [sys.executable, "-m", "beespace", "watch", "-o", "json", "--cgroup", str(cgroup), *options]
        self._readiness = Readiness()
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), **self._readiness.environment}
        # A pipe that nobody reads would stop it.
        self.output = tempfile.TemporaryFile("w+")  # noqa: SIM115  # closed by stop() or by who started it
        self.process = subprocess.Popen(command, stdout=self.output, stderr=subprocess.PIPE, text=True, env=environment)

    def wait_until_ready(self) -> None:
        """Until every program is attached and every older socket has been looked at."""
        self._readiness.wait(self.process)

    def close(self) -> None:
        self.output.close()
        self._readiness.close()

    def stop(self) -> list[dict[str, Any]]:
        self.process.send_signal(signal.SIGINT)
        _nothing, self.errors = self.process.communicate(timeout=patience(30))
        assert self.process.returncode == 0, self.errors
        with self.output:
            self.output.seek(0)
            return [json.loads(text) for text in self.output]


@pytest.fixture
def watched(net: Net) -> Iterator[Callable[..., Watch]]:
    started: list[Watch] = []

    def start(*options: str, side: int | None = None) -> Watch:
        running = Watch(net.cgroup, *options, netns=None if side is None else f"{net.name}{side}")
        started.append(running)
        running.wait_until_ready()
        return running

    yield start
    for each in started:
        if each.process.poll() is None:
            each.process.kill()
            each.process.communicate()
        each.close()


def of(rows: list[dict[str, Any]], local: list[Any], remote: list[Any]) -> list[dict[str, Any]]:
    """The rows of one side of one connection."""
    ends = (local[0], local[1], remote[0], remote[1])
    return [
        row
        for row in rows
        if (row.get("local_address"), row.get("local_port"), row.get("remote_address"), row.get("remote_port")) == ends
    ]


def total(rows: list[dict[str, Any]], column: str) -> int:
    return sum(row[column] or 0 for row in rows)


def lose(net: Net, what: str) -> None:
    """Packets that arrive at side 1 and match are lost, before any socket or program of a cgroup sees them."""
    chain = f"type filter hook prerouting priority -400\n{what} counter drop"
    rules = f"table inet lossy {{\nchain arriving {{\n{chain}\n}}\n}}\n"
    subprocess.run(["nsenter", f"--net=/run/netns/{net.name}1", "nft", "-f", "-"], input=rules, text=True, check=True)


def lost(net: Net) -> int:
    """How many were lost so."""
    command = ["nsenter", f"--net=/run/netns/{net.name}1", "nft", "list", "ruleset"]
    ruleset = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"counter packets (\d+)", ruleset)
    assert found, ruleset
    return int(found[1])
