"""A container node for tests: a containerd of our own, with CRI pods that talk over a CNI bridge.

``Node`` runs containerd in its own mount, network and PID namespaces, below a folder that stands for the host's
root: sockets and state are under ``<root>/run``, as an agent in a pod sees them under its host mount.  Pods get
cgroups below one cgroup of ours, with the path parts that the kubelet uses.  The machine's own containerd,
``/run``, ``/var/lib`` and network are never touched, and no packet can leave.

Nothing survives: every process is in the PID namespace, which the kernel kills when its first process ends (that
one dies with us, even if we are killed); mounts and network go with their namespaces; the cgroups and the folder
are removed by :meth:`Node.close`, or by the next start if we were killed before.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import image

IMAGE = "docker.io/local/busybox:1"
PAUSE = "docker.io/local/pause:1"
PREFIX = "beespace-pods-"
CNI_FOLDERS = (Path("/usr/lib/cni"), Path("/opt/cni/bin"))

CONTAINERD_CONFIG = """
version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "{root}/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  restrict_oom_score_adj = true
  disable_apparmor = true
  tolerate_missing_hugetlb_controller = true
  stream_server_address = "127.0.0.1"
[plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = "{snapshotter}"
[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "{cni}"
  conf_dir = "{root}/etc/cni/net.d"
"""

NETWORK = {
    "cniVersion": "0.4.0",
    "name": "pods",
    "plugins": [
        {
            "type": "bridge",
            "bridge": "pods0",
            "isGateway": True,
            "ipMasq": False,
            "ipam": {
                "type": "host-local",
                "ranges": [[{"subnet": "10.85.0.0/24"}], [{"subnet": "fd85::/64"}]],
                "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}],
            },
        }
    ],
}

# Runs as the first process of the node's namespaces.  It stays, so that somebody reaps the shims.
NODE = """
set -e
mount --make-rshared / # as systemd does: what is mounted later shows in pods that ask for it
mount --bind "$1/run" /run
mkdir -p /run/netns
mount --bind "$1/var/lib" /var/lib
ip link set lo up
containerd --config "$1/etc/containerd.toml" >"$1/containerd.log" 2>&1 &
wait $!
"""


@dataclass(frozen=True, slots=True)
class RunningContainer:
    """A started container; ``pid`` is its first process as the host sees it, ``cgroup`` its path."""

    id: str
    name: str
    image: str
    cgroup: str
    pid: int


@dataclass(frozen=True, slots=True)
class Pod:
    """A ready pod: ``ip`` is its first address ("" with the host's network), ``addresses`` all of them."""

    id: str
    name: str
    namespace: str
    uid: str
    ip: str
    addresses: tuple[str, ...]
    containers: Mapping[str, RunningContainer] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Output:
    """What a command in a container wrote, and its exit status."""

    stdout: str
    stderr: str
    status: int


def missing() -> str | None:
    """Why pods cannot run here, or None."""
    if os.geteuid() != 0:
        return "pods need root"
    for command in ("containerd", "ctr", "runc", "ip", "nsenter", "unshare", "setpriv", "busybox"):
        if shutil.which(command) is None:
            return f"{command} is not installed: run tests/pods/install.sh"
    if not any((folder / "bridge").exists() for folder in CNI_FOLDERS):
        return "the CNI plugins are not installed: run tests/pods/install.sh"
    try:
        import cri_api.v1.api_pb2_grpc  # noqa: F401
        import grpc  # noqa: F401
    except ImportError as error:
        return f"{error.name} is not installed: pip install 'beespace[containers]'"
    if not any(kind == "cgroup2" for _, kind in _mounts()):
        return "no cgroup v2 hierarchy is mounted"
    return None


class Node:
    """A node on which pods run; a context manager.  ``root`` is its host root, ``socket`` its CRI socket."""

    SNAPSHOTTER = "native"  # copies: the test images are small, and it works on any file system

    def __init__(self) -> None:
        remove_leftovers()
        self.name = f"{PREFIX}{os.getpid()}-{uuid.uuid4().hex[:6]}"
        self.root = Path(tempfile.mkdtemp(prefix=f"{self.name}-", dir="/tmp"))
        self.socket = self.root / "run/containerd/containerd.sock"
        self.pods: list[Pod] = []
        self._sandboxes: dict[str, Any] = {}  # configurations of those that run_pod() started
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: Any = None
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Pods

    def run_pod(
        self,
        name: str,
        namespace: str = "default",
        containers: Mapping[str, Sequence[str]] | None = None,
        *,
        labels: Mapping[str, str] | None = None,
        host_network: bool = False,
        image: str = IMAGE,
        brief: bool = False,
    ) -> Pod:
        """Start a pod whose ``containers`` (name to command, of ``image``) are running when this returns.

        ``brief``: they may have ended by then.
        """
        from cri_api.v1 import api_pb2 as cri

        uid = str(uuid.uuid4())
        parent = f"/{self.name}/kubepods/besteffort/pod{uid}"
        pod_labels = {
            **(labels or {}),
            "io.kubernetes.pod.name": name,
            "io.kubernetes.pod.namespace": namespace,
            "io.kubernetes.pod.uid": uid,
        }
        network = cri.NamespaceMode.NODE if host_network else cri.NamespaceMode.POD
        security = cri.LinuxSandboxSecurityContext(
            namespace_options=cri.NamespaceOption(network=network, pid=cri.NamespaceMode.CONTAINER)
        )
        sandbox = cri.PodSandboxConfig(
            metadata=cri.PodSandboxMetadata(name=name, namespace=namespace, uid=uid, attempt=0),
            hostname="" if host_network else name,
            dns_config=cri.DNSConfig(servers=["127.0.0.1"]),
            labels=pod_labels,
            linux=cri.LinuxPodSandboxConfig(cgroup_parent=parent, security_context=security),
        )
        pod_id = self._call("RunPodSandbox", cri.RunPodSandboxRequest(config=sandbox)).pod_sandbox_id
        self._sandboxes[pod_id] = sandbox
        started = {
            container_name: self.start_container(pod_id, container_name, command, image=image, brief=brief)
            for container_name, command in (containers or {}).items()
        }
        status = self._call("PodSandboxStatus", cri.PodSandboxStatusRequest(pod_sandbox_id=pod_id)).status
        addresses = tuple(
            address for address in (status.network.ip, *(more.ip for more in status.network.additional_ips)) if address
        )
        pod = Pod(pod_id, name, namespace, uid, addresses[0] if addresses else "", addresses, started)
        self.pods.append(pod)
        return pod

    def start_container(
        self,
        pod_id: str,
        name: str,
        command: Sequence[str],
        *,
        attempt: int = 0,
        image: str = IMAGE,
        brief: bool = False,
    ) -> RunningContainer:
        """One more container in a pod; ``attempt``: it was there so often before, as the kubelet counts restarts."""
        from cri_api.v1 import api_pb2 as cri

        sandbox = self._sandboxes[pod_id]
        config = cri.ContainerConfig(
            metadata=cri.ContainerMetadata(name=name, attempt=attempt),
            image=cri.ImageSpec(image=image),
            command=list(command),
            labels={**sandbox.labels, "io.kubernetes.container.name": name},
            linux=cri.LinuxContainerConfig(
                security_context=cri.LinuxContainerSecurityContext(
                    namespace_options=sandbox.linux.security_context.namespace_options
                )
            ),
        )
        request = cri.CreateContainerRequest(pod_sandbox_id=pod_id, config=config, sandbox_config=sandbox)
        container_id = self._call("CreateContainer", request).container_id
        self._call("StartContainer", cri.StartContainerRequest(container_id=container_id))
        cgroup = f"{sandbox.linux.cgroup_parent}/{container_id}"
        return RunningContainer(container_id, name, image, cgroup, 0 if brief else _first_process(cgroup))

    def run_container(self, name: str, namespace: str, uid: str, namespaces: Any, config: Any) -> Pod:
        """A pod of one container, which is given as the CRI has it (``NamespaceOption``, ``ContainerConfig``).

        What it writes is below ``<root>/logs/<uid>``.
        """
        from cri_api.v1 import api_pb2 as cri

        parent = f"/{self.name}/kubepods/burstable/pod{uid}"
        labels = {
            "io.kubernetes.pod.name": name,
            "io.kubernetes.pod.namespace": namespace,
            "io.kubernetes.pod.uid": uid,
        }
        config.labels.update({**labels, "io.kubernetes.container.name": config.metadata.name})
        sandbox = cri.PodSandboxConfig(
            metadata=cri.PodSandboxMetadata(name=name, namespace=namespace, uid=uid, attempt=0),
            log_directory=str(self.root / "logs" / uid),
            dns_config=cri.DNSConfig(servers=["127.0.0.1"]),
            labels=labels,
            linux=cri.LinuxPodSandboxConfig(
                cgroup_parent=parent,
                security_context=cri.LinuxSandboxSecurityContext(namespace_options=namespaces),
            ),
        )
        (self.root / "logs" / uid).mkdir(parents=True)
        pod_id = self._call("RunPodSandbox", cri.RunPodSandboxRequest(config=sandbox)).pod_sandbox_id
        request = cri.CreateContainerRequest(pod_sandbox_id=pod_id, config=config, sandbox_config=sandbox)
        container_id = self._call("CreateContainer", request).container_id
        self._call("StartContainer", cri.StartContainerRequest(container_id=container_id))
        started = RunningContainer(container_id, config.metadata.name, IMAGE, f"{parent}/{container_id}", 0)
        pod = Pod(pod_id, name, namespace, uid, "", (), {config.metadata.name: started})
        self.pods.append(pod)
        return pod

    def exit_code(self, container: RunningContainer) -> int | None:
        """The status that a container ended with, None while it runs."""
        from cri_api.v1 import api_pb2 as cri

        status = self._call("ContainerStatus", cri.ContainerStatusRequest(container_id=container.id)).status
        return int(status.exit_code) if status.state == cri.ContainerState.CONTAINER_EXITED else None

    def stop(self, container: RunningContainer, grace_s: int = 30) -> int:
        """SIGTERM, and SIGKILL after ``grace_s``; the exit status."""
        from cri_api.v1 import api_pb2 as cri

        request = cri.StopContainerRequest(container_id=container.id, timeout=grace_s)
        self._call("StopContainer", request, timeout=grace_s + 30)
        status = self.exit_code(container)
        assert status is not None
        return status

    def exec(self, container: RunningContainer, command: Sequence[str], *, timeout: int = 20) -> Output:
        """Run ``command`` in ``container`` and wait for its end; ``timeout`` in seconds."""
        from cri_api.v1 import api_pb2 as cri

        request = cri.ExecSyncRequest(container_id=container.id, cmd=list(command), timeout=timeout)
        answer = self._call("ExecSync", request, timeout=timeout + 5)
        return Output(answer.stdout.decode(), answer.stderr.decode(), answer.exit_code)

    def remove_pod(self, pod: Pod) -> None:
        """Stop and remove a pod with its containers, address and cgroup."""
        from cri_api.v1 import api_pb2 as cri

        self._call("StopPodSandbox", cri.StopPodSandboxRequest(pod_sandbox_id=pod.id))
        self._call("RemovePodSandbox", cri.RemovePodSandboxRequest(pod_sandbox_id=pod.id))
        self.pods.remove(pod)
        self._sandboxes.pop(pod.id, None)
        for hierarchy in hierarchies():
            for quality in ("besteffort", "burstable"):
                _remove_cgroup(hierarchy / self.name / f"kubepods/{quality}/pod{pod.uid}")

    @property
    def pid(self) -> int:
        """The first process of the node's namespaces, as the host sees it (for ``nsenter --target``)."""
        assert self._process is not None
        (child,) = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        return int(child)

    # Life

    def _start(self) -> None:
        for folder in ("run/containerd", "var/lib", "etc/cni/net.d", "opt"):
            (self.root / folder).mkdir(parents=True)
        cni = next(folder for folder in CNI_FOLDERS if (folder / "bridge").exists())
        config = CONTAINERD_CONFIG.format(root=self.root, pause=PAUSE, cni=cni, snapshotter=self.SNAPSHOTTER)
        (self.root / "etc/containerd.toml").write_text(config)
        (self.root / "etc/cni/net.d/10-pods.conflist").write_text(json.dumps(NETWORK))
        archive = self.root / "busybox.tar"
        image.build(Path(shutil.which("busybox") or "busybox"), [IMAGE, PAUSE], archive)
        cgroup = unified() / self.name / "node"
        cgroup.mkdir(parents=True)
        self._process = subprocess.Popen(
            [
                *("sh", "-c", 'echo $$ >"$0" && exec "$@"', str(cgroup / "cgroup.procs")),
                *("setpriv", "--pdeathsig", "KILL", "--"),
                *("unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "--"),
                *("sh", "-c", NODE, "node", str(self.root)),
            ],
            stdin=subprocess.DEVNULL,
        )
        self._connect()
        self.import_image(archive)

    def _connect(self) -> None:
        import grpc
        from cri_api.v1 import api_pb2 as cri

        deadline = time.monotonic() + 60
        while not self.socket.exists():
            self._fail_if_dead_or_late(deadline, "containerd made no socket")
            time.sleep(0.05)
        self._channel = grpc.insecure_channel(f"unix://{self.socket}")
        while True:
            try:
                conditions = self._call("Status", cri.StatusRequest(), timeout=5).status.conditions
            except grpc.RpcError as error:
                self._fail_if_dead_or_late(deadline, f"containerd does not answer: {error}")
            else:
                if all(condition.status for condition in conditions):
                    return
                self._fail_if_dead_or_late(deadline, f"containerd is not ready: {conditions}")
            time.sleep(0.1)

    def import_image(self, archive: Path) -> None:
        """Let pods run the images of a docker-archive tar."""
        command = ["ctr", "--address", str(self.socket), "--namespace", "k8s.io", "images", "import"]
        done = subprocess.run(
            [*command, "--snapshotter", self.SNAPSHOTTER, str(archive)], capture_output=True, text=True, timeout=600
        )
        if done.returncode:
            raise RuntimeError(f"the test image could not be imported: {done.stderr}")

    def _fail_if_dead_or_late(self, deadline: float, what: str) -> None:
        assert self._process is not None
        dead = self._process.poll() is not None
        if dead or time.monotonic() > deadline:
            log = self.root / "containerd.log"
            tail = "\n".join(log.read_text().splitlines()[-15:]) if log.exists() else "(no log)"
            raise RuntimeError(f"{what}{' and has ended' if dead else ''}; its log ends with:\n{tail}")

    def _call(self, method: str, request: Any, *, timeout: float = 60) -> Any:
        from cri_api.v1 import api_pb2_grpc

        return getattr(api_pb2_grpc.RuntimeServiceStub(self._channel), method)(request, timeout=timeout)

    def close(self) -> None:
        """End every process of the node and remove what it left: cgroups, folders.  Safe to call twice."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        if self._process is not None:
            self._process.kill()  # the PID namespace dies with it, and so do the mounts and the network
            self._process.wait()
            self._process = None
        wait_until_empty(self.name)
        for hierarchy in hierarchies():
            _remove_cgroup(hierarchy / self.name)
        if self.root.exists():
            shutil.rmtree(self.root)


def hierarchies() -> list[Path]:
    """Where cgroup hierarchies are mounted, v1 and v2."""
    return [Path(point) for point, kind in _mounts() if kind in ("cgroup", "cgroup2")]


def unified() -> Path:
    return next(Path(point) for point, kind in _mounts() if kind == "cgroup2")


def _mounts() -> Iterator[tuple[str, str]]:
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, point, kind, *_ = line.split()
        yield point, kind


def _first_process(cgroup: str) -> int:
    """The process of ``cgroup`` that is number 1 in its own PID namespace, as the host numbers it."""
    for text in (unified() / cgroup.lstrip("/") / "cgroup.procs").read_text().split():
        status = Path(f"/proc/{text}/status").read_text()
        numbers = next(line for line in status.splitlines() if line.startswith("NSpid:")).split()
        if numbers[-1] == "1":
            return int(text)
    raise RuntimeError(f"no first process in cgroup {cgroup}")


def wait_until_empty(name: str) -> None:
    """Until no process is left in our cgroups: the kernel kills a PID namespace, but not at once."""
    deadline = time.monotonic() + 20
    while left := _processes(name):
        if time.monotonic() > deadline:
            raise RuntimeError(f"processes {sorted(left)} of {name} do not end")
        time.sleep(0.02)


def _processes(name: str) -> set[str]:
    found: set[str] = set()
    for hierarchy in hierarchies():
        for file in (hierarchy / name).rglob("cgroup.procs"):
            with contextlib.suppress(OSError):  # a cgroup that goes away while we look has no processes
                found.update(file.read_text().split())
    return found


def _remove_cgroup(top: Path) -> None:
    """Remove a cgroup and those below; one that was left a moment ago is busy until its last process is reaped."""
    deadline = time.monotonic() + 10
    for folder, _, _ in os.walk(top, topdown=False):
        while True:
            try:
                Path(folder).rmdir()
                break
            except OSError as error:
                if error.errno != errno.EBUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.02)


def remove_leftovers() -> None:
    """What a killed test run left: cgroups and folders named after a process that is gone."""
    for place in (*hierarchies(), Path("/tmp")):
        for entry in place.glob(f"{PREFIX}*"):
            owner = entry.name.removeprefix(PREFIX).split("-")[0]
            if not Path(f"/proc/{owner}").exists():
                if place == Path("/tmp"):
                    shutil.rmtree(entry)
                else:
                    wait_until_empty(entry.name)
                    _remove_cgroup(entry)
