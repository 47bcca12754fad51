"""Names of a cluster: pods, owners, Services, nodes, remote pods; right or unknown, whatever the API does."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import kube_objects as k8s
import numpy as np
import pyarrow as pa
import pytest
from kube_api import FakeApi

from beespace.cli.main import main
from beespace.enrich import CgroupTree, Containers, Processes, Who
from beespace.enrich.address_book import AddressBook
from beespace.enrich.addresses import REMOTE_COLUMNS, Addresses
from beespace.enrich.canonical import canonical
from beespace.enrich.kubernetes import Access, Client, Cluster
from beespace.enrich.kubernetes.lookups import Lookups
from beespace.enrich.sources.kubernetes import KubernetesSource
from beespace.session.cluster_news import ClusterNews

Until = Callable[[Callable[[], bool]], None]
A, B = "a1" * 32, "b2" * 32
TCP, UDP = 6, 17


@contextmanager
def agent(api: FakeApi, node: str = "node1", **options: Any) -> Iterator[Who]:
    """An agent without a runtime: what it knows is the API's."""
    book = AddressBook()
    client = Client(Access("127.0.0.1", api.port), timeout_s=5, quiet_s=20)
    lookups = Lookups(rate=1000, burst=1000)
    quick = {"first_s": 0.02, "longest_s": 0.2, "denied_s": 0.2}
    cluster = Cluster(client, node, book, lookups=lookups, **{**quick, **options})
    containers = Containers([KubernetesSource(cluster)], poll_s=0.05)
    addresses = Addresses(book, cluster, host=frozenset)
    with Who(
        Processes(Path("/nowhere"), trusted=True), CgroupTree(Path("/nowhere")), containers, addresses=addresses
    ) as who:
        containers.start()
        cluster.start()
        assert cluster.wait(30)
        yield who


def remote(
    who: Who, address: str, port: int = 0, protocol: int = TCP, at: int | None = None, **target: Any
) -> dict[str, str]:
    """What a row says of the other end; only what is known."""
    found = who.remote(
        pa.array([address]),
        at=np.array([time.time_ns() if at is None else at]),
        ports=np.array([port]),
        protocols=np.array([protocol]),
        **target,
    )
    assert tuple(found) == REMOTE_COLUMNS
    return {name: column[0].as_py() for name, column in found.items() if column[0].as_py() is not None}


def own(who: Who, container: str) -> dict[str, Any]:
    """What a row of a process in that container says of its pod."""
    who.cgroups.observe(7, f"/kubepods/podX/{container}")
    found = who.resolve(np.array([42], np.uint32), np.array([5], np.uint64), np.array([7], np.uint64), names=["x"])
    wanted = ("container_name", "pod_name", "namespace", "workload", "workload_kind", "service_name")
    return {name: found[name][0].as_py() for name in wanted}


def deployment(api: FakeApi, name: str, hash: str = "5d9f7c8b6", namespace: str = "shop") -> tuple[str, str, str]:
    """A Deployment's ReplicaSet; what its pods name as their controller."""
    api.put("replicasets", k8s.controlled(f"{name}-{hash}", namespace, ("apps/v1", "Deployment", name)))
    return "apps/v1", "ReplicaSet", f"{name}-{hash}"


def test_a_pod_of_this_node_with_all_its_names(api: FakeApi, until: Until) -> None:
    owner = deployment(api, "web")
    api.put("pods", k8s.pod("web-5d9f7c8b6-x2x4z", ip="10.1.0.5", owner=owner, containers={"nginx": A}))
    with agent(api) as who:
        expected = {
            "container_name": "nginx",
            "pod_name": "web-5d9f7c8b6-x2x4z",
            "namespace": "shop",
            "workload": "web",
            "workload_kind": "Deployment",
            "service_name": "web",
        }
        until(lambda: own(who, A) == expected)
        seen = {"remote_pod": "web-5d9f7c8b6-x2x4z", "remote_namespace": "shop", "remote_node": "node1"}
        assert remote(who, "10.1.0.5") == {**seen, "remote_workload": "web", "remote_workload_kind": "Deployment"}


OWNERS = [
    (("apps/v1", "StatefulSet", "db"), ("db", "StatefulSet")),
    (("apps/v1", "DaemonSet", "agent"), ("agent", "DaemonSet")),
    (("batch/v1", "Job", "import-28371"), ("import", "CronJob")),
    (("batch/v1", "Job", "once"), ("once", "Job")),
    (("apps/v1", "ReplicaSet", "bare"), ("bare", "ReplicaSet")),
    (("argoproj.io/v1alpha1", "Rollout", "canary"), ("canary", "Rollout")),
    (("v1", "Node", "node1"), (None, None)),
    (None, (None, None)),
]


