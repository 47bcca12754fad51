"""`beespace watch` over real pods: two containers exchange HTTP, and both sides of the flow say whose they are."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pods
import pytest
from readiness import Readiness

pytestmark = pytest.mark.pods

ROOT = Path(__file__).parent.parent.parent
BODY = 300_000

# On the host (in a cgroup of its own beside the pods): a transfer over loopback.
HOST = """
import socket
listener = socket.create_server(("127.0.0.1", 0))
near = socket.create_connection(listener.getsockname())
far = listener.accept()[0]
near.sendall(b"x" * 5000)
got = 0
while got < 5000:
    got += len(far.recv(5000))
print(listener.getsockname()[1])
"""


@pytest.fixture(scope="module")
def server(node: pods.Node) -> Iterator[pods.Pod]:
    script = f"dd if=/dev/zero of=/www/big bs=1000 count={BODY // 1000} 2>/dev/null; exec httpd -f -h /www"
    pod = node.run_pod(
        "shop-6f7d9c8b5-q9w2e", "retail", {"web": ["sh", "-c", script]}, labels={"pod-template-hash": "6f7d9c8b5"}
    )
    yield pod
    node.remove_pod(pod)


@pytest.fixture(scope="module")
def customer(node: pods.Node) -> Iterator[pods.Pod]:
    pod = node.run_pod("customer", "people", {"browser": ["sleep", "100000"]})
    yield pod
    node.remove_pod(pod)


@pytest.fixture
def watch(node: pods.Node) -> Iterator[Callable[..., Callable[[], list[dict[str, Any]]]]]:
    """Starts `beespace watch` on the node's cgroup; what it returns ends it and gives the rows."""
    cgroup = pods.unified() / node.name
    started: list[subprocess.Popen[str]] = []

    def start(*options: str) -> Callable[[], list[dict[str, Any]]]:
        command = [sys.executable, "-m", "beespace", "watch", *options, "-o", "json", "--interval", "500ms"]
        with closing(Readiness()) as readiness:
            process = subprocess.Popen(
                [*command, "--cri", str(node.socket), "--cgroup", str(cgroup)],
                env={**os.environ, "PYTHONPATH": str(ROOT / "src"), **readiness.environment},
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )  # fmt: skip
            started.append(process)
            readiness.wait(process)

        def stop() -> list[dict[str, Any]]:
            process.send_signal(signal.SIGINT)
            output, errors = process.communicate(timeout=30)
            assert process.returncode == 0, errors
            assert "nothing lost" in errors, errors
            return [json.loads(line) for line in output.splitlines()]

        return stop

    yield start
    for process in started:
        process.kill()
        process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def download(node: pods.Node, customer: pods.Pod, server: pods.Pod, address: str) -> None:
    host = f"[{address}]" if ":" in address else address
    answer = node.exec(customer.containers["browser"], ["wget", "-q", "-O", "/dev/null", f"http://{host}/big"])
    assert answer == pods.Output("", "", 0)


def total(rows: list[dict[str, Any]], column: str) -> int:
    return sum(row[column] for row in rows)


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_both_sides_of_a_flow(
    node: pods.Node, server: pods.Pod, customer: pods.Pod, watch: Callable[..., Any], family: str
) -> None:
    near, far = (pod.addresses[0 if family == "ipv4" else 1] for pod in (customer, server))
    stop = watch()
    download(node, customer, server, far)
    time.sleep(0.6)
    rows = stop()
    client = [
        row for row in rows if (row["local_address"], row["remote_address"], row["remote_port"]) == (near, far, 80)
    ]
    served = [
        row for row in rows if (row["local_address"], row["local_port"], row["remote_address"]) == (far, 80, near)
    ]
    assert client and served
    for side, pod, container, process, role, remote in (
        (client, customer, customer.containers["browser"], "wget", "client", server),
        (served, server, server.containers["web"], "httpd", "server", customer),
    ):
        for row in side:
            assert row["container_name"] == container.name
            assert row["container_id"] == container.id
            assert row["container_image"] == pods.IMAGE
            assert (row["pod_name"], row["pod_uid"], row["namespace"]) == (pod.name, pod.uid, pod.namespace)
            assert (row["remote_pod"], row["remote_namespace"]) == (remote.name, remote.namespace)
            assert (row["role"], row["transport"], row["network_type"]) == (role, "tcp", family)
            assert row["process_name"] == process
            assert row["cgroup_id"] == (pods.unified() / container.cgroup.lstrip("/")).stat().st_ino
    assert {row["workload"] for row in served} == {"shop"}
    # What one sent, the other received; on top of the body come HTTP's and the packets' own headers.  Who closes
    # first may be in TIME_WAIT, which is no socket any more, when the last segments pass: nobody counts those there.
    header = (20 if family == "ipv4" else 40) + 32
    for here, there in (("rx", "tx"), ("tx", "rx")):
        packets = total(client, f"{here}_packets") - total(served, f"{there}_packets")
        assert packets in (0, 1)
        assert total(client, f"{here}_bytes") - total(served, f"{there}_bytes") == packets * header
    payload = total(client, "rx_bytes") - header * total(client, "rx_packets")
    assert BODY < payload < BODY + 1000
    assert total(client, "rx_packets") > BODY // 65536


