"""Names while the cluster changes: a rolling update under load, and an API server that crashes under load."""

from __future__ import annotations

import json
import subprocess
import uuid
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import agents
import pytest
import shop
from cluster import Cluster

pytestmark = pytest.mark.cluster

Row = dict[str, Any]


class Load:
    """The load generator in a container, started by the runtime: it runs on when the API server does not."""

    def __init__(self, cluster: Cluster, pod: Row) -> None:
        machine = cluster.machines[pod["spec"]["nodeName"]]
        container = pod["status"]["containerStatuses"][0]["containerID"].partition("//")[2]
        self.pod = pod["metadata"]["name"]
        words = shop.command(shop.service(cluster, "web"), 80, 100_000, 20_000, 999, 0.1)
        runtime = ["ctr", "--address=/run/containerd/containerd.sock", "--namespace=k8s.io", "tasks"]
        self._file = machine.root / f"load-{self.pod}-{uuid.uuid4().hex[:6]}"
        self._log = self._file.open("w")
        self._process = subprocess.Popen(
            machine.inside([*runtime, "exec", f"--exec-id=load-{self.pod}", container, *words]),
            stdin=subprocess.DEVNULL, stdout=self._log, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._stop = [*runtime, "kill", "--signal=SIGKILL", f"--exec-id=load-{self.pod}", container]
        self._machine = machine

    @property
    def said(self) -> list[Row]:
        """What it has said so far, a connection each."""
        assert self._process.poll() is None, self._process.communicate()
        lines = self._file.read_text().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def stop(self) -> None:
        self._machine.run(*self._stop)
        self._process.communicate(timeout=60)
        self._log.close()


@contextmanager
def loads(cluster: Cluster) -> Iterator[list[Load]]:
    """One in each client, all under way."""
    running = [Load(cluster, pod) for pod in cluster.pods(shop.NAMESPACE, "app=client")]
    try:
        more(cluster, running)
        yield running
    finally:
        for each in running:
            each.stop()


def more(cluster: Cluster, running: list[Load], count: int = 3) -> None:
    """Wait until each has had some more connections that worked."""
    for each in running:
        before = worked(each)
        cluster.until(lambda: worked(each) >= before + count, "the load goes on")  # noqa: B023


def worked(load: Load) -> int:
    return sum("error" not in said for said in load.said)


def settled(cluster: Cluster) -> None:
    """Wait until both nodes have been heard of again: of one that was silent too long, no pod is a back-end."""
    start = datetime.now(UTC)

    def heard() -> bool:
        leases = cluster.get("leases", "--namespace=kube-node-lease")["items"]
        return all(datetime.fromisoformat(lease["spec"]["renewTime"]) > start for lease in leases)

    cluster.until(heard, "the kubelets have renewed their leases")
    cluster.kubectl("wait", "nodes", "--all", "--for=condition=Ready", "--timeout=300s")
    cluster.until(
        lambda: all(ready(pod) for pod in cluster.pods(shop.NAMESPACE, "app=web")), "the web's pods are ready"
    )


def ready(pod: dict[str, Any]) -> bool:
    return any(each["type"] == "Ready" and each["status"] == "True" for each in pod["status"]["conditions"])


def test_a_rolling_update_under_load(cluster: Cluster) -> None:
    """Right or unknown: every back-end that is named had that address."""
    had: dict[str, set[str]] = defaultdict(set)  # address -> pods
    containers: dict[str, str] = {}  # id -> pod

    def look() -> None:
        for pod in cluster.get("pods", f"--namespace={shop.NAMESPACE}")["items"]:
            had[pod["status"].get("podIP", "")].add(pod["metadata"]["name"])
            for status in pod["status"].get("containerStatuses", ()):
                containers[status.get("containerID", "").partition("//")[2]] = pod["metadata"]["name"]

    def updated() -> bool:
        look()
        status = cluster.get("deployment", "web", f"--namespace={shop.NAMESPACE}")
        return bool(
            status["status"].get("observedGeneration", 0) >= status["metadata"]["generation"]
            and status["status"].get("updatedReplicas") == status["status"].get("readyReplicas") == 3
            and len(cluster.pods(shop.NAMESPACE, "app=web")) == 3
        )

    look()
    old = {pod["metadata"]["name"] for pod in cluster.pods(shop.NAMESPACE, "app=web")}
    with agents.agents(cluster) as running, loads(cluster) as loading:
        for number in range(2):
            cluster.kubectl("set", "env", "deployment/web", f"--namespace={shop.NAMESPACE}", f"UPDATE={number}")
            cluster.until(updated, "the Deployment is updated")
            more(cluster, loading)
    sql = "select * from flows where namespace = 'shop' and (remote_port = 8080 or local_port = 8080)"
    rows = [row for agent in running.values() for row in agent.query(sql)]
    client = [row for row in rows if row["role"] == "client"]
    for row in client:
        assert row["remote_pod"] is None or row["remote_pod"] in had[row["remote_address"]], row
        assert row["remote_workload"] in (None, "web") and row["remote_service"] in (None, "web")
        assert row["workload"] == "client"
    for row in rows:
        assert row["pod_name"] == containers[row["container_id"]], row
        if row["role"] == "server" and row["remote_pod"] is not None:
            assert row["remote_pod"] in had[row["remote_address"]], row
    named = {row["remote_pod"] for row in client} - {None}
    assert named & old and len(named - old) >= 3  # old and new ones were met, and known
    assert sum(row["remote_pod"] is not None for row in client) > len(client) / 2


def test_the_api_server_crashes_under_load(cluster: Cluster) -> None:
    """The agents go on, say what they lack, and catch up."""
    with agents.agents(cluster) as running, loads(cluster) as loading:
        cluster.kill_api()
        try:
            more(cluster, loading)
            for agent in running.values():
                cluster.until(lambda: "note: nothing new of " in agent.said(), "the agent says it")  # noqa: B023
                assert agent.ready
                assert 'beespace_kubernetes_current{resource="pods"} 0' in agent.page("metrics")
            more(cluster, loading)
        finally:
            cluster.start_api()
        settled(cluster)
        for agent in running.values():
            cluster.until(lambda: "the Kubernetes API tells of" in agent.said(), "the agent says it")  # noqa: B023
        more(cluster, loading)
        # Made after the crash; nothing but the API knows its Deployment.
        cluster.apply(shop.workload("Deployment", "late", shop.sleep()))
        cluster.kubectl("rollout", "status", "deployment/late", f"--namespace={shop.NAMESPACE}", "--timeout=300s")
        (late,) = cluster.pods(shop.NAMESPACE, "app=late")
        sent = shop.load(cluster, late["metadata"]["name"], shop.service(cluster, "web"), 80)
        clients = {load.pod for load in loading}
        connections = {(said["local"], said["port"]) for load in loading for said in load.said if "error" not in said}
    cluster.kubectl("delete", "deployment", "late", f"--namespace={shop.NAMESPACE}", "--timeout=300s")
    rows = [
        row
        for agent in running.values()
        for row in agent.query("select * from flows where namespace = 'shop' and role = 'client'")
    ]
    service = shop.service(cluster, "web")
    web = {pod["status"]["podIP"]: pod["metadata"]["name"] for pod in cluster.pods(shop.NAMESPACE, "app=web")}
    of_late = [row for row in rows if row["local_port"] in {each.port for each in sent} and row["workload"] == "late"]
    assert sum(row["tx_packets"] for row in of_late) == sum(each.packets for each in sent)
    for row in of_late:
        assert (row["workload_kind"], row["remote_workload"], row["remote_service"]) == ("Deployment", "web", "web")
    seen, named = set(), set()
    for row in rows:
        if row["pod_name"] in clients:
            seen.add(ends := (row["local_address"], row["local_port"]))
            assert row["workload"] in (None, "client")
            if row["remote_address"] == service:  # nobody answered, or connection tracking was not asked in time
                assert row["remote_pod"] is None and row["remote_service"] in (None, "web")
            elif row["remote_pod"] is not None:
                assert row["remote_pod"] == web[row["remote_address"]]
                named.add(ends)
    assert connections <= seen  # each of them, also of those in between, is in the history with its pod
    assert len(connections & named) > len(connections) / 2
