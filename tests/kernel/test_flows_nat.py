"""A Service and its back-end in one row, each packet counted once, with rules as kube-proxy writes them.

Three network namespaces: a client and a server with a router between them that translates (nftables), and a process
in the router itself.  The oracle is TCP_INFO of the very sockets, and the addresses that the test gave out.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pace import patience

from beespace.session.watch import Watch, WatchOptions

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("flows_load")]

CLIENT, ROUTER_C, ROUTER_S, SERVER = "10.81.1.2", "10.81.1.1", "10.81.2.1", "10.81.2.2"
CLIENT6, ROUTER_C6, ROUTER_S6, SERVER6 = "fd81:1::2", "fd81:1::1", "fd81:2::1", "fd81:2::2"
SERVICE, SERVICE6, NODE_PORT = "10.96.0.10", "fd96::10", 30080

COMMON = """
import json, os, socket, struct, sys
open(sys.argv[1] + "/cgroup.procs", "w").write(str(os.getpid()))
def counts(sock):
    info = sock.getsockopt(socket.IPPROTO_TCP, 11, 256)
    return dict(zip(("out", "in"), struct.unpack_from("=II", info, 136)))
"""
SERVE = (
    COMMON
    + """
family = socket.AF_INET6 if ":" in sys.argv[2] else socket.AF_INET
listener = socket.create_server((sys.argv[2], 8080), family=family)
print("ready", flush=True)
sock, peer = listener.accept()
got = 0
while chunk := sock.recv(65536): got += len(chunk)
sock.sendall(bytes(got)); sock.shutdown(socket.SHUT_WR)
print(json.dumps({"peer": peer[:2], **counts(sock)}), flush=True)
sys.stdin.readline()
"""
)
CALL = (
    COMMON
    + """
