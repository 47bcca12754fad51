"""Container look-ups: asynchronous, retried, bounded, counted; answers outlive the container."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from beespace.enrich import container as module
from beespace.enrich.container import Container, Containers, Pod, SourceError


class FakeSource:
    """A runtime whose containers tests change at will."""

    def __init__(self, name: str = "fake") -> None:
        self.name = name
        self.containers: dict[str, Container] = {}
        self.present: list[Pod] = []
        self.down: Exception | None = None
        self.absent = False
        self.asked: list[str] = []
        self.block: threading.Event | None = None
        self.closed = False

    def find(self, container_id: str) -> Container | None:
        self.asked.append(container_id)
        if self.block is not None:
            self.block.wait(10)
        if self.down:
            raise self.down
        return self.containers.get(container_id)

    def running(self) -> set[str] | None:
        if self.down:
            raise self.down
        return None if self.absent else set(self.containers)

    def pods(self) -> Sequence[Pod]:
        return list(self.present)

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def source() -> FakeSource:
    return FakeSource()


@pytest.fixture
def containers(source: FakeSource) -> Iterator[Containers]:
    with Containers([source], poll_s=3600) as made:
        yield made
    assert source.closed
    assert not any(thread.name == "beespace-containers" for thread in threading.enumerate())


def wait_for(condition: object, seconds: float = 5.0) -> None:
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.005)


def test_first_unknown_then_found(source: FakeSource, containers: Containers) -> None:
    containers.settle()
    source.containers["c1"] = Container("c1", "fake", name="web")
    assert containers.get("c1") is None
    wait_for(lambda: containers.get("c1") == Container("c1", "fake", name="web"))
    assert source.asked == ["c1"]  # asked for often, looked up once
    assert containers.statistics()["pending"] == 0


def test_what_runs_is_known_before_it_is_asked_for(source: FakeSource, containers: Containers) -> None:
    source.containers["c1"] = Container("c1", "fake", name="web")
    source.present = [Pod("u1", "pod", "ns", addresses=("10.0.0.1",))]
    assert containers.settle()
    assert containers.settle()
    assert containers.get("c1") is not None
    assert containers.pod("u1") is not None


def test_the_caller_is_never_held_up(source: FakeSource, containers: Containers) -> None:
    source.block = threading.Event()
    began = time.perf_counter()
    for number in range(100):
        assert containers.get(f"c{number}") is None
        containers.statistics()
        containers.changes()
    assert time.perf_counter() - began < 0.5
    source.block.set()


def test_a_look_up_is_retried_until_the_runtime_knows(source: FakeSource, containers: Containers) -> None:
    containers.get("c1")
    wait_for(lambda: len(source.asked) == 2)
    source.containers["c1"] = Container("c1", "fake", name="late")
    wait_for(lambda: containers.get("c1") is not None)
    assert len(source.asked) == 3


def test_retries_follow_the_schedule_and_end(
    source: FakeSource, containers: Containers, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert module.RETRY_S == (0.125, 0.25, 0.5, 1.0, 2.0)
    monkeypatch.setattr(module, "RETRY_S", (0.01, 0.02, 0.04))
    containers.get("c1")
    wait_for(lambda: containers.statistics()["not_found"] == 1)
    assert source.asked == ["c1"] * 4
    containers.get("c1")  # given up: not asked again for a while
    time.sleep(0.05)
    assert len(source.asked) == 4
    assert containers.statistics()["pending"] == 0


def test_after_giving_up_a_later_question_looks_again(
    source: FakeSource, containers: Containers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETRY_S", ())
    monkeypatch.setattr(module, "GIVE_UP_S", 0.05)
    containers.get("c1")
    wait_for(lambda: containers.statistics()["not_found"] == 1)
    source.containers["c1"] = Container("c1", "fake")
    wait_for(lambda: containers.get("c1") is not None)


def test_errors_are_counted_and_shown_and_the_thread_lives_on(
    source: FakeSource, containers: Containers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RETRY_S", (0.01, 0.01, 0.2, 0.2))
    containers.settle()
    source.down = SourceError("unavailable: no one listens")
    containers.get("c1")
    wait_for(lambda: containers.statistics()["errors_fake"] == 2)
    assert containers.statistics()["last_error"] == "fake: unavailable: no one listens"
    source.down = ValueError("what a strange answer")
    wait_for(lambda: containers.statistics()["last_error"] == "fake: ValueError: what a strange answer")
    source.down = None
    source.containers["c1"] = Container("c1", "fake")
    wait_for(lambda: containers.get("c1") is not None)


def test_a_container_that_is_gone_stays_known_and_gets_its_end(source: FakeSource) -> None:
    source.containers["c1"] = Container("c1", "fake", name="web", pod_name="p")
    with Containers([source], poll_s=0.01, now_ns=lambda: 99) as containers:
        wait_for(lambda: containers.get("c1") is not None)
        del source.containers["c1"]
        wait_for(lambda: (found := containers.get("c1")) is not None and found.valid_to == 99)
        gone = containers.get("c1")
        assert gone is not None and (gone.name, gone.pod_name) == ("web", "p")


def test_an_outage_ends_nobody(source: FakeSource) -> None:
    source.containers["c1"] = Container("c1", "fake")
    source.present = [Pod("u1", "pod", "ns")]
    with Containers([source], poll_s=0.01) as containers:
        wait_for(lambda: containers.get("c1") is not None and containers.pod("u1") is not None)
        source.down = SourceError("restarting")
        wait_for(lambda: int(containers.statistics()["errors_fake"]) > 3)
        source.down = None
        source.absent = True
        assert containers.settle()
        found, pod = containers.get("c1"), containers.pod("u1")
        assert found is not None and found.valid_to is None
        assert pod is not None and pod.valid_to is None


def test_pods_come_change_and_go(source: FakeSource) -> None:
    told: list[tuple[Pod | None, Pod]] = []
    with Containers([source], poll_s=3600, now_ns=lambda: 99) as containers:
        containers.pod_changed = lambda old, new: told.append((old, new))
        source.present = [Pod("u1", "pod", "ns")]
        assert containers.settle()
        source.present = [Pod("u1", "pod", "ns", addresses=("10.0.0.1",))]
        assert containers.settle()
        source.present = []
        assert containers.settle()
        assert containers.pod("u1") == Pod("u1", "pod", "ns", addresses=("10.0.0.1",), valid_to=99)
        assert containers.changes()[1] == [Pod("u1", "pod", "ns", addresses=("10.0.0.1",), valid_to=99)]
        bare, addressed = Pod("u1", "pod", "ns"), Pod("u1", "pod", "ns", addresses=("10.0.0.1",))
        assert told == [(None, bare), (bare, addressed), (addressed, replace(addressed, valid_to=99))]


def test_the_better_source_keeps_the_word_while_it_is_silent() -> None:
    better, lesser = FakeSource("better"), FakeSource("lesser")
    better.present = [Pod("u1", "pod", "ns", workload="web")]
    lesser.present = [Pod("u1", "pod", "ns"), Pod("u2", "other", "ns")]
    with Containers([better, lesser], poll_s=3600) as containers:
        assert containers.settle()
        assert {pod.uid: pod.workload for pod in containers.pods()} == {"u1": "web", "u2": None}
        better.down = SourceError("restarting")
        assert containers.settle()
        assert {pod.uid: pod.workload for pod in containers.pods()} == {"u1": "web", "u2": None}


def test_the_first_source_that_knows_answers() -> None:
    first, second = FakeSource("first"), FakeSource("second")
    second.containers["c1"] = Container("c1", "second")
    with Containers([first, second], poll_s=3600) as containers:
        wait_for(lambda: containers.get("c1") is not None)
        assert (found := containers.get("c1")) is not None and found.runtime == "second"


def test_waiting_look_ups_are_bounded_and_counted(source: FakeSource) -> None:
    source.block = threading.Event()
    with Containers([source], pending_max=10, poll_s=3600) as containers:
        for number in range(50):
            containers.get(f"c{number}")
        assert containers.statistics()["pending"] == 10
        assert containers.statistics()["dropped"] == 40
        source.block.set()


def test_answers_are_bounded(source: FakeSource) -> None:
    source.containers = {f"c{number}": Container(f"c{number}", "fake") for number in range(50)}
    with Containers([source], capacity=10, poll_s=3600) as containers:
        containers.settle()
        wait_for(lambda: containers.statistics()["pending"] == 0)
        assert containers.statistics()["containers"] == 10


def test_changes_come_once_and_without_sandboxes(source: FakeSource, containers: Containers) -> None:
    source.containers = {"c1": Container("c1", "fake"), "s1": Container("s1", "fake", sandbox=True)}
    containers.settle()
    wait_for(lambda: containers.statistics()["containers"] == 2)
    assert [found.id for found in containers.changes()[0]] == ["c1"]
    assert containers.changes() == ([], [])
    assert (sandbox := containers.get("s1")) is not None and sandbox.sandbox


def test_without_sources_there_is_no_thread_and_no_error() -> None:
    with Containers([]) as containers:
        assert containers.get("c1") is None
        assert not any(thread.name == "beespace-containers" for thread in threading.enumerate())
        assert containers.statistics()["pending"] == 0
        assert not containers.settle(0.1)
