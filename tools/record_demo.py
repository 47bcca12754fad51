"""Record the shop that ``beespace demo`` plays: real containers, real packets, headers only.

usage: record_demo.py [OUTPUT]        (needs root and what tests/pods/install.sh installs; about a minute)

Pods with the names, labels and cgroups that Kubernetes gives them run on a containerd of their own, joined by a CNI
bridge that leads nowhere; ``tools/demo/shop.py`` is what runs in them.  Half-way a new version of the payment service
is rolled out that looks for its database on a wrong port; later the old one is put back.  What is not the shop's (other
processes of this machine, the cgroup that the test node stands in) is left out of the file.
"""

from __future__ import annotations

import io
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "tests" / "pods"), str(ROOT / "src")]

import image
import pods
import pyarrow as pa
import pyarrow.compute as pc

from beespace.session.pace import Live
from beespace.session.pump import pump
from beespace.session.recording import Recorder
from beespace.session.watch import Watch, WatchOptions
from beespace.sinks.recording import Recording, RecordingSink
from beespace.sinks.recording.manifest import PACKETS
from beespace.stream import Batch

OUTPUT = ROOT / "src" / "beespace" / "session" / "demo.beespace"
TITLE = "a small shop in eight pods: at 14 s a broken payment service is rolled out, at 28 s the old one is put back"
SECONDS, ROLLOUT, ROLLBACK = 40.0, 14.0, 28.0
PODS = {
    "catalog": "catalog-84b6c9d7f5-k9d2p",
    "cart": "cart-7c9d5b6f54-8wz7p",
    "payment": "payment-5f7b8c9d66-tq9lm",
    "frontend": "frontend-6d4f9c7b8d-x2k4q",
}
BROKEN = "79d4b6c8f7"
# Of /proc, by the kernel's name for it: nothing of this machine is named.
NODE = "node-1"


def python_image(tags: list[str], target: Path) -> None:
    """The image of the pod tests, and this machine's Python with the shop."""
    python = Path(sys.executable).resolve()
    stdlib = Path(sysconfig.get_path("stdlib"))
    skipped = {"test", "idlelib", "tkinter", "lib2to3", "ensurepip", "site-packages", "dist-packages", "__pycache__"}
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    names: dict[str, Path] = {f"usr/bin/{version}": python}
    for path in stdlib.rglob("*"):
        if path.is_file() and not skipped & set(path.relative_to(stdlib).parts) and not path.name.startswith("config-"):
            names[f"usr/lib/{version}/{path.relative_to(stdlib)}"] = path
    listed = subprocess.run(["ldd", str(python)], capture_output=True, text=True, check=True).stdout
    for word in listed.split():
        if word.startswith("/"):
            names[word.lstrip("/")] = Path(word).resolve()
    extra = io.BytesIO()
    with tarfile.open(fileobj=extra, mode="w") as tar:
        for name, path in sorted(names.items()):
            tar.add(path, name)
        tar.add(ROOT / "tools" / "demo" / "shop.py", "srv/shop.py")
        link = tarfile.TarInfo("bin/python3")
        link.type, link.linkname = tarfile.SYMTYPE, f"/usr/bin/{version}"
        tar.addfile(link)
    image.build(Path("/bin/busybox"), tags, target, more=extra.getvalue())


class Shop:
    """The pods, by what they are; ``names`` are those that the DNS server knows."""

    def __init__(self, node: pods.Node) -> None:
        self.node = node
        self.names: dict[str, str] = {}
        self.dns = self.start("coredns-5d78c9869d-7m2xr", "kube-system", "dns", "coredns:1.11")

    def start(self, name: str, namespace: str, role: str, tag: str, service: str = "", again: bool = False) -> pods.Pod:
        dns = self.dns.ip if hasattr(self, "dns") else ""
        run = f"DNS={dns} python3 -S -E /srv/shop.py {role}"
        # Kubernetes would start a container that ended again; here its shell does.
        command = f"while :; do {run}; sleep 1; done" if again else f"exec env {run}"
        parts = name.split("-")
        labels = {"pod-template-hash": parts[-2]} if len(parts) > 2 else {}
        container = {service or name.split("-")[0]: ["sh", "-c", command]}
        pod = self.node.run_pod(name, namespace, container, labels=labels, image=f"docker.io/{tag}")
        if service:
            self.publish(service, pod)
        return pod

    def publish(self, service: str, pod: pods.Pod) -> None:
        self.names[service] = pod.ip
        (container,) = self.dns.containers.values()
        place = Path(f"/proc/{container.pid}/root/tmp/names")
        place.write_text("".join(f"{name} {address}\n" for name, address in self.names.items()))

    def open(self) -> None:
        self.start("postgres-0", "shop", "postgres", "shop/postgres:16", "postgres")
        for name, pod in PODS.items():
            self.start(pod, "shop", name, f"shop/{name}:1.4", name)
        self.old = self.names["payment"]

    def visit(self) -> None:
        self.start("customers-6b8d7f9c54-n5v8c", "outside", "customers", "shop/customers:1.0")

    def roll_out(self) -> None:
        self.start(f"payment-{BROKEN}-b4x7z", "shop", "payment-broken", "shop/payment:1.5", "payment", again=True)

    def roll_back(self) -> None:
        self.names["payment"] = self.old
        self.publish("payment", next(each for each in self.node.pods if each.ip == self.old))


