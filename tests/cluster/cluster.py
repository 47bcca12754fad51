"""A Kubernetes cluster of two machines: API server, controllers, scheduler, two kubelets, two kube-proxies (iptables).

    python tests/cluster/cluster.py run      # start it, say how to talk to it, end it with Ctrl-C
    python tests/cluster/cluster.py stop     # remove what a run that was killed left

The machines are network namespaces that are joined by one cable; nothing leads out of them.  Everything ends with the
process that started it, even if that is killed; what is left then (folders, cgroups) goes with the next start.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parents[1] / "pods"), str(Path(__file__).parent)]

import kube_build as build
import pods
from machine import Machine

ADDRESSES = {"node1": "172.31.0.1", "node2": "172.31.0.2"}
NOBODY = "172.31.0.254"  # the gateway: there has to be a route to addresses of Services, before they are translated
PODS, SERVICES = "10.244.0.0/16", "10.96.0.0/16"
TOKEN = "beespace-test"
WAIT_S = 300.0  # a loaded machine is slow


class Cluster:
    """The running cluster; a context manager.  ``machines`` by name."""

    def __init__(self) -> None:
        self.machines: dict[str, Machine] = {}
        self._stack = contextlib.ExitStack()
        self._api: subprocess.Popen[bytes] | None = None
        self.folder = Path(
            self._stack.enter_context(tempfile.TemporaryDirectory(prefix=f"{pods.PREFIX}{os.getpid()}-"))
        )
        self.kubeconfig = self.folder / "kubeconfig"

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End everything."""
        self._stack.close()

    # What tests ask

    def kubectl(self, *arguments: str, given: str | None = None, timeout_s: float = WAIT_S) -> str:
        """What ``kubectl`` answers; AssertionError with its complaint if it fails."""
        done = self.try_kubectl(*arguments, given=given, timeout_s=timeout_s)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stdout[-2000:]}{done.stderr}"
        return done.stdout

    def try_kubectl(
        self, *arguments: str, given: str | None = None, timeout_s: float = WAIT_S
    ) -> subprocess.CompletedProcess[str]:
        """``kubectl``, which may fail."""
        command = [str(build.binaries() / "kubectl"), f"--kubeconfig={self.kubeconfig}", *arguments]
        return subprocess.run(
            self.machines["node1"].connect(command), input=given, capture_output=True, text=True, timeout=timeout_s,
            env={**os.environ, "HOME": str(self.folder)},
        )  # fmt: skip

    def get(self, *what: str) -> Any:
        """``kubectl get`` as JSON."""
        return json.loads(self.kubectl("get", *what, "-o", "json"))

    def apply(self, *objects: Any) -> None:
        """Make or change objects."""
        self.kubectl("apply", "-f", "-", given=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))

    def pods(self, namespace: str, label: str = "") -> list[dict[str, Any]]:
        """The pods that run, of a namespace and with a label."""
        found = self.get("pods", f"--namespace={namespace}", *([f"--selector={label}"] if label else []))["items"]
        return [each for each in found if not each["metadata"].get("deletionTimestamp")]

    def until(self, true: Callable[[], Any], what: str, timeout_s: float = WAIT_S) -> Any:
        """Wait for a condition; its value."""
        deadline = time.monotonic() + timeout_s
        while True:
            if value := true():
                return value
            assert time.monotonic() < deadline, f"{what}: not within {timeout_s:g} s"
            time.sleep(0.3)

    def kill_api(self) -> None:
        """End the API server at once, as a crash does."""
        assert self._api is not None
        self._api.kill()
        self._api.wait()
        self._api = None

    def start_api(self) -> None:
        """Start the API server (again), and wait until it answers."""
        node = self.machines["node1"]
        self._api = node.spawn("apiserver", [str(build.binaries() / "kube-apiserver"), *self._api_options()])

        def ready() -> bool:
            assert self._api is not None and self._api.poll() is None, node.log("apiserver")
            return self.try_kubectl("get", "--raw=/readyz").returncode == 0

        self.until(ready, "the API server answers")

    # Life

    def _start(self) -> None:
        for name, address in ADDRESSES.items():
            self.machines[name] = self._stack.enter_context(Machine(name, address))
        self._connect()
        node = self.machines["node1"]
        self._keys()
        for folder in ("etcd", "api"):
            (self.folder / folder).mkdir(mode=0o700)
        node.spawn(
            "etcd",
            [
                str(build.binaries() / "etcd"), f"--data-dir={self.folder}/etcd",
                "--listen-client-urls=http://127.0.0.1:2379", "--advertise-client-urls=http://127.0.0.1:2379",
                "--listen-peer-urls=http://127.0.0.1:2380", "--log-level=error",
            ],
        )  # fmt: skip
        self.start_api()
        kubeconfig = f"--kubeconfig={self.kubeconfig}"
        node.spawn(
            "controllers",
            [
                str(build.binaries() / "kube-controller-manager"), kubeconfig, "--leader-elect=false",
                "--allocate-node-cidrs", f"--cluster-cidr={PODS}", f"--service-cluster-ip-range={SERVICES}",
                f"--service-account-private-key-file={self.folder}/accounts.key",
                f"--root-ca-file={self.folder}/api/apiserver.crt",
            ],
        )  # fmt: skip
        node.spawn("scheduler", [str(build.binaries() / "kube-scheduler"), kubeconfig, "--leader-elect=false"])
        for machine in self.machines.values():
            self._kubelet(machine)
        self._pod_networks()
        for machine in self.machines.values():
            self._proxy(machine)
        self.until(lambda: len(self._ready()) == len(self.machines), "both nodes are ready")

    def _connect(self) -> None:
        """One cable between the machines, and a default route that leads nowhere."""
        one, two = self.machines.values()
        subprocess.run(
            one.connect(["ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", str(two.pid)]),
            check=True,
        )
        for machine in (one, two):
            for command in (
                f"ip address add {machine.address}/24 dev eth0",
                "ip link set eth0 up",
                f"ip route add default via {NOBODY}",
                "sysctl -q -w net.ipv4.ip_forward=1",
            ):
                machine.run(*command.split())

    def _keys(self) -> None:
        subprocess.run(
            ["openssl", "genrsa", "-out", str(self.folder / "accounts.key"), "2048"], check=True, capture_output=True
        )
        (self.folder / "tokens").write_text(f"{TOKEN},admin,admin,system:masters\n")
        self.kubeconfig.write_text(json.dumps(kubeconfig(f"https://{ADDRESSES['node1']}:6443")))

    def _api_options(self) -> list[str]:
        return [
            "--etcd-servers=http://127.0.0.1:2379", f"--advertise-address={ADDRESSES['node1']}", "--secure-port=6443",
            f"--cert-dir={self.folder}/api", f"--token-auth-file={self.folder}/tokens", "--authorization-mode=RBAC",
            f"--service-cluster-ip-range={SERVICES}", "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-signing-key-file={self.folder}/accounts.key",
            f"--service-account-key-file={self.folder}/accounts.key", "--allow-privileged",
            "--kubelet-preferred-address-types=InternalIP",
        ]  # fmt: skip

    def _kubelet(self, machine: Machine) -> None:
        config = {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
            "authorization": {"mode": "AlwaysAllow"},
            "cgroupDriver": "cgroupfs",
            "enforceNodeAllocatable": [],
            "failSwapOn": False,
            "oomScoreAdj": 0,
            "resolvConf": "",
            "evictionHard": {"memory.available": "0%", "nodefs.available": "0%", "imagefs.available": "0%"},
            "imageGCHighThresholdPercent": 100,
            "volumePluginDir": "/var/lib/kubelet/plugins-exec",
        }
        file = machine.root / "etc/kubelet.json"
        file.write_text(json.dumps(config))
        machine.spawn(
            "kubelet",
            [
                str(build.binaries() / "kubelet"), f"--config={file}", f"--kubeconfig={self.kubeconfig}",
                "--container-runtime=remote", "--container-runtime-endpoint=unix:///run/containerd/containerd.sock",
                f"--hostname-override={machine.node}", f"--node-ip={machine.address}",
            ],
        )  # fmt: skip

    def _proxy(self, machine: Machine) -> None:
        config = {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "iptables",
            "clientConnection": {"kubeconfig": str(self.kubeconfig)},
            "clusterCIDR": PODS,
            "conntrack": {"maxPerCore": 0, "min": 0},
            "hostnameOverride": machine.node,
            "oomScoreAdj": 0,
        }
        file = machine.root / "etc/proxy.json"
        file.write_text(json.dumps(config))
        machine.spawn("proxy", [str(build.binaries() / "kube-proxy"), f"--config={file}"])

    def _pod_networks(self) -> None:
        """Each machine knows the others' ranges, once they are given out."""

        def ranges() -> dict[str, str]:
            nodes = {each["metadata"]["name"]: each["spec"].get("podCIDR") for each in self.get("nodes")["items"]}
            return nodes if len(nodes) == len(self.machines) and all(nodes.values()) else {}

        for name, pod_range in self.until(ranges, "every node has a range of addresses").items():
            self.machines[name].pod_network(pod_range)
            for other in self.machines.values():
                if other.node != name:
                    other.run("ip", "route", "add", pod_range, "via", self.machines[name].address)

    def _ready(self) -> list[str]:
        return [
            node["metadata"]["name"]
            for node in self.get("nodes")["items"]
            for condition in node["status"]["conditions"]
            if (condition["type"], condition["status"]) == ("Ready", "True")
        ]

    def import_image(self, archive: Path) -> None:
        """Let pods run the images of a docker-archive tar, on any machine."""
        for machine in self.machines.values():
            machine.import_image(archive)


def kubeconfig(server: str) -> dict[str, Any]:
    """Who may do anything."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
        "clusters": [{"name": "test", "cluster": {"server": server, "insecure-skip-tls-verify": True}}],
        "users": [{"name": "admin", "user": {"token": TOKEN}}],
    }


def missing() -> str | None:
    """Why no cluster can run here, or None."""
    if reason := pods.missing():
        return reason
    for command in ("iptables", "openssl", "sysctl"):
        if shutil.which(command) is None:
            return f"{command} is not installed: run make test-cluster"
    return build.missing()


def main(arguments: list[str]) -> int:
    """The program: ``run`` or ``stop``."""
    if arguments == ["stop"]:
        pods.remove_leftovers()
        return 0
    if arguments != ["run"]:
        print(__doc__, file=sys.stderr)
        return 2
    if reason := missing():
        print(reason, file=sys.stderr)
        return 3
    with Cluster() as cluster:
        where = cluster.machines["node1"].connect(
            [str(build.binaries() / "kubectl"), f"--kubeconfig={cluster.kubeconfig}"]
        )
        print(" ".join(where), "get nodes")
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
