"""What tests of many share: the agent in a process of its own, and load in a cgroup and network namespace."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from flow_net import ROOT, Net

__all__ = ["MIB", "Agent", "agent", "compiled", "said"]

MIB = 1 << 20


class Agent:
    """``agent.py``, running; what it costs is measured from when everything was attached."""

    def __init__(self, folder: Path, cgroup: Path, options: Mapping[str, Any]) -> None:
        self._file = folder / "report"
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).parent / "agent.py"), json.dumps({"cgroup": str(cgroup), **options})],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        )  # fmt: skip
        self.began: dict[str, Any] = json.loads(self._line())

    def _line(self) -> str:
        assert self._process.stdout is not None
        text = self._process.stdout.readline()
        assert text, "the agent has ended"
        return text

    def report(self) -> dict[str, Any]:
        """Everything since the start."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"report {self._file}\n")
        self._process.stdin.flush()
        found: dict[str, Any] = json.loads(self._line())
        return found

    def kept(self, table: str) -> pa.Table:
        """The kept columns of the last report."""
        with pa.memory_map(f"{self._file}.{table}") as source:
            return pa.ipc.open_file(source).read_all()

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture
def agent(net: Net, tmp_path: Path) -> Iterator[Callable[..., Agent]]:
    started: list[Agent] = []

    def start(**options: Any) -> Agent:
        started.append(Agent(tmp_path, net.cgroup, options))
        return started[-1]

    yield start
    for each in started:
        each.close()


def compiled(folder: Path, source: str, *flags: str) -> Path:
    """A program in C, built without a C library where ``flags`` say so."""
    program = folder / "program"
    subprocess.run(["clang", "-O2", *flags, "-x", "c", "-", "-o", str(program)], input=source, text=True, check=True)
    return program


def said(what: str, figures: Mapping[str, object]) -> None:
    """A line of figures; shown by ``make test-scale``."""
    print(f"{what}: " + ", ".join(f"{name} {value}" for name, value in figures.items()))
