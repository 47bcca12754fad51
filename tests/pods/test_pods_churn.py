"""Pods that live for a moment, come back, fork, or were there before the agent: whose packets were those?"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import churn
import pods
import pytest
from churn import check_owners, of

pytestmark = pytest.mark.pods

SERVER = "while :; do sleep 100000 | nc -l -p 9000 >/dev/null; done"


def until(condition: Callable[[], object], what: str, seconds: float = 60.0) -> None:
    """Until it is so; names, too: a runtime knows a container a little later than the kernel."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def talking(server: pods.Pod) -> list[str]:
    """A connection that says something ten times a second, for as long as its container lives."""
    talk = f"while :; do echo hello; usleep 100000; done | nc {server.ip} 9000"
    return ["sh", "-c", f"while :; do {talk}; usleep 100000; done"]  # until the server listens


def test_pods_that_live_for_100_ms(node: pods.Node) -> None:
    with churn.watching(node) as seen:
        made, _ = churn.many(node, 5, "usleep 100000", at_once=1)
        until(lambda: all(of(seen.rows, port) for port in made), "a pod was not seen")
    assert check_owners(seen.rows, made) == 0
    assert not any(seen.lost.values())


def test_a_container_that_starts_again(node: pods.Node) -> None:
    server = node.run_pod("hub", "churn", {"hub": ["sh", "-c", SERVER]})
    try:
        command = talking(server)
        with churn.watching(node) as seen:
            pod = node.run_pod("again", "churn", {"app": command})
            first = pod.containers["app"]
            until(lambda: any(row["container_id"] == first.id for row in seen.rows), "the first was not seen")
            node.stop(first, grace_s=0)
            second = node.start_container(pod.id, "app", command, attempt=1)
            until(lambda: any(row["container_id"] == second.id for row in seen.rows), "the second was not seen")
            time.sleep(1)
            node.remove_pod(pod)
    finally:
        node.remove_pod(server)
    rows = [row for row in seen.rows if row["local_address"] == pod.ip and row["process_pid"]]
    assert {row["container_id"] for row in rows} == {first.id, second.id}
    assert {(row["pod_name"], row["pod_uid"], row["container_name"]) for row in rows} <= {
        ("again", pod.uid, "app"),
        (None, pod.uid, None),
    }
    # Each connection belongs to one of the two alone.
    owners: dict[int, set[str]] = {}
    for row in rows:
        owners.setdefault(row["local_port"], set()).add(row["container_id"])
    assert {len(each) for each in owners.values()} == {1}
    assert any(row["pod_name"] == "again" and row["container_id"] == second.id for row in rows)


def test_two_containers_of_which_one_forks(node: pods.Node) -> None:
    """One address, two containers, three processes: the packets are told apart."""
    again = "while :; do nc -w 1 10.85.0.1 $port </dev/null; usleep 300000; done"
    forks = f"for port in 11001 11002; do ({again}) & done; wait"
    alone = f"port=11003; {again}"
    with churn.watching(node) as seen:
        pod = node.run_pod("pair", "churn", {"forks": ["sh", "-c", forks], "alone": ["sh", "-c", alone]})
        try:
            until(
                lambda: all(any(row["pod_name"] for row in of(seen.rows, port)) for port in (11001, 11002, 11003)),
                "a process was not seen",
            )
        finally:
            node.remove_pod(pod)
    for port, name in ((11001, "forks"), (11002, "forks"), (11003, "alone")):
        rows = of(seen.rows, port)
        assert {row["container_id"] for row in rows} == {pod.containers[name].id}
        assert {row["container_name"] for row in rows} <= {name, None}
        assert {row["local_address"] for row in rows} == {pod.ip}
        assert not {row["process_pid"] for row in rows} & {each.pid for each in pod.containers.values()}


def test_an_agent_that_starts_before_during_and_after(node: pods.Node) -> None:
    """A pod from before the agent, whose connection is older, too; one that is made while it starts; one from after."""
    server = node.run_pod("hub", "churn", {"hub": ["sh", "-c", SERVER]})
    started: list[pods.Pod] = []

    def start(name: str) -> None:
        if name == "before":
            started.append(node.run_pod(name, "churn", {"app": talking(server)}))
        else:  # the hub hears one at a time
            again = f"while :; do nc -w 1 10.85.0.1 {11100 + len(started)} </dev/null; usleep 200000; done"
            started.append(node.run_pod(name, "churn", {"app": ["sh", "-c", again]}))

    try:
        start("before")
        app = started[0].containers["app"]
        until(lambda: "ESTABLISHED" in node.exec(app, ["netstat", "-tn"]).stdout, "it is not connected")
        during = threading.Thread(target=start, args=("during",))
        during.start()
        with churn.watching(node) as seen:
            during.join()
            start("after")
            for pod in started:
                until(
                    lambda pod=pod: any(row["pod_name"] == pod.name for row in seen.rows),  # type: ignore[misc]
                    f"{pod.name} was not seen",
                )
    finally:
        for pod in started:
            node.remove_pod(pod)
        node.remove_pod(server)
    for pod in started:
        rows = [row for row in seen.rows if row["local_address"] == pod.ip and row["process_pid"]]
        assert {row["pod_uid"] for row in rows} == {pod.uid}
        assert {row["container_id"] for row in rows} == {pod.containers["app"].id}
        assert {row["pod_name"] for row in rows} <= {pod.name, None}
    before = [row for row in seen.rows if row["local_address"] == started[0].ip and row["remote_port"] == 9000]
    assert len({row["local_port"] for row in before}) == 1, "the connection is the one from before the agent"
    assert {row["role"] for row in before} == {"client"}


def test_an_address_that_another_pod_has_within_two_seconds(node: pods.Node) -> None:
    address, ended, pause = "", 0.0, 0.0
    with churn.watching(node) as seen:
        made: dict[int, pods.Pod] = {}
        for number in range(3):
            for file in (node.root / "var/lib/cni/networks/pods").glob("last_reserved_ip.*"):
                file.unlink()  # what was given back last is given out next, as with small ranges
            call = f"wget -q -O /dev/null http://10.85.0.1:{11200 + number}/; sleep 100000"
            pod = node.run_pod(f"heir-{number}", "churn", {"once": ["sh", "-c", call]})
            pause = max(pause, time.monotonic() - ended) if ended else 0.0
            assert address in ("", pod.ip)
            address = pod.ip
            made[11200 + number] = pod
            until(lambda port=11200 + number: of(seen.rows, port), "the pod was not seen")  # type: ignore[misc]
            node.remove_pod(pod)
            ended = time.monotonic()
    check_owners(seen.rows, made)
    assert {row["local_address"] for port in made for row in of(seen.rows, port)} == {address}
    print(f"given out again after {pause:.1f} s")