@pytest.mark.parametrize(("owner", "workload"), OWNERS)
def test_owners(api: FakeApi, until: Until, owner: Any, workload: tuple[str | None, str | None]) -> None:
    api.put("jobs", k8s.controlled("import-28371", "shop", ("batch/v1", "CronJob", "import")))
    api.put("jobs", k8s.controlled("once", "shop", None))
    api.put("replicasets", k8s.controlled("bare", "shop", None))
    api.put("pods", k8s.pod("a-pod", owner=owner, containers={"app": A}))
    with agent(api) as who:
        until(lambda: own(who, A)["pod_name"] == "a-pod")
        until(lambda: (own(who, A)["workload"], own(who, A)["workload_kind"]) == workload)
        # of controllers, OpenTelemetry's order knows those of Kubernetes itself
        assert own(who, A)["service_name"] == ("a-pod" if workload[1] in (None, "Rollout") else workload[0])


def test_owners_that_may_not_be_read(api: FakeApi, until: Until) -> None:
    """The label says that there is a Deployment; of a Job's owner nothing is said, and the Job is true."""
    api.forbidden |= {"replicasets", "jobs"}
    api.put(
        "pods",
        k8s.pod(
            "w",
            owner=("apps/v1", "ReplicaSet", "web-5d9f"),
            labels={"pod-template-hash": "5d9f"},
            containers={"app": A},
        ),
    )
    api.put("pods", k8s.pod("j", owner=("batch/v1", "Job", "import-28371"), containers={"app": B}))
    with agent(api) as who:
        until(lambda: own(who, A)["workload"] == "web")
        until(lambda: {each.split()[1] for each in who.lacks()} == {"Job", "ReplicaSet"})
        assert who.cluster is not None
        (job,) = [pod for pod in who.cluster.pods() if pod.name == "j"]
        assert who.cluster.workload(job) == ("import-28371", "Job")


SERVICE_NAMES = [
    ({"resource.opentelemetry.io/service.name": "annotated"}, {"app.kubernetes.io/name": "l"}, True, "annotated"),
    ({}, {"app.kubernetes.io/instance": "instance", "app.kubernetes.io/name": "name"}, True, "instance"),
    ({}, {"app.kubernetes.io/name": "name"}, True, "name"),
    ({}, {"app.kubernetes.io/name": "name"}, False, "web"),
    ({}, {}, True, "web"),
]


@pytest.mark.parametrize(("annotations", "labels", "opted", "expected"), SERVICE_NAMES)
def test_service_name(api: FakeApi, until: Until, annotations: Any, labels: Any, opted: bool, expected: str) -> None:
    owner = deployment(api, "web")
    api.put("pods", k8s.pod("p", owner=owner, annotations=annotations, labels=labels, containers={"app": A}))
    with agent(api, labels=opted) as who:
        until(lambda: own(who, A)["service_name"] == expected)


def serve(
    api: FakeApi, name: str, *pods: tuple[str, str, str], ip: str = "10.96.0.10", port: int = 80, **spec: Any
) -> None:
    """A Service with its slice; pods are address, name, uid."""
    api.put(
        "services", k8s.service(name, ips=(ip,), ports=(k8s.port(port, node_port=spec.pop("node_port", 0)),), **spec)
    )
    api.put("endpointslices", k8s.endpoint_slice(name, [k8s.endpoint(*each) for each in pods], (k8s.port(8080),)))


@pytest.mark.parametrize("old", [False, True])
def test_a_pod_of_another_node_behind_a_service(api: FakeApi, until: Until, old: bool) -> None:
    api.old = old
    owner = deployment(api, "cart")
    uid = api.put("pods", k8s.pod("cart-1", node="node2", ip="10.2.0.7", owner=owner))["metadata"]["uid"]
    serve(api, "cart", ("10.2.0.7", "cart-1", uid))
    with agent(api) as who:
        expected = {
            "remote_pod": "cart-1", "remote_namespace": "shop", "remote_node": "node2", "remote_service": "cart",
            "remote_workload": "cart", "remote_workload_kind": "Deployment",
        }  # fmt: skip
        until(lambda: remote(who, "10.2.0.7", 8080) == expected)
        assert remote(who, "10.96.0.10", 80) == {"remote_namespace": "shop", "remote_service": "cart"}
        # translated: the peer is the pod, the Service is what was called
        called = canonical("10.96.0.10")
        assert called is not None
        target = {"targets": np.frombuffer(called, np.uint8).reshape(1, 16), "target_ports": np.array([80])}
        assert remote(who, "10.2.0.7", 8080, **target)["remote_service"] == "cart"
        # nobody watched all pods for that
        assert not any(
            what in ("list", "watch") and "nodeName" not in path for what, path in api.requests if "/pods" in path
        )
        assert who.lacks() == [] and who.cluster is not None
        version = "v1beta1" if old else "v1"
        assert who.cluster.statistics()["endpointslices_path"] == f"/apis/discovery.k8s.io/{version}/endpointslices"


