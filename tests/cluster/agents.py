"""Our agent as a service of each machine: `beespace serve`, as root, with a kubeconfig."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cluster import Cluster
from machine import Machine

SOURCES = Path(__file__).parents[2] / "src"
ENVIRONMENT = {"PYTHONPATH": str(SOURCES), "PYTHONDONTWRITEBYTECODE": "1"}
BEESPACE = [sys.executable, "-m", "beespace"]


class Agent:
    """The agent of one machine, and its history."""

    def __init__(self, cluster: Cluster, machine: Machine) -> None:
        self.machine = machine
        self.store = machine.root / f"agent-{uuid.uuid4().hex[:6]}"
        log = machine.root / "agent.log"
        self._before = len(log.read_text()) if log.exists() else 0  # other agents of this machine said that
        self._process = machine.spawn(
            "agent",
            [
                *BEESPACE, "serve", f"--store={self.store}", f"--kubeconfig={cluster.kubeconfig}",
                f"--node={machine.node}",
            ],
            ENVIRONMENT,
        )  # fmt: skip

    @property
    def ready(self) -> bool:
        assert self._process.poll() is None, self.said()
        return self.page("readyz") == "running\n"

    def page(self, name: str) -> str:
        """What it says over HTTP."""
        command = ["busybox", "wget", "-q", "-O", "-", f"http://127.0.0.1:9470/{name}"]
        return subprocess.run(self.machine.connect(command), capture_output=True, text=True).stdout

    def query(self, sql: str) -> list[dict[str, Any]]:
        """Ask the history."""
        done = subprocess.run(
            [*BEESPACE, "query", sql, f"--store={self.store}", "-o", "json"],
            capture_output=True, text=True, env={**os.environ, **ENVIRONMENT},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def said(self) -> str:
        """What it has said since its start."""
        return (self.machine.root / "agent.log").read_text()[self._before :]

    def stop(self) -> None:
        """End it as an init system does; what it has seen is then in the history."""
        if self._process.poll() is None:
            (child,) = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
            os.kill(int(child), signal.SIGTERM)
        assert self._process.wait(120) == 0, self.said()
        assert "nothing lost" in self.said(), self.said()


@contextlib.contextmanager
def agents(cluster: Cluster) -> Iterator[dict[str, Agent]]:
    """One on each machine, all of them ready."""
    running = {name: Agent(cluster, machine) for name, machine in cluster.machines.items()}
    try:
        for agent in running.values():
            cluster.until(lambda: agent.ready, "the agent is ready")  # noqa: B023
        yield running
    finally:
        for agent in running.values():
            agent.stop()
