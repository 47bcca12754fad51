"""Our agent as `beespace deploy` prints it, in the image that the Containerfile makes, under real kubelets."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import agent_image
import agents
import kube_build
import pytest
import shop
from cluster import WAIT_S, Cluster

from beespace import __version__

pytestmark = pytest.mark.cluster

IMAGE = agent_image.AGENT.format(version=__version__)
PLUGIN = Path(__file__).parents[2] / "plugins/kubectl-beespace"
NAMESPACE = "beespace"
Row = dict[str, Any]


def manifests(*options: str) -> list[Any]:
    done = subprocess.run(
        [*agents.BEESPACE, "deploy", "--image", IMAGE, *options, "-o", "json"],
        capture_output=True, text=True, env={**os.environ, **agents.ENVIRONMENT},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    items: list[Any] = json.loads(done.stdout)["items"]
    return items


def rolled_out(cluster: Cluster) -> None:
    status = cluster.try_kubectl(
        "rollout", "status", "daemonset/beespace", f"--namespace={NAMESPACE}", f"--timeout={WAIT_S}s"
    )
    assert status.returncode == 0, status.stderr + why(cluster)


def why(cluster: Cluster) -> str:
    """What the agents say, if they do not become ready."""
    shown = cluster.try_kubectl("describe", "pods", f"--namespace={NAMESPACE}").stdout
    for pod in cluster.pods(NAMESPACE):
        shown += cluster.try_kubectl("logs", f"--namespace={NAMESPACE}", pod["metadata"]["name"]).stdout
    return shown[-6000:]


@pytest.fixture(scope="module")
def deployed(cluster: Cluster) -> Iterator[None]:
    """The DaemonSet, ready on both nodes: its probes are green."""
    cluster.import_image(agent_image.agent(__version__))
    objects = manifests()
    cluster.apply(*objects)
    rolled_out(cluster)
    yield
    cluster.kubectl("delete", "namespace", NAMESPACE, "--timeout=300s")
    for each in objects:
        if "namespace" not in each["metadata"] and each["kind"] != "Namespace":
            cluster.kubectl("delete", each["kind"], each["metadata"]["name"])


def ask(cluster: Cluster, node: str, sql: str) -> list[Row]:
    """`beespace query` in the agent's pod of a node."""
    (name,) = (pod["metadata"]["name"] for pod in cluster.pods(NAMESPACE) if pod["spec"]["nodeName"] == node)
    said = cluster.kubectl("exec", f"--namespace={NAMESPACE}", name, "--", "beespace", "query", sql, "-o", "json")
    return [json.loads(line) for line in said.splitlines()]


def of(cluster: Cluster, sent: list[shop.Sent]) -> dict[int, Row]:
    """Sums and names of connections, as clients, by their local port; of all nodes."""
    ports = ", ".join(str(each.port) for each in sent)
    sql = f"""
        select local_port as port, pod_name, workload, workload_kind, remote_workload, remote_service, target_port,
               sum(tx_packets)::bigint as packets
        from flows where role = 'client' and local_address = '{sent[0].local}' and local_port in ({ports}) group by all
    """
    rows = [row for node in cluster.machines for row in ask(cluster, node, sql)]
    assert len({row["port"] for row in rows}) == len(rows), rows
    return {row["port"]: row for row in rows}


def all_there(cluster: Cluster, sent: list[shop.Sent]) -> dict[int, Row]:
    """Wait until each packet of the connections is in the history; the rows."""

    def found() -> dict[int, Row]:
        rows = of(cluster, sent)
        counted = {port: row["packets"] for port, row in rows.items()}
        return rows if counted == {each.port: each.packets for each in sent} else {}

    rows: dict[int, Row] = cluster.until(found, "every packet is in the history", 60)
    return rows


def a_client(cluster: Cluster) -> str:
    return str(cluster.pods(shop.NAMESPACE, "app=client")[0]["metadata"]["name"])