def test_services_that_share_a_pod_and_services_by_node_port(api: FakeApi, until: Until) -> None:
    api.put("nodes", k8s.node("node1", "192.168.7.1"))
    api.put("nodes", k8s.node("node2", "192.168.7.2"))
    serve(api, "one", ("10.2.0.7", "p", "u1"), ip="10.96.0.1", node_port=30080)
    serve(api, "two", ("10.2.0.7", "p", "u1"), ip="10.96.0.2")
    with agent(api) as who:
        assert "remote_service" not in remote(who, "10.2.0.7", 8080)  # which of them was called, nobody can tell
        assert remote(who, "10.96.0.2", 80)["remote_service"] == "two"
        assert remote(who, "10.96.0.2", 81) == {}  # no port of its
        assert remote(who, "192.168.7.2", 30080) == {
            "remote_node": "node2", "remote_service": "one", "remote_namespace": "shop",
        }  # fmt: skip
        assert remote(who, "192.168.7.2", 22) == {"remote_node": "node2"}


def test_no_rows_have_no_names(api: FakeApi) -> None:
    with agent(api) as who:
        found = who.remote(pa.array([], pa.string()), at=np.array([], np.int64))
        assert {name: len(column) for name, column in found.items()} == dict.fromkeys(REMOTE_COLUMNS, 0)


def put_two_nodes(api: FakeApi) -> None:
    api.put("nodes", k8s.node("node1", "192.168.7.1", ("10.1.0.0/24",)))
    api.put("nodes", k8s.node("node2", "192.168.7.2", ("10.2.0.0/24",)))


def test_a_client_that_no_service_lists_is_asked_for(api: FakeApi, until: Until) -> None:
    started = time.time() - 100
    put_two_nodes(api)
    api.put("pods", k8s.pod("job-1", node="node2", ip="10.2.0.9", owner=("batch/v1", "Job", "once"), started=started))
    with agent(api) as who:
        seen = time.time_ns()
        until(lambda: remote(who, "10.2.0.9", at=seen).get("remote_pod") == "job-1")
        assert remote(who, "10.2.0.9", at=seen)["remote_workload"] == "once"
        # what it was before its first container ran is not known; nor what it will be
        assert remote(who, "10.2.0.9", at=int((started - 50) * 1e9)) == {}
        assert remote(who, "8.8.8.8") == {} and remote(who, "192.168.7.2") == {"remote_node": "node2"}
        assert who.cluster is not None and who.cluster.lookups.idle(20)
        asked = [path for what, path in api.requests if "podIP" in path]
        assert asked and all("10.2.0.9" in path for path in asked)


def test_a_client_that_talks_again_right_after_it_was_asked_for(api: FakeApi, until: Until) -> None:
    """It is not asked for again at once; but it is, also if nobody talks to it any more."""
    put_two_nodes(api)
    api.put("pods", k8s.pod("job-1", node="node2", ip="10.2.0.9", started=time.time() - 100))
    with agent(api) as who:
        assert who.cluster is not None
        first = time.time_ns()
        until(lambda: remote(who, "10.2.0.9", at=first).get("remote_pod") == "job-1")
        again = time.time_ns()
        assert remote(who, "10.2.0.9", at=again) == {}  # one row, and no other
        key = canonical("10.2.0.9")
        assert key is not None
        book = who.cluster.book
        until(lambda: any(span.until is None or span.until > again for span in book.spans(key)))


def test_a_client_that_was_asked_for_in_vain(api: FakeApi, until: Until) -> None:
    """It has gone when the server is back, and its row has its name all the same."""
    put_two_nodes(api)
    api.put("pods", k8s.pod("job-1", node="node2", ip="10.2.0.9", started=time.time() - 100))
    with agent(api) as who:
        assert who.cluster is not None
        lookups, seen = who.cluster.lookups, time.time_ns()
        with api.away():
            assert remote(who, "10.2.0.9", at=seen) == {}  # one row, and no other
            until(lambda: lookups.failed > 0)
        key = canonical("10.2.0.9")
        assert key is not None
        book = who.cluster.book
        until(lambda: any(span.covers(seen) for span in book.spans(key)))
        assert remote(who, "10.2.0.9", at=seen)["remote_pod"] == "job-1"


