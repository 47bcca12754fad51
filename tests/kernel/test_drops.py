"""Packets that the kernel throws away, against the kernel's other counts of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flow_net import Net, Watch, line, lose, lost, total

from beespace.errors import NotSupported
from beespace.probes.drops import Drops

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("flows_load", "says_why")]

SEND = r"""
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
sock = socket.socket(family, socket.SOCK_DGRAM)
for _ in range(int(sys.argv[3])):
    sock.sendto(b"x" * 100, (sys.argv[1], int(sys.argv[2])))
print("sent", flush=True)
sys.stdin.readline()
"""
# Takes nothing from its socket; then says how many datagrams it was not given (/proc/net/udp), and how many it was.
DEAF = r"""
import socket, sys
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); sock.bind((sys.argv[1], int(sys.argv[2])))
sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
print("ready", flush=True)
sys.stdin.readline()
port = f":{int(sys.argv[2]):04X}"
print([l.split()[-1] for l in open("/proc/net/udp") if l.split()[1].endswith(port)][0], flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def says_why() -> None:
    """Skips where the kernel does not say why it drops."""
    if "SKB_DROP_REASON_NOT_SPECIFIED" not in Path("/sys/kernel/btf/vmlinux").read_bytes().decode("latin-1"):
        raise NotSupported("reasons of drops", since="5.17")
    with Drops():
        pass


def dropped(rows: list[dict[str, Any]], port: int) -> list[dict[str, Any]]:
    return [row for row in rows if "reason" in row and port in (row["local_port"], row["remote_port"])]


def go(process: Any) -> None:
    process.stdin.write("\n")
    process.stdin.flush()


@pytest.mark.parametrize("version", [4, 6])
def test_packets_that_a_filter_drops(net: Net, watched: Callable[..., Watch], version: int) -> None:
    running = watched("flows", "drops")
    lose(net, "udp dport 7200")
    address = (net.addresses if version == 4 else net.addresses6)[1]
    sender = net.start(0, SEND, address, 7200, 50)
    assert line(sender) == "sent\n"
    (row,) = (rows := dropped(running.stop(), 7200))[:1]
    assert {each["reason"] for each in rows} == {"NETFILTER_DROP"}
    assert total(rows, "packets") == lost(net) == 50
    assert total(rows, "bytes") == 50 * (128 if version == 4 else 148)
    assert (row["direction"], row["transport"], row["local_port"]) == ("receive", "udp", 7200)
    assert row["local_address"] == address


def test_nobody_listens(net: Net, watched: Callable[..., Watch]) -> None:
    running = watched("flows", "drops")
    sender = net.start(0, SEND, net.addresses[1], 7201, 1)
    assert line(sender) == "sent\n"
    rows = dropped(running.stop(), 7201)
    assert [(row["reason"], row["packets"]) for row in rows] == [("NO_SOCKET", 1)]
    assert rows[0]["place"] is None or "udp" in rows[0]["place"]


def test_full_receive_buffer(net: Net, watched: Callable[..., Watch]) -> None:
    """Against the socket's own count; the flow has the drops, and so its process."""
    running = watched("flows", "drops")
    deaf = net.start(1, DEAF, net.addresses[1], 7202)
    assert line(deaf) == "ready\n"
    sender = net.start(0, SEND, net.addresses[1], 7202, 200)
    assert line(sender) == "sent\n"
    go(deaf)
    missed = int(line(deaf))
    rows = running.stop()
    found = dropped(rows, 7202)
    assert {row["reason"] for row in found} <= {"SOCKET_RCVBUFF", "PROTO_MEM"}
    assert total(found, "packets") == missed > 0
    assert {row["process_pid"] for row in found} == {deaf.pid}
    flows = [row for row in rows if row.get("local_port") == 7202 and "drops" in row]
    assert total(flows, "drops") == missed
    assert {row["drop_reason"] for row in flows if row["drops"]} == {"SOCKET_RCVBUFF"}
