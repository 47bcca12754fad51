"""The agent as ``beespace deploy`` runs it: in a pod with exactly the rights of the manifest, and with one less."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import kubelet
import pods
import pytest

from beespace.deploy.files import ephemeral_pod

pytestmark = pytest.mark.pods

ROOT = Path(__file__).parents[2]
PREFIXES = dict.fromkeys((sys.base_prefix, sys.prefix))
# The interpreter and what is installed come from this machine; everything else of the pod is the manifest's.
BINDS = [
    kubelet.Bind("/usr", "/usr"),
    *(kubelet.Bind(f"/{name}", f"/usr/{name}") for name in ("lib", "lib64") if Path(f"/usr/{name}").is_dir()),
    kubelet.Bind("/opt/source", str(ROOT / "src")),
    *(kubelet.Bind(path, path) for path in PREFIXES if not Path(path).is_relative_to("/usr")),
]
ENVIRONMENT = {"PYTHONPATH": "/opt/source", "PYTHONDONTWRITEBYTECODE": "1", "PATH": "/bin:/usr/bin"}
BEESPACE = [sys.executable, "-m", "beespace"]


def beespace(*arguments: str) -> str:
    done = subprocess.run(
        [*BEESPACE, *arguments], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT / "src")}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def spec() -> dict[str, Any]:
    """The pod of the DaemonSet."""
    objects = json.loads(beespace("deploy", "--image", pods.IMAGE, "-o", "json"))["items"]
    (daemon_set,) = (each for each in objects if each["kind"] == "DaemonSet")
    pod: dict[str, Any] = daemon_set["spec"]["template"]["spec"]
    return pod


Start = Callable[..., pods.Pod]


def cgroup_inside(node: pods.Node) -> str:
    """The node's cgroup, as an agent in a pod sees it."""
    name = f"/{pods.unified().relative_to('/sys/fs/cgroup')}".removesuffix("/.")
    return f"/host/sys/fs/cgroup{name}/{node.name}"


@pytest.fixture
def start(node: pods.Node) -> Iterator[Start]:
    """Runs an agent that sees the node's pods only: the rest of this machine is none of a test's business."""
    started: list[pods.Pod] = []

    def run(pod: dict[str, Any], command: list[str] | None = None) -> pods.Pod:
        inside = cgroup_inside(node)
        (container,) = pod["containers"]
        arguments = [] if command else [*container.get("args", []), "--cgroup", inside, "--interval=500ms"]
        changed = {**pod, "containers": [{**container, "args": arguments}]}
        started.append(
            kubelet.run(
                node, changed, f"beespace-{len(started)}", "beespace",
                command=command or BEESPACE, binds=BINDS, environment=ENVIRONMENT,
            )
        )  # fmt: skip
        return started[-1]

    yield run
    for each in started:
        node.remove_pod(each)


@pytest.fixture(scope="module")
def server(node: pods.Node) -> Iterator[pods.Pod]:
    pod = node.run_pod("shop-6f7d9c8b5-x", "retail", {"web": ["httpd", "-f", "-h", "/www"]})
    yield pod
    node.remove_pod(pod)


@pytest.fixture(scope="module")
def customer(node: pods.Node) -> Iterator[pods.Pod]:
    pod = node.run_pod("customer", "people", {"browser": ["sleep", "100000"]})
    yield pod
    node.remove_pod(pod)


def ask(node: pods.Node, path: str) -> str:
    """What a probe of the kubelet gets: over the node's loopback."""
    command = ["nsenter", f"--target={node.pid}", "--net", "busybox", "wget", "-q", "-O", "-"]
    return subprocess.run([*command, f"http://127.0.0.1:9470{path}"], capture_output=True, text=True).stdout


def until_ready(node: pods.Node, agent: pods.Pod) -> None:
    deadline = time.monotonic() + 120
    while ask(node, "/readyz") != "running\n":
        assert node.exit_code(agent.containers["agent"]) is None, kubelet.logs(node, agent)
        assert time.monotonic() < deadline, kubelet.logs(node, agent)
        time.sleep(0.2)


def download(node: pods.Node, customer: pods.Pod, server: pods.Pod) -> None:
    got = node.exec(customer.containers["browser"], ["wget", "-q", "-O", "-", f"http://{server.ip}/"])
    assert got == pods.Output("hello from beespace\n", "", 0)


def asked(node: pods.Node, sql: str) -> list[dict[str, Any]]:
    output = beespace("query", sql, "--store", str(node.root / "var/lib/beespace"), "-o", "json")
    return [json.loads(line) for line in output.splitlines()]


PEERS = "select distinct pod_name, namespace, container_name, process_name, remote_pod from flows"


def test_flows_with_exactly_the_rights_of_the_manifest(
    node: pods.Node, start: Start, spec: dict[str, Any], customer: pods.Pod, server: pods.Pod
) -> None:
    agent = start(spec)
    until_ready(node, agent)
    inside = agent.containers["agent"]
    status = dict(
        line.split(":\t", 1)
        for line in node.exec(inside, ["busybox", "cat", "/proc/self/status"]).stdout.splitlines()
        if ":\t" in line
    )
    # CAP_BPF 39, CAP_PERFMON 38, CAP_SYS_PTRACE 19, CAP_NET_ADMIN 12
    assert int(status["CapBnd"], 16) == 1 << 39 | 1 << 38 | 1 << 19 | 1 << 12
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    assert "Read-only file system" in node.exec(inside, ["busybox", "touch", "/here"]).stderr
    assert "Read-only file system" in node.exec(inside, ["busybox", "mkdir", "/host/sys/fs/cgroup/x"]).stderr
    download(node, customer, server)
    assert node.stop(inside) == 0, kubelet.logs(node, agent)
    assert "nothing lost" in kubelet.logs(node, agent)
    rows = {(row["pod_name"], row["namespace"], row["container_name"], row["process_name"], row["remote_pod"])
            for row in asked(node, PEERS)}  # fmt: skip
    assert ("customer", "people", "browser", "wget", server.name) in rows
    assert (server.name, "retail", "web", "httpd", "customer") in rows