def test_a_back_end_that_was_called_before_its_slice_was_told_of(api: FakeApi, until: Until) -> None:
    """As when the watch is behind, and the node's proxy is not."""
    api.put("nodes", k8s.node("node2", "192.168.7.2", ("10.2.0.0/24",)))
    api.put("nodes", k8s.node("node1", "192.168.7.1", ("10.1.0.0/24",)))
    with agent(api) as who:
        assert who.cluster is not None
        pod = api.put("pods", k8s.pod("cart-1", node="node2", ip="10.2.0.7", started=time.time() - 100))
        called = time.time_ns()
        serve(api, "cart", ("10.2.0.7", "cart-1", pod["metadata"]["uid"]))
        until(lambda: remote(who, "10.2.0.7", 8080).get("remote_pod") == "cart-1")
        until(lambda: remote(who, "10.2.0.7", 8080, at=called).get("remote_pod") == "cart-1")


def test_an_address_that_is_given_out_again(api: FakeApi, until: Until) -> None:
    first = api.put("pods", k8s.pod("old", node="node2", ip="10.2.0.7"))["metadata"]["uid"]
    serve(api, "cart", ("10.2.0.7", "old", first))
    with agent(api) as who:
        before = time.time_ns()
        assert remote(who, "10.2.0.7", at=before)["remote_pod"] == "old"
        api.delete("pods", "old", "shop")
        second = api.put("pods", k8s.pod("new", node="node2", ip="10.2.0.7", started=time.time() + 30))["metadata"][
            "uid"
        ]
        serve(api, "cart", ("10.2.0.7", "new", second))
        until(lambda: remote(who, "10.2.0.7").get("remote_pod") == "new")
        assert remote(who, "10.2.0.7", at=before)["remote_pod"] == "old"


def test_a_pod_that_is_ending_gets_no_new_connections_named(api: FakeApi, until: Until) -> None:
    """Its address may be free before the API knows."""
    serve(api, "cart", ("10.2.0.7", "old", "u1"))
    with agent(api) as who:
        assert remote(who, "10.2.0.7")["remote_pod"] == "old"
        before = time.time_ns()
        ending = k8s.endpoint("10.2.0.7", "old", "u1", ready=False, terminating=True)
        api.put("endpointslices", k8s.endpoint_slice("cart", [ending], (k8s.port(8080),)))
        until(lambda: "remote_pod" not in remote(who, "10.2.0.7"))
        assert remote(who, "10.2.0.7", at=before)["remote_pod"] == "old"  # connections that were there


def test_host_network_pods_are_nobodys_address(api: FakeApi, until: Until) -> None:
    api.put("nodes", k8s.node("node1", "192.168.7.1"))
    api.put("pods", k8s.pod("agent", ip="192.168.7.1", host_network=True, containers={"app": A}))
    serve(api, "agent", ("192.168.7.1", "agent", "u1"), ip="10.96.0.3")
    with agent(api) as who:
        until(lambda: own(who, A)["pod_name"] == "agent")
        assert remote(who, "192.168.7.1", 22) == {"remote_node": "node1"}


def test_a_node_that_is_told_of_after_its_pods_has_its_address(api: FakeApi, until: Until) -> None:
    serve(api, "agent", ("192.168.7.1", "agent", "u1"), ip="10.96.0.3")
    with agent(api) as who:
        until(lambda: remote(who, "192.168.7.1", 22) != {})
        api.put("nodes", k8s.node("node1", "192.168.7.1"))
        until(lambda: remote(who, "192.168.7.1", 22) == {"remote_node": "node1"})


def test_a_silent_api_names_no_pods_and_catches_up(api: FakeApi, until: Until) -> None:
    now = time.monotonic()
    shift = [0.0]
    uid = api.put("pods", k8s.pod("cart-1", node="node2", ip="10.2.0.7"))["metadata"]["uid"]
    serve(api, "cart", ("10.2.0.7", "cart-1", uid))
    with agent(api, clock=lambda: now + shift[0]) as who:
        news = ClusterNews(who.cluster)
        assert remote(who, "10.2.0.7", 8080)["remote_pod"] == "cart-1"
        with api.away():
            assert who.cluster is not None
            slices = who.cluster.reflectors["endpointslices"].state
            until(lambda: slices.state == "behind")
            assert remote(who, "10.2.0.7", 8080)["remote_pod"] == "cart-1"  # a moment
            assert set(who.cluster.following().values()) == {""} and news.take() == []
            shift[0] += 60
            (note,) = news.take()
            assert note.startswith("note: nothing new of ") and "endpointslices" in note
            assert "remote_pod" not in remote(who, "10.2.0.7", 8080)
            assert any("endpointslices" in each for each in who.lacks())
        until(lambda: "remote_pod" in remote(who, "10.2.0.7", 8080))
        until(lambda: not who.lacks())
        assert [note.startswith("the Kubernetes API tells of ") for note in news.take()] == [True]
        assert set(news.following.values()) == {""}


