"""Container sources against made-up runtimes: state folders, a Docker engine, CRI services."""

from __future__ import annotations

import http.server
import json
import socketserver
import threading
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from typing import Any, ClassVar

import pytest

from beespace.enrich.container import Container, Pod, SourceError
from beespace.enrich.sources import CriSource, DockerSource, OciSource, standard_sources
from beespace.errors import UsageError

A, B, SANDBOX = "a1" * 32, "b2" * 32, "5a" * 32
UID = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"


# State folders


def write(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


CONTAINERD = "run/containerd/io.containerd.runtime.v2.task/k8s.io"


def containerd_bundle(root: Path, container_id: str, **annotations: str) -> None:
    notes = {f"io.kubernetes.cri.{key.replace('_', '-')}": value for key, value in annotations.items()}
    state = {"annotations": notes, "linux": {"cgroupsPath": f"/kubepods/besteffort/pod{UID}/{container_id}"}}
    write(root / CONTAINERD / container_id / "config.json", state)


def test_containerd_bundle(tmp_path: Path) -> None:
    containerd_bundle(
        tmp_path,
        A,
        container_name="web",
        container_type="container",
        image_name="registry.example/web:1",
        sandbox_name="web-1",
        sandbox_namespace="shop",
        sandbox_uid=UID,
    )
    found = OciSource(tmp_path).find(A)
    assert found == Container(A, "containerd", "web", "registry.example/web:1", "web-1", UID, "shop")


def test_a_pod_uid_that_is_not_noted_comes_from_the_cgroup_path(tmp_path: Path) -> None:
    containerd_bundle(tmp_path, A, container_name="web", sandbox_name="web-1", sandbox_namespace="shop")
    assert (found := OciSource(tmp_path).find(A)) is not None and found.pod_uid == UID


def test_a_pause_container_is_known_as_one(tmp_path: Path) -> None:
    containerd_bundle(tmp_path, SANDBOX, container_type="sandbox", sandbox_name="web-1", sandbox_namespace="shop")
    assert (found := OciSource(tmp_path).find(SANDBOX)) is not None
    assert (found.sandbox, found.name, found.pod_name) == (True, None, "web-1")


def test_crio_bundle(tmp_path: Path) -> None:
    notes = {
        "io.container.manager": "cri-o",
        "io.kubernetes.container.name": "web",
        "io.kubernetes.cri-o.ContainerType": "container",
        "io.kubernetes.cri-o.ImageName": "registry.example/web:1",
        "io.kubernetes.pod.name": "web-6f7d9c8b5-x2k4p",
        "io.kubernetes.pod.namespace": "shop",
        "io.kubernetes.pod.uid": UID,
        "io.kubernetes.cri-o.Labels": '{"pod-template-hash": "6f7d9c8b5"}',
    }
    write(tmp_path / f"run/containers/storage/overlay-containers/{A}/userdata/config.json", {"annotations": notes})
    expected = Container(A, "cri-o", "web", "registry.example/web:1", "web-6f7d9c8b5-x2k4p", UID, "shop", "web")
    assert OciSource(tmp_path).find(A) == expected


def test_podman_bundle_has_no_pod(tmp_path: Path) -> None:
    notes = {"annotations": {"io.container.manager": "libpod"}, "linux": {"cgroupsPath": f"machine.slice:libpod:{A}"}}
    write(tmp_path / f"run/containers/storage/overlay-containers/{A}/userdata/config.json", notes)
    assert OciSource(tmp_path).find(A) == Container(A, "podman")


def test_runc_state(tmp_path: Path) -> None:
    labels = ["bundle=/x", "io.kubernetes.cri.container-name=web", "io.kubernetes.cri.sandbox-name=web-1"]
    cgroups = {"path": f"/kubepods/pod{UID}/{A}"}
    write(tmp_path / f"run/containerd/runc/k8s.io/{A}/state.json", {"config": {"labels": labels, "cgroups": cgroups}})
    found = OciSource(tmp_path).find(A)
    assert found == Container(A, "containerd", "web", pod_name="web-1", pod_uid=UID)


@pytest.mark.parametrize("container_id", ["..", ".", "", "../../../etc", "a/b", "-rf"])
def test_an_id_is_no_path(tmp_path: Path, container_id: str) -> None:
    containerd_bundle(tmp_path, A)
    assert OciSource(tmp_path).find(container_id) is None


@pytest.mark.parametrize("content", ["", "{", "[]", "null"])
def test_a_damaged_state_file_is_an_error_of_the_source(tmp_path: Path, content: str) -> None:
    containerd_bundle(tmp_path, A)
    (tmp_path / CONTAINERD / A / "config.json").write_text(content)
    with pytest.raises(SourceError, match=r"config\.json is not"):
        OciSource(tmp_path).find(A)


def test_running_lists_every_state_folder(tmp_path: Path) -> None:
    source = OciSource(tmp_path)
    assert source.running() is None
    containerd_bundle(tmp_path, A)
    write(tmp_path / f"run/containers/storage/overlay-containers/{B}/userdata/config.json", {})
    assert source.running() == {A, B}


def cni_result(folder: Path, pod: str, interface: str, *addresses: str, uid: str | None = UID) -> None:
    arguments = [["K8S_POD_NAME", pod], ["K8S_POD_NAMESPACE", "shop"], *([["K8S_POD_UID", uid]] if uid else [])]
    ips = [{"address": address} for address in addresses]
    content = {"containerId": SANDBOX, "ifName": interface, "cniArgs": arguments, "result": {"ips": ips}}
    write(folder / f"net-{pod}-{interface}", content)


def test_pods_of_the_cni_results(tmp_path: Path) -> None:
    folder = tmp_path / "var/lib/cni/results"
    cni_result(folder, "web-1", "eth0", "10.85.0.2/24", "fd85::2/64")
    cni_result(folder, "web-1", "net1", "192.168.9.2/24")
    cni_result(folder, "web-1", "lo", "127.0.0.1/8")
    source = OciSource(tmp_path)
    (pod,) = source.pods()
    assert (pod.uid, pod.name, pod.namespace) == (UID, "web-1", "shop")
    assert set(pod.addresses) == {"10.85.0.2", "fd85::2", "192.168.9.2"}
    for file in folder.iterdir():
        file.unlink()
    assert source.pods() == []


def test_a_cni_result_without_uid_takes_it_from_the_sandbox(tmp_path: Path) -> None:
    cni_result(tmp_path / "var/lib/cni/results", "web-1", "eth0", "10.85.0.2/24", uid=None)
    source = OciSource(tmp_path)
    assert source.pods() == []  # nobody knows the uid: no pod
    containerd_bundle(tmp_path, SANDBOX, container_type="sandbox", sandbox_name="web-1", sandbox_uid=UID)
    assert [pod.uid for pod in source.pods()] == [UID]


# Docker


class Engine(http.server.BaseHTTPRequestHandler):
    answers: ClassVar[dict[str, tuple[int, bytes]]] = {}

    def do_GET(self) -> None:
        status, body = self.answers.get(self.path, (404, b"{}"))
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        return "unix"

    def log_message(self, *_arguments: Any) -> None:
        pass


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[DockerSource]:
    path = tmp_path / "docker.sock"
    Engine.answers = {}
    with socketserver.UnixStreamServer(str(path), Engine) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield DockerSource(path)
        server.shutdown()
        thread.join()


def answer(path: str, content: object, status: int = 200) -> None:
    Engine.answers[path] = (status, json.dumps(content).encode())


def test_docker_container(engine: DockerSource) -> None:
    config = {"Image": "nginx:1.27", "Labels": None}
    answer(
        f"/containers/{A}/json",
        {"Id": A, "Name": "/web", "Created": "2026-01-02T03:04:05.123456789Z", "Config": config},
    )
    found = engine.find(A)
    assert found == Container(A, "docker", "web", "nginx:1.27", created_ns=1767323045_000_000_000)


def test_docker_as_the_kubelets_runtime(engine: DockerSource) -> None:
    labels = {
        "io.kubernetes.container.name": "web",
        "io.kubernetes.pod.name": "web-1",
        "io.kubernetes.pod.namespace": "shop",
        "io.kubernetes.pod.uid": UID,
        "io.kubernetes.docker.type": "container",
    }
    answer(f"/containers/{A}/json", {"Id": A, "Name": "/k8s_web_web-1", "Config": {"Image": "x", "Labels": labels}})
    assert engine.find(A) == Container(A, "docker", "web", "x", "web-1", UID, "shop")
    labels["io.kubernetes.docker.type"] = "podsandbox"
    answer(f"/containers/{A}/json", {"Id": A, "Name": "/k8s_POD", "Config": {"Image": "x", "Labels": labels}})
    assert (found := engine.find(A)) is not None and found.sandbox


def test_docker_finds_by_other_things_than_the_id(engine: DockerSource) -> None:
    answer("/containers/web/json", {"Id": A, "Name": "/web", "Config": {}})
    assert engine.find("web") is None
    assert engine.find(B) is None


def test_docker_running(engine: DockerSource) -> None:
    answer("/containers/json", [{"Id": A}, {"Id": B}])
    assert engine.running() == {A, B}


def test_docker_errors(engine: DockerSource) -> None:
    answer("/containers/json", {"message": "boom"}, status=500)
    with pytest.raises(SourceError, match="answered 500"):
        engine.running()
    Engine.answers["/containers/json"] = (200, b"not json")
    with pytest.raises(SourceError, match="GET /containers/json"):
        engine.running()


def test_no_docker_is_no_error(tmp_path: Path) -> None:
    source = DockerSource(tmp_path / "docker.sock")
    assert source.find(A) is None
    assert source.running() is None
    assert list(source.pods()) == []


# CRI


class Runtime:
    """The few CRI services that we ask, over plain lists."""

    def __init__(self, messages: Any) -> None:
        self.cri = messages
        self.containers: list[Any] = []
        self.sandboxes: list[Any] = []  # PodSandboxStatus
        self.tags: dict[str, str] = {}

    def Version(self, _request: Any, _context: Any) -> Any:
        return self.cri.VersionResponse(runtime_name="containerd")

    def ListContainers(self, request: Any, _context: Any) -> Any:
        wanted = request.filter.id
        return self.cri.ListContainersResponse(
            containers=[container for container in self.containers if container.id.startswith(wanted)]
        )

    def ContainerStatus(self, request: Any, _context: Any) -> Any:
        image = self.cri.ImageSpec(image=self.tags.get(request.container_id, ""))
        return self.cri.ContainerStatusResponse(status=self.cri.ContainerStatus(image=image))

    def ListPodSandbox(self, request: Any, _context: Any) -> Any:
        return self.cri.ListPodSandboxResponse(
            items=[
                self.cri.PodSandbox(id=status.id, state=status.state)
                for status in self.sandboxes
                if status.id.startswith(request.filter.id)
            ]
        )

    def PodSandboxStatus(self, request: Any, _context: Any) -> Any:
        (status,) = [status for status in self.sandboxes if status.id == request.pod_sandbox_id]
        return self.cri.PodSandboxStatusResponse(status=status)

    def add_pod(self, *, host_network: bool = False, **labels: str) -> None:
        cri = self.cri
        mode = cri.NamespaceMode.NODE if host_network else cri.NamespaceMode.POD
        namespaces = cri.Namespace(options=cri.NamespaceOption(network=mode))
        self.sandboxes.append(
            cri.PodSandboxStatus(
                id=SANDBOX,
                state=cri.PodSandboxState.SANDBOX_READY,
                metadata=cri.PodSandboxMetadata(name="web-6f7d9c8b5-x2k4p", namespace="shop", uid=UID),
                network=cri.PodSandboxNetworkStatus(ip="10.85.0.2", additional_ips=[cri.PodIP(ip="fd85::2")]),
                linux=cri.LinuxPodSandboxStatus(namespaces=namespaces),
                labels={key.replace("_", "-"): value for key, value in labels.items()},
                created_at=55,
            )
        )

    def add_container(self, image: str, **options: Any) -> None:
        cri = self.cri
        self.containers.append(
            cri.Container(
                id=A,
                pod_sandbox_id=SANDBOX,
                metadata=cri.ContainerMetadata(name="web"),
                image=cri.ImageSpec(image=image, **options),
                image_ref="sha256:ffff",
                state=cri.ContainerState.CONTAINER_RUNNING,
                labels={"io.kubernetes.container.name": "web"},
                created_at=66,
            )
        )


@pytest.fixture(params=["v1", "v1alpha2"])
def runtime(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Runtime]:
    grpc = pytest.importorskip("grpc", reason="grpcio is not installed (extra: containers)")
    messages = pytest.importorskip(f"cri_api.{request.param}.api_pb2", reason="no CRI messages (extra: containers)")
    services = pytest.importorskip(f"cri_api.{request.param}.api_pb2_grpc")
    made = Runtime(messages)
    servicer = type("Servicer", (services.RuntimeServiceServicer,), {})()
    for name in ("Version", "ListContainers", "ContainerStatus", "ListPodSandbox", "PodSandboxStatus"):
        setattr(servicer, name, getattr(made, name))
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=2))
    services.add_RuntimeServiceServicer_to_server(servicer, server)
    server.add_insecure_port(f"unix://{tmp_path}/cri.sock")
    server.start()
    yield made
    server.stop(None).wait()


