"""Who is behind real pods: by CRI, and by the state folders alone; while they run, and after they are gone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pods
import pyarrow as pa
import pytest

from beespace.enrich import CgroupTree, Containers, Processes, Who, standard_sources
from beespace.enrich.addresses import Addresses
from beespace.enrich.sources import CriSource, OciSource
from beespace.enrich.sources import oci as oci_module

pytestmark = pytest.mark.pods

NAMES = ("process_name", "container_name", "container_image", "pod_name", "namespace", "workload")


@pytest.fixture(scope="module")
def web(node: pods.Node) -> Iterator[pods.Pod]:
    command = {"web": ["httpd", "-f", "-h", "/www"], "side": ["sleep", "100000"]}
    pod = node.run_pod("web-6f7d9c8b5-x2k4p", "shop", command, labels={"pod-template-hash": "6f7d9c8b5"})
    yield pod
    node.remove_pod(pod)


@pytest.fixture(scope="module")
def client(node: pods.Node) -> Iterator[pods.Pod]:
    pod = node.run_pod("client", "users", {"client": ["sleep", "100000"]})
    yield pod
    node.remove_pod(pod)


@pytest.fixture
def agent(node: pods.Node) -> Iterator[Who]:
    """As an agent runs: the node's root is its host root, and every source is on."""
    containers = Containers(standard_sources(node.root, environment={}), poll_s=0.2)
    with Who(Processes(), CgroupTree(), containers, addresses=Addresses()) as who:
        containers.start()
        yield who


@pytest.fixture
def agent_without_api(node: pods.Node) -> Iterator[Who]:
    """No CRI, no dependency: the files that the runtime keeps."""
    containers = Containers([OciSource(node.root)], poll_s=0.2)
    with Who(Processes(), CgroupTree(), containers, addresses=Addresses()) as who:
        containers.start()
        yield who


def keys(container: pods.RunningContainer) -> tuple[int, int, int]:
    """pid, start and cgroup id, as the kernel stamps them."""
    ticks = int(Path(f"/proc/{container.pid}/stat").read_text().rpartition(")")[2].split()[19])
    cgroup = pods.unified() / container.cgroup.lstrip("/")
    return container.pid, ticks * 10_000_000 + 1, cgroup.stat().st_ino


def resolve(who: Who, *rows: tuple[int, int, int]) -> dict[str, list[str | None]]:
    pids, starts, cgroups = zip(*rows, strict=True)
    columns = who.resolve(np.array(pids, np.uint32), np.array(starts, np.uint64), np.array(cgroups, np.uint64))
    return {name: values.to_pylist() for name, values in columns.items()}


def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def test_pods_talk_to_each_other(node: pods.Node, web: pods.Pod, client: pods.Pod) -> None:
    for address in (web.ip, f"[{web.addresses[1]}]"):
        answer = node.exec(client.containers["client"], ["wget", "-q", "-O", "-", f"http://{address}/"])
        assert answer == pods.Output("hello from beespace\n", "", 0)


def test_by_cri(agent: Who, web: pods.Pod, client: pods.Pod) -> None:
    running = [web.containers["web"], web.containers["side"], client.containers["client"]]
    rows = [keys(container) for container in running]
    until(lambda: None not in resolve(agent, *rows)["container_name"])
    found = resolve(agent, *rows)
    assert found["container_id"] == [container.id for container in running]
    assert found["pod_uid"] == [web.uid, web.uid, client.uid]
    assert list(zip(*(found[name] for name in NAMES), strict=True)) == [
        ("httpd", "web", pods.IMAGE, "web-6f7d9c8b5-x2k4p", "shop", "web"),
        ("sleep", "side", pods.IMAGE, "web-6f7d9c8b5-x2k4p", "shop", "web"),
        ("sleep", "client", pods.IMAGE, "client", "users", None),
    ]
    assert found["process_executable"] == ["/bin/busybox"] * 3
    statistics = agent.statistics()["containers"]
    assert not any(value for name, value in statistics.items() if name.startswith("errors")), statistics


def test_by_state_folders_alone(agent_without_api: Who, web: pods.Pod, client: pods.Pod) -> None:
    running = [web.containers["web"], client.containers["client"]]
    rows = [keys(container) for container in running]
    until(lambda: None not in resolve(agent_without_api, *rows)["container_name"])
    found = resolve(agent_without_api, *rows)
    assert found["container_id"] == [container.id for container in running]
    assert found["pod_uid"] == [web.uid, client.uid]
    assert list(zip(*(found[name] for name in NAMES), strict=True)) == [
        ("httpd", "web", pods.IMAGE, "web-6f7d9c8b5-x2k4p", "shop", None),  # annotations have no labels
        ("sleep", "client", pods.IMAGE, "client", "users", None),
    ]