@pytest.mark.parametrize("resource", ["pods", "services", "endpointslices", "nodes", "namespaces"])
def test_a_right_that_is_missing_costs_its_names_alone(api: FakeApi, until: Until, resource: str) -> None:
    api.forbidden.add(resource)
    api.put("nodes", k8s.node("node1", "192.168.7.1"))
    api.put("pods", k8s.pod("web-1", ip="10.1.0.5", containers={"app": A}))
    serve(api, "cart", ("10.2.0.7", "cart-1", "u1"))
    api.put("namespaces", k8s.namespace("kube-system"))
    with agent(api) as who:
        assert [resource in each for each in who.lacks()] == [True]
        known = {
            "pods": own(who, A)["pod_name"] == "web-1",
            "services": remote(who, "10.96.0.10", 80).get("remote_service") == "cart",
            "endpointslices": remote(who, "10.2.0.7").get("remote_pod") == "cart-1",
            "nodes": remote(who, "192.168.7.1").get("remote_node") == "node1",
            "namespaces": who.cluster is not None and who.cluster.uid is not None,
        }
        until(lambda: own(who, A)["pod_name"] == "web-1" or resource == "pods")
        assert not known[resource] and all(found for name, found in known.items() if name not in (resource, "pods"))


def test_another_clusters_names_are_not_used(api: FakeApi) -> None:
    api.put("nodes", k8s.node("node1", "192.168.7.1"))
    serve(api, "cart", ("10.2.0.7", "cart-1", "u1"))
    with agent(api, node="my-laptop") as who:
        assert remote(who, "10.96.0.10", 80) == {}
        assert any("no node of the cluster" in each for each in who.lacks())


def test_dimension_rows_of_what_was_learnt_late(api: FakeApi, until: Until) -> None:
    api.forbidden.add("replicasets")
    owner = deployment(api, "web")
    api.put("pods", k8s.pod("web-1", ip="10.1.0.5", owner=owner, containers={"nginx": A}))
    with agent(api) as who:
        until(lambda: own(who, A)["pod_name"] == "web-1")
        who.dimensions.take()
        api.forbidden.clear()
        named = {"resource.opentelemetry.io/service.name": "shop-web"}
        api.put("pods", k8s.pod("web-1", ip="10.1.0.5", annotations=named, owner=owner, containers={"nginx": A}))
        rows: dict[str, Any] = {}

        def came() -> bool:
            rows.update(who.dimensions.take())
            return "containers" in rows and rows["containers"].column("service_name").to_pylist() == ["shop-web"]

        until(came)
        assert rows["addresses"].column("pod_name").to_pylist() == ["web-1"]


def test_doctor_says_what_may_be_read(api: FakeApi, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    api.forbidden.add("services")
    api.tokens = {"secret"}
    config = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u"}}],
        "clusters": [{"name": "k", "cluster": {"server": f"http://127.0.0.1:{api.port}"}}],
        "users": [{"name": "u", "user": {"token": "secret"}}],
    }
    (tmp_path / "config").write_text(json.dumps(config))
    main(["doctor", "-o", "json", "--kubeconfig", str(tmp_path / "config")])
    said = {found["feature"]: found for found in map(json.loads, capsys.readouterr().out.splitlines())}
    assert said["Kubernetes pods"]["available"] and not said["Kubernetes services"]["available"]
    assert "403" in said["Kubernetes services"]["why"]
    assert "v1beta1" not in said["Kubernetes endpointslices"]["why"]
    api.old = True
    main(["doctor", "-o", "json", "--kubeconfig", str(tmp_path / "config")])
    said = {found["feature"]: found for found in map(json.loads, capsys.readouterr().out.splitlines())}
    assert said["Kubernetes endpointslices"]["available"]
    assert said["Kubernetes endpointslices"]["why"].endswith(" as /apis/discovery.k8s.io/v1beta1/endpointslices")
    with api.away():
        main(["doctor", "-o", "json", "--kubeconfig", str(tmp_path / "config")])
        assert "refused" in capsys.readouterr().out