@pytest.mark.parametrize("capability", ["BPF", "PERFMON", "NET_ADMIN"])
def test_none_of_them_is_too_much(node: pods.Node, start: Start, spec: dict[str, Any], capability: str) -> None:
    agent = start(without(spec, capability))
    deadline = time.monotonic() + 120
    while (status := node.exit_code(agent.containers["agent"])) is None:
        assert ask(node, "/readyz") != "running\n"
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert status == 3, kubelet.logs(node, agent)
    assert f"CAP_{capability}" in kubelet.logs(node, agent)


def without(spec: dict[str, Any], capability: str) -> dict[str, Any]:
    changed: dict[str, Any] = json.loads(json.dumps(spec))
    changed["containers"][0]["securityContext"]["capabilities"]["add"].remove(capability)
    return changed


def test_an_update_loses_nothing_that_was_stored(
    node: pods.Node, start: Start, spec: dict[str, Any], customer: pods.Pod, server: pods.Pod
) -> None:
    """The old pod ends, the new one starts; what both saw is one history."""
    counted = "select count(*) as n, sum(tx_bytes) as sent from flows where process_name = 'wget'"
    before = asked(node, counted)[0]["n"] if (node.root / "var/lib/beespace/beespace.json").exists() else 0
    for times in (1, 2):
        agent = start(spec)
        until_ready(node, agent)
        download(node, customer, server)
        assert node.stop(agent.containers["agent"]) == 0
        now = asked(node, counted)[0]["n"]
        assert now >= before + times
        assert kubelet.logs(node, agent).count("nothing lost") == 1


def test_the_pod_of_kubectl_beespace(node: pods.Node, start: Start, customer: pods.Pod, server: pods.Pod) -> None:
    """Idle until it is asked; then it watches one pod, and answers from what it saw."""
    text = ephemeral_pod()
    for placeholder, value in (("NAME", "beespace-1"), ("NODE", node.name), ("IMAGE", pods.IMAGE)):
        text = text.replace(f"@{placeholder}@", value)
    agent = start(json.loads(text.replace("@RUNTIME@", "/run/containerd"))["spec"], command=["/bin/sleep", "1000"])
    inside = agent.containers["agent"]
    with ThreadPoolExecutor(1) as pool:
        command = [*BEESPACE, "watch", "--for=8s", "--store", "--output=json", "--cgroup", cgroup_inside(node)]
        watching = pool.submit(node.exec, inside, [*command, "--namespace=people", "--pod=customer"], timeout=120)
        while not watching.done():
            download(node, customer, server)
            time.sleep(0.5)
    watched = watching.result()
    assert watched.status == 0, watched.stderr
    rows = [json.loads(line) for line in watched.stdout.splitlines()]
    assert {(row["pod_name"], row["namespace"], row["remote_pod"]) for row in rows if "pod_name" in row} == {
        ("customer", "people", server.name)
    }
    sql = "select remote_pod, sum(tx_bytes) > 0 as sent from flows where pod_name = 'customer' group by all"
    asked = node.exec(inside, [*BEESPACE, "query", sql, "--output=json"], timeout=120)
    assert (json.loads(asked.stdout), asked.status) == ({"remote_pod": server.name, "sent": True}, 0)


def doctor(node: pods.Node, agent: pods.Pod) -> tuple[int, dict[str, dict[str, Any]]]:
    done = node.exec(agent.containers["agent"], [*BEESPACE, "doctor", "-o", "json"], timeout=240)
    return done.status, {each["feature"]: each for each in map(json.loads, done.stdout.splitlines())}


def test_doctor_in_the_agents_pod(node: pods.Node, start: Start, spec: dict[str, Any]) -> None:
    agent = start(spec)
    until_ready(node, agent)
    status, found = doctor(node, agent)
    missing = {name for name, each in found.items() if not each["available"]}
    assert status == 0, [each for each in found.values() if not each["available"]]
    assert found["cgroup v2"]["why"].startswith("mounted at /host/sys/fs/cgroup")
    assert found["container runtime"]["why"] == "/run/containerd/containerd.sock"
    for name in ("least privilege of flows", "least privilege of execs", "executables of other users"):
        assert name not in missing
    # Nothing that is refused for lack of a right blames the seccomp filter, which lets bpf(2) pass.
    assert not [name for name in missing if "seccomp" in found[name]["why"]]


def test_doctor_names_what_a_pod_lacks(node: pods.Node, start: Start, spec: dict[str, Any]) -> None:
    """The same pod, idle, without the runtime's socket and a capability."""
    lacking = without(without(spec, "SYS_PTRACE"), "NET_ADMIN")
    (container,) = lacking["containers"]
    container["volumeMounts"] = [mount for mount in container["volumeMounts"] if mount["name"] != "runtime"]
    agent = start(lacking, command=["/bin/sleep", "1000"])
    status, found = doctor(node, agent)
    assert status == 3
    assert "missing: CAP_NET_ADMIN" in found["least privilege of flows"]["why"]
    assert found["least privilege of execs"]["available"]
    assert "CAP_SYS_PTRACE" in found["executables of other users"]["why"]
    assert "no socket of containerd" in found["container runtime"]["why"]
