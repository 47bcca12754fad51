"""Names and sums on a real cluster: each kind of workload talks to a Service, and both sides say so, and how much."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import agents
import pods
import pytest
import shop
from cluster import Cluster

pytestmark = pytest.mark.cluster

SOURCES = {
    "client": ("client", "Deployment"),
    "db": ("db", "StatefulSet"),
    "logs": ("logs", "DaemonSet"),
    "once": ("once", "Job"),
    "tick": ("tick", "CronJob"),
}
REMOTE = ("remote_pod", "remote_namespace", "remote_node", "remote_workload", "remote_workload_kind")
SHOWN = ("node", "role", "namespace", "pod_name", "workload", *REMOTE, "remote_service", "tx_bytes")  # by `pytest -s`
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Run:
    """What was sent, by source (its label and the pod), and what the agents of the nodes say of it."""

    sent: dict[tuple[str, str], list[shop.Sent]]
    by_node_port: dict[str, list[shop.Sent]]  # by the node that was called
    rows: dict[str, list[Row]]
    pods: dict[str, Row]  # all of the cluster, by name
    known: dict[str, list[Row]]  # `containers` of each node
    sums: list[Row]  # of the acceptance's question, of all nodes
    inodes: dict[tuple[str, str], int]  # by pod uid and container id: the cgroups of both machines

    def of(self, role: str, sent: shop.Sent) -> list[Row]:
        """The rows of one end of a connection."""
        here = "local" if role == "client" else "remote"
        return [
            row
            for rows in self.rows.values()
            for row in rows
            if (row["role"], row[f"{here}_address"], row[f"{here}_port"]) == (role, sent.local, sent.port)
        ]


QUESTION = """
select namespace, workload, remote_workload, sum(tx_bytes)::bigint as sent, sum(tx_packets)::bigint as packets
from flows where role = 'client' and namespace = 'shop' group by all
"""


@pytest.fixture(scope="module")
def run(cluster: Cluster) -> Iterator[Run]:
    cluster.until(lambda: cluster.pods(shop.NAMESPACE, "app=tick"), "the CronJob has made a pod")
    for label in ("once", "tick"):
        what = ("wait", "pod", f"--selector=app={label}", f"--namespace={shop.NAMESPACE}", "--for=condition=Ready")
        cluster.kubectl(*what, "--timeout=300s")
    web = shop.service(cluster, "web")
    sent: dict[tuple[str, str], list[shop.Sent]] = {}
    by_node_port: dict[str, list[shop.Sent]] = {}
    with agents.agents(cluster) as running:
        for label in SOURCES:
            for pod in cluster.pods(shop.NAMESPACE, f"app={label}"):
                name = pod["metadata"]["name"]
                sent[label, name] = shop.load(cluster, name, web, 80)
        (client, *_) = cluster.pods(shop.NAMESPACE, "app=client")
        for machine in cluster.machines.values():
            by_node_port[machine.node] = shop.load(
                cluster, client["metadata"]["name"], machine.address, shop.NODE_PORT, connections=6
            )
        everything = cluster.get("pods", "--all-namespaces")["items"]
        inodes = {
            (path.parent.name.removeprefix("pod"), path.name): path.stat().st_ino
            for machine in cluster.machines.values()
            for path in (pods.unified() / machine.name / "kubepods").rglob("pod*/*/")
        }
    flows = "select * from flows where namespace = 'shop' or remote_namespace = 'shop'"
    yield Run(
        sent,
        by_node_port,
        {name: agent.query(flows) for name, agent in running.items()},
        {pod["metadata"]["name"]: pod for pod in everything},
        {name: agent.query("select * from containers") for name, agent in running.items()},
        [row for agent in running.values() for row in agent.query(QUESTION)],
        inodes,
    )


def test_both_sides_of_every_connection_say_who_they_are(run: Run, cluster: Cluster) -> None:
    web = shop.service(cluster, "web")
    seen = set()
    named = late = 0
    for (label, source), connections in run.sent.items():
        assert connections
        for sent in connections:
            client, server = run.of("client", sent), run.of("server", sent)
            assert client and server, (label, sent)
            (back_end,) = {row["remote_pod"] for row in client}
            assert back_end in run.pods and run.pods[back_end]["metadata"]["labels"]["app"] == "web"
            node, far = (run.pods[name]["spec"]["nodeName"] for name in (source, back_end))
            seen.add((label, node == far))
            expected = {
                "node": node, "pod_name": source, "pod_uid": run.pods[source]["metadata"]["uid"],
                "namespace": "shop", "container_name": label, "process_name": "python3",
                "remote_pod": back_end, "remote_namespace": "shop", "remote_node": far,
                "remote_workload": "web", "remote_workload_kind": "Deployment", "remote_service": "web",
                "remote_address": run.pods[back_end]["status"]["podIP"], "remote_port": shop.PORT,
                "target_address": web, "target_port": 80,
            }  # fmt: skip
            expected["workload"], expected["workload_kind"] = SOURCES[label]
            for row in client:
                assert {name: row[name] for name in expected} == expected
            expected = {
                "node": far, "pod_name": back_end, "pod_uid": run.pods[back_end]["metadata"]["uid"],
                "namespace": "shop", "container_name": "web", "workload": "web", "workload_kind": "Deployment",
                "remote_pod": source, "remote_namespace": "shop", "remote_node": node,
                "remote_service": None, "local_port": shop.PORT,
            }  # fmt: skip
            expected["remote_workload"], expected["remote_workload_kind"] = SOURCES[label]
            for row in server:
                found = {name: row[name] for name in expected}
                if node != far and row["remote_pod"] is None:  # asked for by address, which may come too late
                    late += 1
                    expected_here = expected | dict.fromkeys(REMOTE)
                else:
                    expected_here = expected
                assert found == expected_here
                named += 1
    assert {label for label, _ in seen} == set(SOURCES)
    assert {same for _, same in seen} == {True, False}  # back-ends of both nodes were met
    assert late < named / 2


def test_what_was_sent_is_in_the_rows_once(run: Run) -> None:
    for connections in run.sent.values():
        for sent in connections:
            client, server = run.of("client", sent), run.of("server", sent)
            assert total(client, "tx_packets") == sent.packets
            assert total(client, "tx_bytes") in range(sent.bytes, sent.bytes + 8 * sent.retransmits + 1, 8)
            # Who closes first may be in TIME_WAIT, which is no socket any more, when the last segment passes.
            for here, there in ((client, server), (server, client)):
                more = total(here, "tx_packets") - total(there, "rx_packets")
                assert more in (0, 1)
                assert total(here, "tx_bytes") - total(there, "rx_bytes") == more * shop.HEADER


def test_the_acceptances_question(run: Run) -> None:
    """`select namespace, workload, remote_workload, sum(tx_bytes) ...` is what the load generator sent."""
    expected: dict[str, list[shop.Sent]] = {}
    for (label, _), connections in run.sent.items():
        expected.setdefault(label, []).extend(connections)
    for connections in run.by_node_port.values():
        expected["client"].extend(connections)
    found: dict[str, int] = {}
    packets: dict[str, int] = {}
    for row in run.sums:
        print(json.dumps(row))
        # Behind another node's port nobody here knows who it is
        assert row["remote_workload"] == "web" or (row["workload"], row["remote_workload"]) == ("client", None)
        found[row["workload"]] = found.get(row["workload"], 0) + row["sent"]
        packets[row["workload"]] = packets.get(row["workload"], 0) + row["packets"]
    assert packets == {label: sum(each.packets for each in sent) for label, sent in expected.items()}
    for label, sent in expected.items():
        least = sum(each.bytes for each in sent)
        assert found[label] in range(least, least + 8 * sum(each.retransmits for each in sent) + 1, 8)


def test_node_ports(run: Run) -> None:
    ((client, _), *_) = ((name, label) for label, name in run.sent if label == "client")
    home = run.pods[client]["spec"]["nodeName"]
    web = {name for name, pod in run.pods.items() if pod["metadata"].get("labels", {}).get("app") == "web"}
    for node, connections in run.by_node_port.items():
        named = 0
        for sent in connections:
            rows = run.of("client", sent)
            assert total(rows, "tx_packets") == sent.packets
            for row in rows:
                assert (row["pod_name"], row["remote_service"]) == (client, "web")
                if node == home:  # translated here: the row has the pod, and what was called
                    assert row["remote_pod"] in web and row["target_port"] == shop.NODE_PORT
                else:
                    assert (row["remote_pod"], row["remote_node"], row["remote_port"]) == (None, node, shop.NODE_PORT)
            # The server's side sees a node's address, or finds the client behind it; never somebody else.
            served = [
                row
                for row in run.rows[node]
                if row["role"] == "server" and row["pod_name"] in web and row["remote_pod"] == client
            ]
            named += len(served)
        assert named
    for rows in run.rows.values():
        for row in rows:
            if row["role"] == "server" and row["pod_name"] in web:
                assert row["remote_pod"] in {None, *(name for _, name in run.sent)}


def test_pods_and_containers_are_those_of_the_api(run: Run) -> None:
    """Ground truth: the API's uids and container ids are parts of the path of the cgroup whose id the kernel tells."""
    containers = {
        status["containerID"].partition("//")[2]: (pod["metadata"], status["name"], pod["spec"]["nodeName"])
        for pod in run.pods.values()
        for status in pod["status"].get("containerStatuses", ())
        if status["state"].get("running")
    }
    assert len(containers) >= 3 + 2 + 1 + 2 + 1 + 1
    for container_id, (meta, name, node) in containers.items():
        (row,) = (row for row in run.known[node] if row["container_id"] == container_id and row["valid_to"] is None)
        assert [row[column] for column in ("pod_uid", "pod_name", "namespace", "container_name")] == [
            meta["uid"], meta["name"], meta["namespace"], name,
        ]  # fmt: skip
        assert (meta["uid"], container_id) in run.inodes
    counted = 0
    for node, rows in run.rows.items():
        for row in rows:
            if row["container_id"] in containers:
                meta, _, home = containers[row["container_id"]]
                assert (row["pod_uid"], row["node"], home) == (meta["uid"], node, node)
                assert row["cgroup_id"] == run.inodes[meta["uid"], row["container_id"]]
                counted += 1
    assert counted