def test_with_the_rights_of_the_manifest(cluster: Cluster, deployed: None) -> None:
    """Its capabilities are those of the manifest, and enough for every name and every byte."""
    for pod in cluster.pods(NAMESPACE):
        name = pod["metadata"]["name"]
        said = cluster.kubectl("exec", f"--namespace={NAMESPACE}", name, "--", "cat", "/proc/self/status")
        status = dict(line.split(":\t", 1) for line in said.splitlines() if ":\t" in line)
        # CAP_BPF 39, CAP_PERFMON 38, CAP_SYS_PTRACE 19, CAP_NET_ADMIN 12
        assert int(status["CapBnd"], 16) == 1 << 39 | 1 << 38 | 1 << 19 | 1 << 12
        assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    source = a_client(cluster)
    sent = shop.load(cluster, source, shop.service(cluster, "web"), 80)
    for row in all_there(cluster, sent).values():
        assert (row["pod_name"], row["workload"], row["workload_kind"]) == (source, "client", "Deployment")
        assert (row["remote_workload"], row["remote_service"], row["target_port"]) == ("web", "web", 80)


def test_its_probes_stay_green(cluster: Cluster, deployed: None) -> None:
    pods = cluster.pods(NAMESPACE)
    assert {pod["spec"]["nodeName"] for pod in pods} == set(cluster.machines)
    for pod in pods:
        (status,) = pod["status"]["containerStatuses"]
        assert (status["ready"], status["restartCount"]) == (True, 0), why(cluster)
        log = cluster.kubectl("logs", f"--namespace={NAMESPACE}", pod["metadata"]["name"])
        assert "note: no " not in log, log


def test_an_update_loses_nothing_that_was_stored(cluster: Cluster, deployed: None) -> None:
    source, web = a_client(cluster), shop.service(cluster, "web")
    before = shop.load(cluster, source, web, 80)
    old = {pod["metadata"]["uid"] for pod in cluster.pods(NAMESPACE)}
    cluster.apply(*manifests("--keep", "6d"))
    rolled_out(cluster)
    assert not old & {pod["metadata"]["uid"] for pod in cluster.pods(NAMESPACE)}
    after = shop.load(cluster, source, web, 80)
    all_there(cluster, before)
    all_there(cluster, after)


@pytest.mark.parametrize("command", ["watch", "top", "who"])
def test_kubectl_beespace(cluster: Cluster, command: str) -> None:
    """Against one pod, with nothing installed; nothing is left."""
    source, web = a_client(cluster), shop.service(cluster, "web")
    path = f"{kube_build.binaries()}:{os.environ['PATH']}"
    words = ["sh", str(PLUGIN), command, source, "-n", shop.NAMESPACE, "--image", IMAGE, "--for", "15s", "-o", "json"]
    process = subprocess.Popen(
        cluster.machines["node1"].connect([*words, f"--kubeconfig={cluster.kubeconfig}"]),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PATH": path, "HOME": str(cluster.folder)},
    )  # fmt: skip
    with ThreadPoolExecutor(1) as pool:
        said = pool.submit(process.communicate)
        while not said.done():
            shop.load(cluster, source, web, 80, connections=2, size=1000)
            time.sleep(0.5)
    output, errors = said.result()
    assert process.returncode == 0, errors
    rows = [json.loads(line) for line in output.splitlines()]
    if command == "watch":
        rows = [row for row in rows if "pod_name" in row]
        assert rows and {(row["pod_name"], row["namespace"]) for row in rows} == {(source, shop.NAMESPACE)}
    elif command == "top":
        assert {(row["container_name"], row["process_name"]) for row in rows} == {("client", "python3")}
        assert all(row["tx_bytes"] > 1000 for row in rows)
    else:
        assert {row["role"] for row in rows} == {"client"} and sum(row["tx_bytes"] for row in rows) > 1000
    ours = ("pods", "--namespace=kube-system", "--selector=app.kubernetes.io/name=beespace")
    cluster.until(lambda: not cluster.get(*ours)["items"], "the agent's pod is gone")
