"""What runs in the namespace ``shop``: servers and clients of every kind of workload, and what they say they sent."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from base_image import BASE
from cluster import WAIT_S, Cluster

NAMESPACE = "shop"
PORT, NODE_PORT, DATABASE_PORT = 8080, 30080, 5432
# From the IP header on: 20 bytes, TCP's 20, its timestamps' 12; a SYN has 8 more bytes of options.
HEADER, SYN = 52, 8

COUNTS = """
import json, socket, struct, sys, threading, time
def counts(sock):
    info = sock.getsockopt(socket.IPPROTO_TCP, 11, 256)
    at = lambda form, offset: struct.unpack_from(form, info, offset)[0]
    return {"sent": at("=Q", 200), "segs_out": at("=I", 136), "segs_in": at("=I", 140), "retrans": at("=I", 100)}
def receive(sock):
    got = 0
    while chunk := sock.recv(1 << 18): got += len(chunk)
    return got
"""
# Reads to the end, answers with as many bytes as the first four say.
SERVER = (
    COUNTS
    + """
def serve(sock):
    with sock:
        head = sock.recv(4, socket.MSG_WAITALL)
        if len(head) < 4: return # the kubelet, who only asks whether somebody listens
        receive(sock)
        sock.sendall(bytes(struct.unpack("!I", head)[0]))
        sock.shutdown(socket.SHUT_WR)
        sock.settimeout(10)
        receive(sock)
listener = socket.create_server(("", int(sys.argv[1])), backlog=128)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"""
)
# ADDRESS PORT CONNECTIONS BYTES ANSWER: prints a line of JSON for each connection, with what TCP_INFO says at the end.
LOAD = (
    COUNTS
    + """
address, port, connections, size, answer = sys.argv[1], *map(int, sys.argv[2:6])
pause = float(sys.argv[6]) if len(sys.argv) > 6 else 0
for number in range(connections):
    try:
        sock = socket.create_connection((address, port), timeout=20)
        local = sock.getsockname()
        sock.sendall(struct.pack("!I", answer) + bytes(size - 4))
        sock.shutdown(socket.SHUT_WR)
        got = receive(sock)
        time.sleep(0.2)
        said = {"got": got, **counts(sock)}
        sock.close()
    except OSError as error:
        said, local = {"error": str(error)}, ("", 0)
    print(json.dumps({"port": local[1], "local": local[0], **said}), flush=True)
    time.sleep(pause)
"""
)


@dataclass(frozen=True, slots=True)
class Sent:
    """What the load generator counted: its end points, and bytes and packets as they were on the wire."""

    local: str
    port: int
    got: int
    packets: int
    bytes: int
    retransmits: int


def open(cluster: Cluster) -> None:
    """Make everything, and wait until every client reaches the servers."""
    cluster.apply(*objects())
    for workload in ("deployment/web", "deployment/client", "statefulset/db", "daemonset/logs"):
        cluster.kubectl("rollout", "status", workload, f"--namespace={NAMESPACE}", f"--timeout={WAIT_S}s")
    for pod in cluster.pods(NAMESPACE, "app=client"):
        try_it = ["exec", f"--namespace={NAMESPACE}", pod["metadata"]["name"], "--"]
        try_it += command(service(cluster, "web"), 80, 1, 4, 4)
        cluster.until(lambda: "error" not in (said := cluster.try_kubectl(*try_it).stdout) and said, "web answers")  # noqa: B023


def service(cluster: Cluster, name: str) -> str:
    """The address of a Service."""
    return str(cluster.get("service", name, f"--namespace={NAMESPACE}")["spec"]["clusterIP"])


def load(
    cluster: Cluster, pod: str, address: str, port: int, *, connections: int = 5, size: int = 100_000, answer: int = 999
) -> list[Sent]:
    """Run the load generator in a pod, to its end."""
    words = command(address, port, connections, size, answer)
    sent = list(map(counted, cluster.kubectl("exec", f"--namespace={NAMESPACE}", pod, "--", *words).splitlines()))
    assert len(sent) == connections
    assert {each.got for each in sent} == {answer}
    return sent


def command(address: str, port: int, connections: int, size: int, answer: int, pause: float = 0.0) -> list[str]:
    return ["python3", "-c", LOAD, address, *map(str, (port, connections, size, answer, pause))]


def counted(line: str) -> Sent:
    said = json.loads(line)
    assert "error" not in said, said
    on_wire = said["sent"] + HEADER * said["segs_out"] + SYN
    return Sent(said["local"], said["port"], said["got"], said["segs_out"], on_wire, said["retrans"])


def objects() -> list[dict[str, Any]]:
    """Everything, in an order in which it can be applied."""
    batch = {"apiVersion": "batch/v1", "kind": "Job"}
    once = {"template": _template("once", sleep(), restartPolicy="Never")}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {
            "apiVersion": "v1", "kind": "Service", "metadata": _meta("web"),
            "spec": {
                "type": "NodePort", "selector": {"app": "web"},
                "ports": [{"port": 80, "targetPort": PORT, "nodePort": NODE_PORT}],
            },
        },
        {
            "apiVersion": "v1", "kind": "Service", "metadata": _meta("db"),
            "spec": {"clusterIP": "None", "selector": {"app": "db"}, "ports": [{"port": DATABASE_PORT}]},
        },
        workload("Deployment", "web", _serve(PORT), replicas=3),
        workload("Deployment", "client", sleep(), replicas=2),
        workload("StatefulSet", "db", _serve(DATABASE_PORT), replicas=1, serviceName="db"),
        workload("DaemonSet", "logs", sleep()),
        {**batch, "metadata": _meta("once"), "spec": once},
        {
            "apiVersion": "batch/v1beta1", "kind": "CronJob", "metadata": _meta("tick"),
            "spec": {
                "schedule": "* * * * *", "concurrencyPolicy": "Forbid",
                "jobTemplate": {"spec": {"template": _template("tick", sleep(), restartPolicy="Never")}},
            },
        },
    ]  # fmt: skip


def _meta(name: str) -> dict[str, Any]:
    return {"name": name, "namespace": NAMESPACE, "labels": {"app": name}}


def workload(kind: str, name: str, container: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """A controller of pods with one container."""
    template = _template(name, container)
    if spec.get("replicas", 1) > 1:  # on both nodes
        template["spec"]["topologySpreadConstraints"] = [
            {
                "maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "DoNotSchedule",
                "labelSelector": {"matchLabels": {"app": name}},
            }
        ]  # fmt: skip
    return {
        "apiVersion": "apps/v1", "kind": kind, "metadata": _meta(name),
        "spec": {**spec, "selector": {"matchLabels": {"app": name}}, "template": template},
    }  # fmt: skip


def _template(name: str, container: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"labels": {"app": name}},
        "spec": {
            "containers": [{"name": name, "image": BASE, "imagePullPolicy": "Never", **container}],
            "terminationGracePeriodSeconds": 1, "automountServiceAccountToken": False, **spec,
        },
    }  # fmt: skip


def sleep() -> dict[str, Any]:
    """A container in which programs are run."""
    return {"command": ["sleep", "infinity"]}


def _serve(port: int) -> dict[str, Any]:
    return {
        "command": ["python3", "-c", SERVER, str(port)],
        "readinessProbe": {"tcpSocket": {"port": port}, "periodSeconds": 2, "timeoutSeconds": 20},
    }