def test_both_ways_say_the_same(node: pods.Node, web: pods.Pod) -> None:
    container_id = web.containers["web"].id
    cri, oci = CriSource(node.socket), OciSource(node.root)
    try:
        one, other = cri.find(container_id), oci.find(container_id)
        assert one is not None and other is not None
        same = ("id", "runtime", "name", "image", "pod_name", "pod_uid", "namespace", "sandbox")
        assert [getattr(one, name) for name in same] == [getattr(other, name) for name in same]
        assert (pause := oci.find(web.id)) is not None and pause.sandbox and pause.pod_name == web.name
        assert (pause := cri.find(web.id)) is not None and pause.sandbox and pause.pod_name == web.name
        assert {pod.uid: pod.addresses for pod in oci.pods()} == {
            pod.uid: pod.addresses for pod in cri.pods() if not pod.host_network
        }
        assert web.id in (cri.running() or ()) and cri.running() == oci.running()
    finally:
        cri.close()


def test_runcs_state_is_enough(node: pods.Node, web: pods.Pod, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oci_module, "PLACES", tuple(place for place in oci_module.PLACES if place.file == "state.json"))
    found = OciSource(node.root).find(web.containers["web"].id)
    assert found is not None
    assert (found.name, found.pod_name, found.pod_uid, found.namespace, found.image) == (
        "web",
        web.name,
        web.uid,
        "shop",
        pods.IMAGE,
    )


def test_a_process_is_in_its_container_without_any_cgroup_id(agent: Who, web: pods.Pod) -> None:
    """As on a machine with cgroup v1 alone, where the kernel stamps one id on everything."""
    pid, start, _ = keys(web.containers["web"])
    until(lambda: resolve(agent, (pid, start, 0))["container_name"] == ["web"])
    process = agent.processes.get(pid, start)
    assert process is not None
    assert (process.container_id, process.args) == (web.containers["web"].id, ("httpd", "-f", "-h", "/www"))


@pytest.mark.parametrize("api", ["cri", "state folders"])
def test_what_is_gone_stays_resolvable(node: pods.Node, request: pytest.FixtureRequest, api: str) -> None:
    who: Who = request.getfixturevalue("agent" if api == "cri" else "agent_without_api")
    pod = node.run_pod("short", "jobs", {"job": ["sleep", "100000"]})
    row = keys(pod.containers["job"])
    until(lambda: resolve(who, row)["container_name"] == ["job"])
    until(lambda: who.addresses.pod(pod.ip) is not None)
    node.remove_pod(pod)
    assert not Path(f"/proc/{row[0]}").exists()
    until(lambda: (found := who.containers.get(pod.containers["job"].id)) is not None and found.valid_to is not None)
    until(lambda: (found := who.containers.pod(pod.uid)) is not None and found.valid_to is not None)
    who.cgroups.walk()
    assert (cgroup := who.cgroups.known(row[2])) is not None and cgroup.valid_to is not None
    found = resolve(who, row)
    assert [found[name] for name in ("process_name", "container_name", "pod_name", "namespace")] == [
        ["sleep"],
        ["job"],
        ["short"],
        ["jobs"],
    ]
    tables = who.dimensions.take()
    assert pod.containers["job"].id in tables["containers"]["container_id"].to_pylist()
    assert pod.uid in tables["pods"]["pod_uid"].to_pylist()
    assert row[2] in tables["cgroups"]["cgroup_id"].to_pylist()
    place = tables["processes"]["process_pid"].to_pylist().index(row[0])
    assert tables["processes"]["container_id"][place].as_py() == pod.containers["job"].id


@pytest.mark.parametrize("api", ["agent", "agent_without_api"])
def test_addresses_are_pods(request: pytest.FixtureRequest, api: str, web: pods.Pod, client: pods.Pod) -> None:
    who: Who = request.getfixturevalue(api)
    column = pa.array([web.ip, client.addresses[1], "10.85.0.1", "192.0.2.1"])
    until(lambda: who.remote(column)["remote_pod"].null_count == 2)
    found = who.remote(column)
    assert found["remote_pod"].to_pylist() == [web.name, "client", None, None]
    assert found["remote_namespace"].to_pylist() == ["shop", "users", None, None]


def test_a_pod_in_the_hosts_network_has_no_address(node: pods.Node, agent: Who) -> None:
    pod = node.run_pod("agent", "kube-system", {"agent": ["sleep", "100000"]}, host_network=True)
    try:
        until(lambda: agent.containers.pod(pod.uid) is not None)
        found = agent.containers.pod(pod.uid)
        assert found is not None and found.host_network and found.addresses == ()
        row = keys(pod.containers["agent"])
        until(lambda: resolve(agent, row)["pod_name"] == ["agent"])
    finally:
        node.remove_pod(pod)


def test_a_runtime_that_starts_after_us(node: pods.Node, web: pods.Pod, tmp_path: Path) -> None:
    socket = tmp_path / "late.sock"
    with Who(Processes(), CgroupTree(), Containers([CriSource(socket)], poll_s=0.1)) as who:
        row = keys(web.containers["web"])
        assert resolve(who, row)["container_id"] == [web.containers["web"].id]
        assert resolve(who, row)["container_name"] == [None]
        socket.symlink_to(node.socket)
        until(lambda: resolve(who, row)["container_name"] == ["web"])