sock = socket.create_connection((sys.argv[2], int(sys.argv[3])))
sock.sendall(bytes(int(sys.argv[4]))); sock.shutdown(socket.SHUT_WR)
got = 0
while chunk := sock.recv(65536): got += len(chunk)
print(json.dumps({"local": sock.getsockname()[:2], "got": got, **counts(sock)}), flush=True)
sys.stdin.readline()
"""
)
# As kube-proxy's nftables mode: DNAT for packets that come and for those of the node itself, masquerade of node ports.
RULES = f"""
table ip nat {{
  chain services {{
    ip daddr {SERVICE} tcp dport 80 dnat to {SERVER}:8080
    fib daddr type local tcp dport {NODE_PORT} meta mark set 0x4000 dnat to {SERVER}:8080
  }}
  chain prerouting {{ type nat hook prerouting priority -100; jump services; }}
  chain output {{ type nat hook output priority -100; jump services; }}
  chain postrouting {{ type nat hook postrouting priority 100; meta mark 0x4000 masquerade; }}
}}
table ip6 nat {{
  chain services {{ ip6 daddr {SERVICE6} tcp dport 80 dnat to [{SERVER6}]:8080; }}
  chain prerouting {{ type nat hook prerouting priority -100; jump services; }}
  chain output {{ type nat hook output priority -100; jump services; }}
}}
"""


@dataclass
class Net:
    """Namespaces ``client``, ``router`` and ``server``, and what runs in them."""

    name: str
    cgroup: Path
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    def start(self, where: str, source: str, *arguments: object) -> subprocess.Popen[str]:
        command = ["nsenter", f"--net=/run/netns/{self.name}-{where}", sys.executable, "-c", source, str(self.cgroup)]
        process = subprocess.Popen(
            [*command, *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.processes.append(process)
        return process


def line(process: subprocess.Popen[str]) -> Any:
    assert process.stdout is not None
    text = process.stdout.readline().strip()
    return text if text == "ready" else json.loads(text)


def sh(command: str, text: str | None = None) -> None:
    done = subprocess.run(command.split(), input=text, capture_output=True, text=True, timeout=patience(30))
    if "Operation not supported" in done.stderr or "Could not process rule: No such file" in done.stderr:
        pytest.skip(f"this kernel cannot translate: {done.stderr.strip()}")
    assert done.returncode == 0, f"{command}: {done.stderr}"


@pytest.fixture
def net() -> Iterator[Net]:
    root = next(
        (Path(each.split()[1]) for each in Path("/proc/self/mounts").read_text().splitlines() if " cgroup2 " in each),
        None,
    )
    if root is None:
        pytest.skip("no cgroup v2 is mounted here")
    bench = Net(f"bsn{os.getpid()}", root / f"beespace-test-{os.getpid()}")
    at = {where: f"{bench.name}-{where}" for where in ("client", "router", "server")}
    try:
        bench.cgroup.mkdir()
        for name in at.values():
            sh(f"ip netns add {name}")
            sh(f"ip -n {name} link set lo up")
        for where, near, far, near6, far6 in (
            ("client", CLIENT, ROUTER_C, CLIENT6, ROUTER_C6),
            ("server", SERVER, ROUTER_S, SERVER6, ROUTER_S6),
        ):
            sh(f"ip link add v0 netns {at[where]} type veth peer name {where} netns {at['router']}")
            for name, device, address, address6 in ((at[where], "v0", near, near6), (at["router"], where, far, far6)):
                sh(f"ip -n {name} addr add {address}/24 dev {device}")
                sh(f"ip -n {name} addr add {address6}/64 dev {device} nodad")
                sh(f"ip -n {name} link set {device} up")
            sh(f"ip -n {at[where]} route add default via {far}")
            sh(f"ip -n {at[where]} route add default via {far6}")
        # The router's own packets to a Service need a route before they are translated.
        sh(f"ip -n {at['router']} route add {SERVICE}/32 via {SERVER}")
        sh(f"ip -n {at['router']} route add {SERVICE6}/128 via {SERVER6}")
        for name in ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"):
            sh(f"ip netns exec {at['router']} sysctl -qw {name}=1")
        sh(f"ip netns exec {at['router']} nft -f -", RULES)
        yield bench
    finally:
        for process in bench.processes:
            process.kill()
            process.communicate()
        for name in at.values():
            subprocess.run(["ip", "netns", "del", name], capture_output=True)
        bench.cgroup.rmdir()


@pytest.fixture
def watch(net: Net) -> Iterator[Watch]:
    with Watch(WatchOptions(cgroup=net.cgroup, netns=Path(f"/run/netns/{net.name}-router"))) as running:
        assert not [note for note in running.notes if "told apart" in note]
        yield running


COLUMNS = [
    *("local_address", "local_port", "remote_address", "remote_port", "target_address", "target_port"),
    *("role", "process_pid", "tx_packets", "rx_packets"),
]


def rows(watch: Watch) -> list[dict[str, Any]]:
    found = (
        [row for batch in watch.collect() if batch.table == "flows" for row in batch.records.to_pylist()] if 0 else []
    )
    for batch in watch.collect():
        if batch.table == "flows":
            found += batch.records.select(COLUMNS).to_pylist()
    return [row for row in found if row["local_port"]]


def call(net: Net, where: str, address: str, port: int, server: str = SERVER) -> tuple[Any, Any, int, int]:
    """One connection to its end: what client and server saw, and their pids."""
    serving = net.start("server", SERVE, server)
    assert line(serving) == "ready"
    calling = net.start(where, CALL, address, port, 300_000)
    return line(calling), line(serving), calling.pid, serving.pid


def test_a_service_that_is_translated_on_the_way(net: Net, watch: Watch) -> None:
    """As a pod's packets are, in the host's namespace."""
    client, server, calling, serving = call(net, "client", SERVICE, 80)
    found = rows(watch)
    (ours,) = [row for row in found if row["process_pid"] == calling]
    assert (ours["remote_address"], ours["remote_port"]) == (SERVER, 8080)
    assert (ours["target_address"], ours["target_port"]) == (SERVICE, 80)
    assert [ours["local_address"], ours["local_port"]] == client["local"]
    assert (ours["tx_packets"], ours["rx_packets"]) == (client["out"], client["in"])
    (theirs,) = [row for row in found if row["process_pid"] == serving]
    assert [theirs["remote_address"], theirs["remote_port"]] == client["local"] == server["peer"]
    assert (theirs["target_address"], theirs["target_port"]) == (SERVICE, 80)
    assert (theirs["local_address"], theirs["role"]) == (SERVER, "server")


def test_a_service_that_is_translated_around_the_socket(net: Net, watch: Watch) -> None:
    """As a process of the host has it: what it sends has the back-end's address, what it receives the Service's."""
    client, _, calling, _ = call(net, "router", SERVICE, 80)
    (ours,) = [row for row in rows(watch) if row["process_pid"] == calling]
    assert (ours["remote_address"], ours["remote_port"]) == (SERVER, 8080)
    assert (ours["target_address"], ours["target_port"]) == (SERVICE, 80)
    assert (ours["tx_packets"], ours["rx_packets"]) == (client["out"], client["in"])


def test_a_node_port_whose_client_is_hidden(net: Net, watch: Watch) -> None:
    """The server sees the router; who called is known all the same."""
    client, server, calling, serving = call(net, "client", ROUTER_C, NODE_PORT)
    assert server["peer"][0] == ROUTER_S
    found = rows(watch)
    (ours,) = [row for row in found if row["process_pid"] == calling]
    assert (ours["remote_address"], ours["target_address"], ours["target_port"]) == (SERVER, ROUTER_C, NODE_PORT)
    (theirs,) = [row for row in found if row["process_pid"] == serving]
    assert [theirs["remote_address"], theirs["remote_port"]] == client["local"]
    assert (theirs["target_address"], theirs["target_port"]) == (ROUTER_C, NODE_PORT)


def test_ipv6(net: Net, watch: Watch) -> None:
    client, _, calling, _ = call(net, "client", SERVICE6, 80, SERVER6)
    (ours,) = [row for row in rows(watch) if row["process_pid"] == calling]
    assert (ours["remote_address"], ours["remote_port"]) == (SERVER6, 8080)
    assert (ours["target_address"], ours["target_port"]) == (SERVICE6, 80)
    assert (ours["tx_packets"], ours["rx_packets"]) == (client["out"], client["in"])


def test_what_is_not_translated_has_no_target(net: Net, watch: Watch) -> None:
    _, _, calling, serving = call(net, "client", SERVER, 8080)
    found = [row for row in rows(watch) if row["process_pid"] in (calling, serving)]
    assert {row["remote_address"] for row in found} == {SERVER, CLIENT}
    assert {row["target_address"] for row in found} == {None}