@pytest.fixture
def cri(runtime: Runtime, tmp_path: Path) -> Iterator[CriSource]:
    source = CriSource(tmp_path / "cri.sock")
    yield source
    source.close()


def test_cri_container(runtime: Runtime, cri: CriSource) -> None:
    runtime.add_pod(pod_template_hash="6f7d9c8b5")
    runtime.add_container("registry.example/web:1")
    expected = Container(
        A, "containerd", "web", "registry.example/web:1", "web-6f7d9c8b5-x2k4p", UID, "shop", "web", created_ns=66,
        workload_kind="Deployment", service_name="web",
    )  # fmt: skip
    assert cri.find(A) == expected
    assert cri.find(A[:12]) is None  # a prefix is not an id
    assert cri.find(B) is None


def test_cri_image_that_the_kubelet_gave_as_a_digest(runtime: Runtime, cri: CriSource) -> None:
    runtime.add_pod()
    runtime.add_container("sha256:ffff")
    runtime.tags[A] = "registry.example/web:1"
    assert (found := cri.find(A)) is not None and found.image == "registry.example/web:1"
    del runtime.tags[A]
    assert (found := cri.find(A)) is not None and found.image == "sha256:ffff"


def test_cri_sandbox(runtime: Runtime, cri: CriSource) -> None:
    runtime.add_pod()
    assert (found := cri.find(SANDBOX)) is not None
    assert (found.sandbox, found.name, found.pod_name, found.pod_uid) == (True, None, "web-6f7d9c8b5-x2k4p", UID)