def test_watch_for_a_while(cluster: Cluster) -> None:
    """`beespace watch -n shop -o json --for 10s`, on both nodes, while clients ask the Service."""
    web = shop.service(cluster, "web")
    watch = [*agents.BEESPACE, "watch", "-n", "shop", "-o", "json", "--for", "10s"]
    watching = [
        subprocess.Popen(
            machine.inside([*watch, f"--kubeconfig={cluster.kubeconfig}", f"--node={machine.node}"]),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **agents.ENVIRONMENT},
        )
        for machine in cluster.machines.values()
    ]  # fmt: skip
    clients = [pod["metadata"]["name"] for pod in cluster.pods(shop.NAMESPACE, "app=client")]
    with ThreadPoolExecutor(4) as pool:
        outputs = [pool.submit(process.communicate) for process in watching]
        while not all(output.done() for output in outputs):
            list(pool.map(lambda name: shop.load(cluster, name, web, 80, connections=2, size=1000), clients))
    sides = set()
    for output, errors in (each.result() for each in outputs):
        assert "nothing lost" in errors and "note: no " not in errors, errors
        for row in map(json.loads, output.splitlines()):
            if row.get("remote_pod") is None:
                continue  # the kubelet, who asks whether somebody listens
            assert row["namespace"] == "shop" and row["pod_name"]
            here, there = ("client", "web") if row["role"] == "client" else ("web", "client")
            # Who controls a pod is asked for when it is first talked to, and a row that was shown stays as it was.
            assert row["workload"] in (None, here) and row["remote_workload"] in (None, there)
            assert row["remote_service"] == ("web" if row["role"] == "client" else None)
            if row["workload"] and row["remote_workload"] and row["role"] not in sides:
                sides.add(row["role"])
                print(json.dumps({name: row[name] for name in SHOWN}))
    assert sides == {"client", "server"}


def test_the_doctor_of_a_node(cluster: Cluster) -> None:
    """Each feature is there, or it is said why not; what a node has that a host has not is there."""
    for machine in cluster.machines.values():
        asking = [
            *agents.BEESPACE,
            "doctor",
            "-o",
            "json",
            f"--kubeconfig={cluster.kubeconfig}",
            f"--node={machine.node}",
        ]
        done = subprocess.run(
            machine.inside(asking), capture_output=True, text=True, env={**os.environ, **agents.ENVIRONMENT}
        )
        found = {each["feature"]: each for each in map(json.loads, done.stdout.splitlines())}
        for each in found.values():
            print(machine.node, "ok" if each["available"] else "--", each["feature"], each["why"], sep="  ")
            assert each["why"]
            assert each["available"] or each["help"], each
        assert found["container runtime"]["available"]
        for kind in ("pods", "services", "endpointslices", "nodes", "namespaces"):
            assert found[f"Kubernetes {kind}"]["available"]
        assert found["least privilege of flows"]["available"]


def total(rows: list[Row], column: str) -> int:
    return sum(row[column] for row in rows)
