"""Names of real pods with a Kubernetes API beside them: short lives, addresses given out again, owners, Services."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import kube_objects as k8s
import pods
import pytest
from kube_api import FakeApi

ROOT = Path(__file__).parent.parent.parent

pytestmark = pytest.mark.pods

Start = Callable[..., Callable[[], list[dict[str, Any]]]]


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with FakeApi() as running:
        running.put("nodes", k8s.node("node1", "192.168.7.1"))
        yield running


@pytest.fixture
def watch(node: pods.Node, api: FakeApi, tmp_path: Path) -> Iterator[Start]:
    """Starts `beespace watch` on the node's cgroup, with the API; what it returns ends it and gives the rows."""
    config = tmp_path / "kubeconfig"
    config.write_text(
        json.dumps(
            {
                "current-context": "c",
                "contexts": [{"name": "c", "context": {"cluster": "k"}}],
                "clusters": [{"name": "k", "cluster": {"server": f"http://127.0.0.1:{api.port}"}}],
            }
        )
    )
    cgroup = pods.unified() / node.name
    started: list[subprocess.Popen[str]] = []

    def start(*options: str) -> Callable[[], list[dict[str, Any]]]:
        command = [sys.executable, "-m", "beespace", "watch", *options, "-o", "json", "--interval", "500ms"]
        command += ["--kubeconfig", str(config), "--node", "node1"]
        process = subprocess.Popen(
            [*command, "--cri", str(node.socket), "--cgroup", str(cgroup)],
            env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        started.append(process)
        deadline = time.monotonic() + 60
        while len(attached(cgroup)) < 9:
            assert process.poll() is None and time.monotonic() < deadline, process.communicate()
            time.sleep(0.05)
        time.sleep(2)  # the iterators run next; runtime and API are asked meanwhile

        def stop() -> list[dict[str, Any]]:
            process.send_signal(signal.SIGINT)
            output, errors = process.communicate(timeout=60)
            assert process.returncode == 0, errors
            assert "note: no " not in errors, errors
            return [row for row in map(json.loads, output.splitlines()) if "local_address" in row]

        return stop

    yield start
    for process in started:
        process.kill()
        process.communicate()


def attached(cgroup: Path) -> list[Any]:
    shown = subprocess.run(["bpftool", "-j", "cgroup", "show", str(cgroup)], capture_output=True, text=True)
    found: list[Any] = json.loads(shown.stdout.strip() or "[]")
    return found


def tell(api: FakeApi, pod: pods.Pod, owner: tuple[str, str, str] | None = None) -> None:
    """What the kubelet would have reported."""
    containers = {name: container.id for name, container in pod.containers.items()}
    api.put(
        "pods",
        k8s.pod(pod.name, pod.namespace, ip=pod.ip or None, uid=pod.uid, owner=owner, containers=containers or None),
    )


def free_addresses_first(node: pods.Node) -> None:
    """The address that was given back last is the next that is given out, as with small ranges."""
    for file in (node.root / "var/lib/cni/networks/pods").glob("last_reserved_ip.*"):
        file.unlink()


def test_both_sides_with_workload_and_service(node: pods.Node, api: FakeApi, watch: Start) -> None:
    web = node.run_pod("web-5d9f7c8b6-x2x4z", "shop", {"web": ["httpd", "-f", "-h", "/www"]})
    job = node.run_pod("load-28371-abcde", "shop", {"wget": ["sleep", "100000"]})
    try:
        api.put("replicasets", k8s.controlled("web-5d9f7c8b6", "shop", ("apps/v1", "Deployment", "web")))
        api.put("jobs", k8s.controlled("load-28371", "shop", ("batch/v1", "CronJob", "load")))
        tell(api, web, ("apps/v1", "ReplicaSet", "web-5d9f7c8b6"))
        tell(api, job, ("batch/v1", "Job", "load-28371"))
        api.put("services", k8s.service("web", ips=("10.96.0.10",), ports=(k8s.port(80),)))
        ends = [k8s.endpoint(web.ip, web.name, web.uid, node="node1")]
        api.put("endpointslices", k8s.endpoint_slice("web", ends, (k8s.port(80),)))
        stop = watch("-n", "shop")
        answer = node.exec(job.containers["wget"], ["wget", "-q", "-O", "-", f"http://{web.ip}/"])
        assert answer.stdout == "hello from beespace\n"
        time.sleep(1.5)
        rows = stop()
    finally:
        node.remove_pod(web)
        node.remove_pod(job)
    names = ("pod_name", "workload", "workload_kind", "service_name")
    others = ("remote_pod", "remote_workload", "remote_workload_kind", "remote_service", "remote_node")
    client = [row for row in rows if row["role"] == "client" and row["remote_port"] == 80]
    served = [row for row in rows if row["role"] == "server" and row["local_port"] == 80]
    assert client and served
    for row in client:
        assert [row[name] for name in names] == [job.name, "load", "CronJob", "load"]
        assert [row[name] for name in others] == [web.name, "web", "Deployment", "web", "node1"]
    for row in served:
        assert [row[name] for name in names] == [web.name, "web", "Deployment", "web"]
        assert [row[name] for name in others] == [job.name, "load", "CronJob", None, "node1"]


def test_pods_that_live_for_a_moment(node: pods.Node, watch: Start) -> None:
    """Gone before anybody could look; each of them has its name."""
    stop = watch()
    port = 7700
    lived: dict[int, tuple[str, str]] = {}
    for number in range(3):
        send = f"wget -q -O /dev/null http://10.85.0.1:{port + number}/; exit 0"  # nobody listens: that is enough
        pod = node.run_pod(f"short-{number}", "brief", {"once": ["sleep", "100000"]})
        node.exec(pod.containers["once"], ["sh", "-c", send])
        lived[port + number] = pod.name, pod.uid
        node.remove_pod(pod)
    time.sleep(1)
    rows = [row for row in stop() if row["remote_port"] in lived]
    assert {row["remote_port"]: (row["pod_name"], row["pod_uid"]) for row in rows} == lived
    assert {row["namespace"] for row in rows} == {"brief"}


def test_an_address_that_is_given_out_again_at_once(node: pods.Node, watch: Start, tmp_path: Path) -> None:
    """Two pods have one address, within moments; rows and `who-was` tell them apart."""
    server = node.run_pod("server", "shop", {"web": ["httpd", "-f", "-h", "/www"]})
    store = tmp_path / "store"
    stop = watch("--store", str(store))
    spans: list[tuple[str, str, float]] = []
    try:
        for name in ("first", "second"):
            free_addresses_first(node)
            pod = node.run_pod(name, "shop", {"app": ["sleep", "100000"]})
            answer = node.exec(pod.containers["app"], ["wget", "-q", "-O", "-", f"http://{server.ip}/"])
            assert answer.stdout == "hello from beespace\n"
            spans.append((name, pod.ip, time.time()))
            node.remove_pod(pod)
        time.sleep(3)  # the runtime is asked every two seconds
        rows = stop()
    finally:
        node.remove_pod(server)
    assert len({address for _, address, _ in spans}) == 1
    address = spans[0][1]
    client = [row for row in rows if row["local_address"] == address and row["role"] == "client"]
    assert {row["pod_name"] for row in client} == {"first", "second"}
    ports = {row["local_port"]: row["pod_name"] for row in client}
    for row in rows:
        if row["remote_address"] == address and row["role"] == "server":
            assert row["remote_pod"] in (None, ports[row["remote_port"]])
    for name, _, at in spans:
        moment = datetime.fromtimestamp(at, UTC).isoformat()
        command = [sys.executable, "-m", "beespace", "who-was", address, "--at", moment, "--store", str(store)]
        done = subprocess.run(
            [*command, "-o", "json"],
            env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["pod_name"] == name


def test_a_pod_with_the_hosts_network(node: pods.Node, api: FakeApi, watch: Start) -> None:
    pod = node.run_pod(
        "agent-x2x4z", "kube-system", {"agent": ["httpd", "-f", "-p", "7801", "-h", "/www"]}, host_network=True
    )
    try:
        api.put(
            "pods",
            k8s.pod(
                pod.name, pod.namespace, uid=pod.uid, ip="192.168.7.1", host_network=True,
                owner=("apps/v1", "DaemonSet", "agent"), containers={"agent": pod.containers["agent"].id},
            ),
        )  # fmt: skip
        stop = watch()
        answer = node.exec(pod.containers["agent"], ["wget", "-q", "-O", "-", "http://127.0.0.1:7801/"])
        assert answer.stdout == "hello from beespace\n"
        time.sleep(1.5)
        rows = [row for row in stop() if 7801 in (row["local_port"], row["remote_port"])]
    finally:
        node.remove_pod(pod)
    assert rows and {(row["pod_name"], row["workload"], row["workload_kind"]) for row in rows} == {
        ("agent-x2x4z", "agent", "DaemonSet")
    }
    assert {row["remote_pod"] for row in rows} == {None}