def test_cri_pods_and_what_runs(runtime: Runtime, cri: CriSource) -> None:
    runtime.add_pod()
    runtime.add_container("x")
    assert cri.running() == {A, SANDBOX}
    assert cri.pods() == [Pod(UID, "web-6f7d9c8b5-x2k4p", "shop", addresses=("10.85.0.2", "fd85::2"), created_ns=55)]
    runtime.containers[0].state = runtime.cri.ContainerState.CONTAINER_EXITED
    runtime.sandboxes[0].state = runtime.cri.PodSandboxState.SANDBOX_NOTREADY
    assert cri.running() == set()
    assert cri.pods() == []


def test_cri_host_network_pods_have_no_address_of_their_own(runtime: Runtime, cri: CriSource) -> None:
    runtime.add_pod(host_network=True)
    (pod,) = cri.pods()
    assert pod.host_network and pod.addresses == ()


def test_cri_without_a_runtime(tmp_path: Path) -> None:
    source = CriSource(tmp_path / "cri.sock")
    assert (source.find(A), source.running(), list(source.pods())) == (None, None, [])
    source.close()


def test_cri_that_does_not_answer(tmp_path: Path) -> None:
    pytest.importorskip("grpc", reason="grpcio is not installed (extra: containers)")
    import socket

    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(tmp_path / "cri.sock"))  # nobody listens
        source = CriSource(tmp_path / "cri.sock")
        with pytest.raises(SourceError, match="unavailable"):
            source.running()
        source.close()