def test_a_process_of_the_host_is_in_no_pod(
    node: pods.Node, server: pods.Pod, customer: pods.Pod, watch: Callable[..., Any]
) -> None:
    cgroup = pods.unified() / node.name / "host"
    cgroup.mkdir()
    try:
        stop = watch()
        enter = ["sh", "-c", 'echo $$ >"$0/cgroup.procs" && exec "$@"', str(cgroup)]
        host = subprocess.Popen([*enter, sys.executable, "-c", HOST], stdout=subprocess.PIPE, text=True)
        port = int(host.communicate(timeout=20)[0])
        download(node, customer, server, server.ip)
        rows = stop()
    finally:
        cgroup.rmdir()
    mine = [row for row in rows if port in (row["local_port"], row["remote_port"])]
    assert {row["role"] for row in mine} == {"client", "server"}
    assert {row["process_pid"] for row in mine} == {host.pid}
    for row in mine:
        names = ("container_id", "container_name", "container_image", "pod_name", "pod_uid", "namespace", "workload")
        assert [row[name] for name in names] == [None] * len(names)
        assert (row["remote_pod"], row["remote_namespace"]) == (None, None)
    assert {row["pod_name"] for row in rows if row["remote_port"] == 80} == {"customer"}


def test_only_a_namespace_or_pod(
    node: pods.Node, server: pods.Pod, customer: pods.Pod, watch: Callable[..., Any]
) -> None:
    for option, value, column in (("--namespace", "retail", "namespace"), ("--pod", "customer", "pod_name")):
        stop = watch(option, value)
        download(node, customer, server, server.ip)
        time.sleep(0.6)
        rows = stop()
        assert rows and {row[column] for row in rows} == {value}


def test_programs_that_a_container_executes(node: pods.Node, customer: pods.Pod, watch: Callable[..., Any]) -> None:
    stop = watch("execs")
    container = customer.containers["browser"]
    # "busybox", because its shell runs commands of its own without executing them.
    answer = node.exec(container, ["sh", "-c", "busybox uname; busybox sleep 0.1; exit 5"])
    assert (answer.stdout, answer.status) == ("Linux\n", 5)
    time.sleep(0.6)
    rows = [row for row in stop() if row["container_id"] == container.id]
    for row in rows:
        assert (row["container_name"], row["pod_name"], row["namespace"]) == ("browser", "customer", "people")
    by_arguments = {
        arguments: [row for row in rows if row["process_args"] == arguments]
        for arguments in ("sh -c busybox uname; busybox sleep 0.1; exit 5", "busybox uname", "busybox sleep 0.1")
    }
    assert {arguments: [row["exit_code"] for row in found] for arguments, found in by_arguments.items()} == {
        "sh -c busybox uname; busybox sleep 0.1; exit 5": [None, 5],
        "busybox uname": [None, 0],
        "busybox sleep 0.1": [None, 0],
    }
    shell, slept = by_arguments["sh -c busybox uname; busybox sleep 0.1; exit 5"], by_arguments["busybox sleep 0.1"]
    assert {row["parent_pid"] for row in slept} == {shell[0]["process_pid"]}
    assert 0.1 <= slept[-1]["duration_s"] < 5
