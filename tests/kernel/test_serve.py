"""``beespace serve``: what it saw is in the store when it ends, it says how it is, one agent follows another."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pace import patience
from watching import BEESPACE, HEADERS, TALK, Place, environment, said, talk

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("flows_load")]


class Agent:
    """A running ``beespace serve``."""

    def __init__(self, place: Place, store: Path, *options: str) -> None:
        command = [*BEESPACE, "serve", "--listen", "127.0.0.1:0", "--store", str(store), "--interval", "200ms"]
        self._errors, writing = os.pipe()
        self.process = subprocess.Popen(
            [*command, "--cgroup", str(place.path), *options], stderr=writing, env=environment()
        )
        os.close(writing)
        self.errors = ""
        self.url = self.until_it_says(r"(http://[^/]+)/healthz")

    def until_it_says(self, pattern: str) -> str:
        while not (found := re.search(pattern, self.errors)):
            part = os.read(self._errors, 4096).decode()
            assert part, self.errors
            self.errors += part
        return found[1]

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(self.url + path, timeout=60) as got:
                return got.status, got.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def until(self, path: str, status: int, text: str = "") -> None:
        deadline = time.monotonic() + patience(60)
        while (answer := self.get(path))[0] != status or text not in answer[1]:
            assert time.monotonic() < deadline, (answer, self.errors)
            time.sleep(0.05)

    def metrics(self) -> dict[str, float]:
        lines = (line.rpartition(" ") for line in self.get("/metrics")[1].splitlines() if line[0] != "#")
        return {name: float(value) for name, _, value in lines}

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(how)
        while part := os.read(self._errors, 4096).decode():
            self.errors += part
        os.close(self._errors)
        return self.process.wait(patience(60))

    def kill(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
            self.process.wait()
            os.close(self._errors)


@pytest.fixture
def agent(place: Place, tmp_path: Path) -> Iterator[Callable[..., Agent]]:
    started: list[Agent] = []

    def start(*options: str) -> Agent:
        started.append(Agent(place, tmp_path / "store", *options))
        return started[-1]

    yield start
    for each in started:
        each.kill()


def payload(store: Path, port: int) -> int:
    """What the processes behind ``port`` sent, without headers, as the store has it."""
    asked = f"select coalesce(sum(tx_bytes - {HEADERS} * tx_packets), 0) as sent from flows where {port} in "
    done = subprocess.run(
        [*BEESPACE, "query", asked + "(local_port, remote_port)", "--store", str(store), "-o", "json"],
        capture_output=True, text=True, env=environment(), timeout=patience(60),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return int(json.loads(done.stdout)["sent"])


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_what_was_seen_is_in_the_store_when_it_ends(
    place: Place, agent: Callable[..., Agent], tmp_path: Path, how: signal.Signals
) -> None:
    talker, port = place.talker(TALK)
    serving = agent()
    serving.until("/readyz", 200)
    sent = talk(talker, 300)
    assert serving.end(how) == 0, serving.errors  # at once: most of it was in no flush and in no interval yet
    assert "nothing lost" in serving.errors
    assert payload(tmp_path / "store", port) == sent


@pytest.mark.host_only
def test_one_agent_follows_another(place: Place, agent: Callable[..., Agent], tmp_path: Path) -> None:
    """As in a rolling update in which the new pod is started before the old one has ended."""
    talker, port = place.talker(TALK)
    old = agent()
    old.until("/readyz", 200)
    sent = talk(talker, 100)
    new = agent()
    new.until("/readyz", 503, f"is being written by process {old.process.pid}")
    assert new.get("/healthz")[0] == 200
    sent += talk(talker, 100)
    assert old.end() == 0, old.errors
    new.until("/readyz", 200)
    sent += talk(talker, 100)
    assert new.end() == 0, new.errors
    assert payload(tmp_path / "store", port) == sent


@pytest.mark.host_only
def test_an_agent_does_not_wait_for_ever(agent: Callable[..., Agent]) -> None:
    old = agent()
    old.until("/readyz", 200)
    new = agent("--wait", "300ms")
    assert new.process.wait(patience(60)) == 1
    new.until_it_says(r"(is being written by process \d+)")
    assert old.end() == 0


@pytest.mark.host_only
def test_metrics_of_what_passed(place: Place, agent: Callable[..., Agent]) -> None:
    talker, _port = place.talker(TALK)
    serving = agent()
    serving.until("/readyz", 200)
    sent = talk(talker, 50)

    def counted() -> float:
        now = serving.metrics()
        if 'beespace_flow_bytes_total{direction="transmit"}' not in now:
            return 0
        headers = HEADERS * now['beespace_flow_packets_total{direction="transmit"}']
        return now['beespace_flow_bytes_total{direction="transmit"}'] - headers

    deadline = time.monotonic() + patience(60)
    while counted() != sent:
        assert time.monotonic() < deadline, serving.get("/metrics")
        time.sleep(0.1)
    found = serving.metrics()
    assert found['beespace_bpf_map_fill_ratio{probe="flows",map="flows"}'] < 0.1
    assert found["beespace_bpf_memory_bytes"] > 65_536 * 100  # the table of flows alone
    while not serving.metrics()["beespace_store_bytes"]:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert not [name for name in found if name.startswith("beespace_lost")]
    assert serving.end() == 0


def test_metrics_of_what_it_costs(place: Place, agent: Callable[..., Agent]) -> None:
    talker, _port = place.talker(TALK)
    serving = agent("--max-cpu", "0.0001%")
    serving.until("/readyz", 200)
    talk(talker, 50)
    assert "detail slower: " in serving.errors or serving.until_it_says(r"(detail slower): ")
    serving.until_it_says(r"(detail owners): ")
    found = serving.metrics()
    assert found["beespace_detail_step"] == 5
    assert found["beespace_cpu_limit_ratio"] == 1e-6
    assert found['beespace_bpf_program_runs_total{probe="flows",program="on_egress"}'] >= 100
    assert found['beespace_bpf_program_cpu_seconds_total{probe="flows",program="on_egress"}'] > 0
    assert found['beespace_bpf_map_memory_bytes{probe="flows",map="flows"}'] > 65_536 * 16
    assert serving.end() == 0
    assert "less detail for" in serving.errors


@pytest.mark.host_only
def test_a_stop_before_it_watches(agent: Callable[..., Agent]) -> None:
    """SIGTERM while it waits for the store of another."""
    old = agent()
    old.until("/readyz", 200)
    new = agent()
    new.until("/readyz", 503, "is being written")
    assert new.end() == 0
    assert "Traceback" not in new.errors
    assert old.end() == 0
    assert said(old.errors).count("\n") == 3