def test_a_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket
    import sys

    monkeypatch.setitem(sys.modules, "grpc", None)
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(tmp_path / "cri.sock"))
        with pytest.raises(SourceError, match=r"pip install 'beespace\[containers\]'"):
            CriSource(tmp_path / "cri.sock").running()


# Which there are


def test_standard_sources(tmp_path: Path) -> None:
    names = [source.name for source in standard_sources(tmp_path, environment={})]
    assert names[0] == f"cri:{tmp_path}/run/containerd/containerd.sock"
    assert f"docker:{tmp_path}/run/docker.sock" in names
    assert names[-1] == "oci"


def test_an_endpoint_replaces_the_standard_sockets(tmp_path: Path) -> None:
    environment = {"CONTAINER_RUNTIME_ENDPOINT": "unix:///run/one.sock", "DOCKER_HOST": "unix:///run/d.sock"}
    names = [source.name for source in standard_sources(tmp_path, environment=environment)]
    assert names[:2] == ["cri:/run/one.sock", "docker:/run/d.sock"]
    names = [source.name for source in standard_sources(tmp_path, "/run/two.sock", environment)]
    assert [name for name in names if name.startswith("cri:")] == ["cri:/run/two.sock"]


@pytest.mark.parametrize("endpoint", ["tcp://127.0.0.1:1234", "containerd.sock", "npipe:////./pipe/x"])
def test_an_endpoint_of_another_kind_is_a_usage_error(endpoint: str) -> None:
    with pytest.raises(UsageError, match="no container runtime endpoint"):
        standard_sources(endpoint=endpoint, environment={})
