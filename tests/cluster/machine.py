"""A machine of the cluster: a node of the pod tests, with what a kubelet needs besides.

It has namespaces of its own, also for cgroups: its root in every hierarchy is a cgroup of ours, as on a machine (or in
kind, which does the same).  What runs on it is started with :meth:`Machine.spawn`, and ends with it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

import image
import pods

# Runs as the first process of the namespaces: $1 is the folder, $2 the cgroup's name, then the hierarchies.
NODE = """
set -e
folder=$1 name=$2
shift 2
mkdir "$folder/cgroup"
for hierarchy; do # our cgroup in place of the root, not on top of it: programs look for what is mounted where
    mount --bind "$hierarchy/$name" "$folder/cgroup"
    umount "$hierarchy"
    mount --bind "$folder/cgroup" "$hierarchy"
    umount "$folder/cgroup"
    [ ! -e "$hierarchy/cgroup.controllers" ] || {
        mkdir -p "$hierarchy/node"
        echo $$ >"$hierarchy/node/cgroup.procs"
        for controller in $(cat "$hierarchy/cgroup.controllers"); do
            echo "+$controller" >"$hierarchy/cgroup.subtree_control" || true
        done
    }
done
mount --make-rshared /
mount --bind "$folder/run" /run
mkdir -p /run/netns
mount --bind "$folder/var/lib" /var/lib
mount --bind "$folder/var/log" /var/log
ip link set lo up
containerd --config "$folder/etc/containerd.toml" >"$folder/containerd.log" 2>&1 &
wait $!
"""
JOIN = 'for file in $0; do echo $$ >"$file"; done; exec "$@"'


class Machine(pods.Node):
    """A context manager, as its parent; ``node`` is what the cluster calls it, ``address`` its own."""

    SNAPSHOTTER = "overlayfs"  # the agent's image has hundreds of megabytes

    def __init__(self, node: str, address: str) -> None:
        self.node, self.address = node, address
        self._spawned: list[subprocess.Popen[bytes]] = []
        self._logs: list[IO[bytes]] = []
        super().__init__()

    def _start(self) -> None:
        for folder in ("run/containerd", "var/lib", "var/log", "etc/cni/net.d", "opt"):
            (self.root / folder).mkdir(parents=True)
        cni = next(folder for folder in pods.CNI_FOLDERS if (folder / "bridge").exists())
        config = pods.CONTAINERD_CONFIG.format(root=self.root, pause=pods.PAUSE, cni=cni, snapshotter=self.SNAPSHOTTER)
        (self.root / "etc/containerd.toml").write_text(config)
        for hierarchy in pods.hierarchies():
            cgroup = hierarchy / self.name
            cgroup.mkdir()
            for file in ("cpuset.cpus", "cpuset.mems"):  # or nothing can run in it (v1)
                if (hierarchy / file).exists():
                    (cgroup / file).write_text((hierarchy / file).read_text())
        self._process = subprocess.Popen(
            [
                *self._joining(""), "setpriv", "--pdeathsig", "KILL", "--",
                *("unshare", "--mount", "--net", "--pid", "--cgroup", "--fork", "--kill-child", "--mount-proc", "--"),
                *("sh", "-c", NODE, "node", str(self.root), self.name, *map(str, pods.hierarchies())),
            ],
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        deadline = time.monotonic() + 120
        while not self.socket.exists():
            self._fail_if_dead_or_late(deadline, "containerd made no socket")
            time.sleep(0.1)
        archive = self.root / "busybox.tar"
        image.build(Path(shutil.which("busybox") or "busybox"), [pods.PAUSE], archive)
        self.import_image(archive)

    def _joining(self, leaf: str) -> list[str]:
        """What a command begins with that is to run in our cgroups; in those of v2, in one below."""
        files = []
        for hierarchy in pods.hierarchies():
            cgroup = hierarchy / self.name
            files.append(
                cgroup / leaf / "cgroup.procs" if (cgroup / "cgroup.controllers").exists() else cgroup / "cgroup.procs"
            )
        return ["sh", "-c", JOIN, " ".join(map(str, files))]

    def inside(self, command: Sequence[str]) -> list[str]:
        """``command`` as one that runs on this machine, and ends when who started it does."""
        enter = ["nsenter", f"--target={self.pid}", "--mount", "--net", "--pid", "--cgroup", "--"]
        return [*self._joining("node"), *enter, "setpriv", "--pdeathsig", "KILL", "--", *command]

    def connect(self, command: Sequence[str]) -> list[str]:
        """``command`` with this machine's network, and everything else as here."""
        return ["nsenter", f"--net=/proc/{self.pid}/ns/net", "--", *command]

    def spawn(
        self, name: str, command: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a program that is to run on; what it writes is in ``<root>/<name>.log``."""
        log = (self.root / f"{name}.log").open("ab")
        self._logs.append(log)
        process = subprocess.Popen(
            self.inside(command), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            env={**os.environ, **(environment or {})},
        )  # fmt: skip
        self._spawned.append(process)
        return process

    def run(self, *command: str) -> str:
        """Run a command on this machine to its end; what it wrote."""
        done = subprocess.run(self.inside(command), capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def log(self, name: str, lines: int = 30) -> str:
        """The end of what a program wrote."""
        return "\n".join((self.root / f"{name}.log").read_text(errors="replace").splitlines()[-lines:])

    def pod_network(self, range_: str) -> None:
        """Pods get addresses from ``range_``, on a bridge, seen by everybody as they are."""
        network = {
            "cniVersion": "0.4.0",
            "name": "pods",
            "plugins": [
                {
                    "type": "bridge", "bridge": "pods0", "isGateway": True, "ipMasq": False, "hairpinMode": True,
                    "ipam": {"type": "host-local", "ranges": [[{"subnet": range_}]], "routes": [{"dst": "0.0.0.0/0"}]},
                },
                {"type": "portmap", "capabilities": {"portMappings": True}},
            ],
        }  # fmt: skip
        (self.root / "etc/cni/net.d/10-pods.conflist").write_text(json.dumps(network))

    def close(self) -> None:
        """End everything, and remove what it left."""
        super().close()
        for process in self._spawned:
            process.wait()
        for log in self._logs:
            log.close()
        self._spawned, self._logs = [], []
