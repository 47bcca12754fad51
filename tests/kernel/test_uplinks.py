"""Every packet of a device, against the device's own counters, and what became of them.

``beespace watch`` runs in a network namespace of the test's and looks at a device of the test's.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flow_net import Net, Watch, line, sh, total

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("flows_load")]

SERVER = r"""
import socket, sys
listener = socket.create_server((sys.argv[1], 7300))
print("ready", flush=True)
while True:
    sock, _ = listener.accept()
    size = 0
    while chunk := sock.recv(1 << 20): size += len(chunk)
    sock.sendall(str(size).encode()); sock.close()
"""
CLIENT = r"""
import socket, sys, time
sock = socket.create_connection((sys.argv[1], 7300))
sock.sendall(bytes(int(sys.argv[2]))); sock.shutdown(socket.SHUT_WR)
print(sock.recv(100).decode(), flush=True)
sock.close()
time.sleep(0.5)  # the last acknowledgements
print("done", flush=True)
"""


def counters(net: Net, side: int, device: str = "v0") -> dict[str, int]:
    shown = subprocess.run(
        ["ip", "-n", f"{net.name}{side}", "-s", "-j", "link", "show", device],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    (link,) = json.loads(shown)
    return {way: link["stats64"][way]["packets"] for way in ("rx", "tx")}


def quiet(net: Net, side: int) -> None:
    """No packets of the kernel's own on IPv6, and no segmentation that a device's counter does not see."""
    inside = ["nsenter", f"--net=/run/netns/{net.name}{side}"]
    subprocess.run([*inside, "sh", "-c", "echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6"], check=True)
    for device in subprocess.run(
        [*inside, "ls", "/proc/sys/net/ipv4/conf"], capture_output=True, text=True
    ).stdout.split():
        if device.startswith("v"):
            subprocess.run([*inside, "ethtool", "-K", device, "tso", "off", "gso", "off", "gro", "off"], check=True)


def of(rows: list[dict[str, Any]], direction: str) -> list[dict[str, Any]]:
    return [row for row in rows if "elsewhere" in row and row["direction"] == direction]


@pytest.mark.parametrize("offloads", [False, True])
def test_every_packet_of_a_device_has_an_owner(net: Net, watched: Callable[..., Watch], offloads: bool) -> None:
    if not offloads:
        quiet(net, 0)
        quiet(net, 1)
    server = net.start(1, SERVER, net.addresses[1])
    assert line(server) == "ready\n"
    running = watched("flows", "uplinks", "--interface", "v0", side=0)
    before = counters(net, 0)
    client = net.start(0, CLIENT, net.addresses[1], 4 << 20)
    assert line(client) == f"{4 << 20}\n"
    assert line(client) == "done\n"
    after = counters(net, 0)
    rows = running.stop()
    flows = [row for row in rows if row.get("remote_port") == 7300]
    assert {row["interface"] for row in flows} == {"v0"}
    for direction, way in (("receive", "rx"), ("transmit", "tx")):
        uplink = of(rows, direction)
        assert {row["interface"] for row in uplink} == {"v0"}
        assert total(uplink, "owned") == total(flows, f"{way}_packets") > 20
        parts = sum(total(uplink, name) for name in ("owned", "unowned", "forwarded", "kernel_made", "elsewhere"))
        assert parts + total(uplink, "other_protocols") == total(uplink, "packets")
        if not offloads:
            assert total(uplink, "packets") == after[way] - before[way]
            # At most the ends of the connection, when its socket is gone.
            assert total(uplink, "elsewhere") + total(uplink, "unowned") + total(uplink, "kernel_made") <= 2
            assert total(uplink, "forwarded") == 0
    if offloads:
        assert (
            total(of(rows, "transmit"), "packets") > after["tx"] - before["tx"]
        )  # the device counts what it will split
    assert "unattributed" in running.errors


@pytest.fixture
def behind(net: Net) -> Iterator[str]:
    """A third namespace behind side 1, which forwards; its address."""
    name = f"{net.name}2"
    sh(f"ip netns add {name}")
    try:
        sh(f"ip link add v1 netns {net.name}1 type veth peer name v0 netns {name}")
        sh(f"ip -n {net.name}1 addr add 10.78.0.1/24 dev v1")
        sh(f"ip -n {name} addr add 10.78.0.2/24 dev v0")
        for side, device in ((1, "v1"), (2, "v0"), (2, "lo")):
            sh(f"ip -n {net.name}{side} link set {device} up")
        sh(f"ip -n {net.name}0 route add default via {net.addresses[1]}")
        sh(f"ip -n {name} route add default via 10.78.0.1")
        inside = ["nsenter", f"--net=/run/netns/{net.name}1"]
        subprocess.run([*inside, "sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward"], check=True)
        yield "10.78.0.2"
    finally:
        for process in net.processes:
            process.kill()
            process.wait()
        subprocess.run(["ip", "netns", "del", name], capture_output=True)


def test_forwarded_packets_are_named(net: Net, watched: Callable[..., Watch], behind: str) -> None:
    for side in (0, 1, 2):
        quiet(net, side)
    server = net.start(2, SERVER, behind)
    assert line(server) == "ready\n"
    running = watched("flows", "uplinks", "--interface", "v0", side=1)
    before = counters(net, 1)
    client = net.start(0, CLIENT, behind, 1 << 20)
    assert line(client) == f"{1 << 20}\n"
    assert line(client) == "done\n"
    after = counters(net, 1)
    rows = running.stop()
    for direction, way in (("receive", "rx"), ("transmit", "tx")):
        uplink = of(rows, direction)
        assert total(uplink, "packets") == after[way] - before[way]
        known = "no netfilter" not in running.errors and "are forwarded" not in running.errors
        column = "forwarded" if direction == "transmit" or known else "elsewhere"
        assert total(uplink, column) == total(uplink, "packets") - total(uplink, "other_protocols") > 20
        assert (total(uplink, "owned"), total(uplink, "kernel_made")) == (0, 0)


def test_what_the_kernel_answers_itself(net: Net, watched: Callable[..., Watch]) -> None:
    """A ping that comes in is answered without a socket of anybody's."""
    quiet(net, 0)
    quiet(net, 1)
    running = watched("flows", "uplinks", "--interface", "v0", side=1)
    subprocess.run(
        ["nsenter", f"--net=/run/netns/{net.name}0", "ping", "-c", "5", "-i", "0.2", net.addresses[1]],
        check=True, capture_output=True,
    )  # fmt: skip
    rows = running.stop()
    assert total(of(rows, "receive"), "elsewhere") == 5
    sent = of(rows, "transmit")
    assert total(sent, "kernel_made") + total(sent, "elsewhere") + total(sent, "unowned") == 5