def record(node: pods.Node, target: Path) -> None:
    shop = Shop(node)
    shop.open()
    shop.visit()
    time.sleep(2)

    def story() -> None:
        began = time.monotonic()
        for at, what in ((ROLLOUT, shop.roll_out), (ROLLBACK, shop.roll_back)):
            time.sleep(max(0.0, began + at - time.monotonic()))
            what()

    options = WatchOptions(cgroup=pods.unified() / node.name, cri=str(node.socket), node=NODE)
    with Watch(options) as watch:
        watch.who.containers.settle(20)
        with Recorder(target, watch, interval=1.0, packets="headers", title=TITLE) as recorder:
            telling = threading.Thread(target=story)
            telling.start()
            pump(watch, [], tables=(), pace=Live(1.0, SECONDS), recorders=[recorder.sink], collected=recorder.collected)
            telling.join()


def own(recorded: Path, target: Path, node: str) -> None:
    """What is the shop's, without what the kernel has counted: that is for the player to do."""
    with Recording(recorded) as recording:
        manifest = recording.manifest
        cgroups = {
            row["cgroup_id"]
            for _, rows in recording.marked("identity-cgroups")
            for row in rows.select(["cgroup_id", "cgroup_path"]).to_pylist()
            if node in row["cgroup_path"] and "/kubepods/" in row["cgroup_path"]
        }
        sink = RecordingSink(target, manifest)
        sink.note(kernel=manifest.kernel.split("-")[0], notes=())
        with recording.open(PACKETS) as packets:
            sink.file(PACKETS).write(packets.read())
        batches = merged(recording)
        at = 0
        for interval in recording.intervals():
            while at < len(batches) and batches[at][0] < interval.end:
                _, name, lost, rows = batches[at]
                kept = of_the_shop(name, rows, cgroups, node)
                if kept.num_rows or lost:
                    sink.write(Batch(name, kept, lost))
                at += 1
            sink.mark(interval.time, interval.seconds, {})
        sink.close()


def merged(recording: Recording) -> list[tuple[int, str, Any, pa.RecordBatch]]:
    identities = (f"identity-{name}" for name in ("cgroups", "pods", "containers", "processes"))
    names = ["execs", "packets", "sockets", *identities]
    found = [(mark.order, name, mark.lost, rows) for name in names for mark, rows in recording.marked(name)]
    return sorted(found, key=lambda each: each[0])


def of_the_shop(name: str, rows: pa.RecordBatch, cgroups: set[int], node: str) -> pa.RecordBatch:
    if name in ("packets", "sockets", "identity-pods", "identity-containers"):
        return rows
    column = rows.column("cgroup_id")
    rows = rows.filter(pc.is_in(column, value_set=pa.array(sorted(cgroups), column.type)))
    if "cgroup_path" in rows.schema.names:
        index = rows.schema.get_field_index("cgroup_path")
        paths = pc.replace_substring(rows.column("cgroup_path"), f"/{node}", "")
        rows = rows.set_column(index, "cgroup_path", paths)
    return rows


def main(arguments: list[str]) -> int:
    output = Path(arguments[0]) if arguments else OUTPUT
    if reason := pods.missing():
        print(f"record_demo: {reason}", file=sys.stderr)
        return 3
    with tempfile.TemporaryDirectory() as folder, pods.Node() as node:
        archive = Path(folder) / "shop.tar"
        tags = ["coredns:1.11", "shop/customers:1.0", "shop/postgres:16", "shop/payment:1.5"]
        tags += [f"shop/{name}:1.4" for name in PODS]
        python_image([f"docker.io/{tag}" for tag in tags], archive)
        node.import_image(archive)
        recorded = Path(folder) / "recorded"
        record(node, recorded)
        own(recorded, output, node.name)
    print(f"{output}: {output.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
