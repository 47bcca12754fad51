"""How connections fare, against what the test did to them: refused, timed out, reset, stalled, turned away, slow."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from flow_net import Net, Watch, line, lose, lost, total

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("flows_load")]

CONNECT = r"""
import json, socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
sock = socket.socket(family)
sock.setsockopt(socket.IPPROTO_TCP, 7, 1)  # TCP_SYNCNT: one more SYN
try:
    sock.connect((sys.argv[1], int(sys.argv[2])))
    print("connected", flush=True)
except OSError as error:
    print(error.errno, flush=True)
"""


def to(rows: list[dict[str, Any]], port: int) -> list[dict[str, Any]]:
    """The rows of the side that opened."""
    return [row for row in rows if row.get("remote_port") == port]


def at(rows: list[dict[str, Any]], port: int) -> list[dict[str, Any]]:
    """The rows of the side that listened."""
    return [row for row in rows if row.get("local_port") == port]


@pytest.mark.parametrize("version", [4, 6])
def test_refused_connection(net: Net, watched: Callable[..., Watch], version: int) -> None:
    running = watched()
    address = (net.addresses if version == 4 else net.addresses6)[1]
    process = net.start(0, CONNECT, address, 7100)
    assert line(process) == "111\n"  # ECONNREFUSED
    rows = to(running.stop(), 7100)
    assert {row["error"] for row in rows if row["error"]} == {"refused"}
    assert total(rows, "rx_resets") == 1
    assert (total(rows, "tx_packets"), total(rows, "rx_packets")) == (1, 1)
    assert {row["process_pid"] for row in rows} == {process.pid}
    # An interval may have ended between the two packets.
    assert [row["state"] for row in rows] in (["close"], ["syn_sent", "close"]), rows


def test_connection_that_times_out(net: Net, watched: Callable[..., Watch]) -> None:
    """What the client sends is thrown away where it arrives.

    The kernel says in a timer's interrupt that time is up, and there are machines whose kernel runs no tracing program
    in interrupts of one process (a sandbox's own first one): some of several connections are told there.  A guest's
    tells all.
    """
    running = watched()
    lose(net, "tcp dport 7102")
    processes = [net.start(0, CONNECT, net.addresses[1], 7102) for _ in range(8)]
    assert [line(process) for process in processes] == ["110\n"] * 8  # ETIMEDOUT
    rows = to(running.stop(), 7102)
    told = Counter((row["process_pid"], row["error"]) for row in rows if row["error"])
    every = {(process.pid, "timed_out"): 1 for process in processes}
    assert told == every if "BEESPACE_GUEST_FD" in os.environ else told and told.items() <= every.items(), rows
    sent = lost(net)
    assert sent >= 16
    assert total(rows, "tx_packets") == sent
    assert total(rows, "retransmits") == sent - 8
    assert total(rows, "rx_packets") == 0


RESET_SERVER = r"""
import socket, struct, sys
listener = socket.create_server((sys.argv[1], 7103))
print("ready", flush=True)
sock, _ = listener.accept()
sock.recv(100)
sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
sock.close()
print("closed", flush=True)
sys.stdin.readline()
"""
RESET_CLIENT = r"""
import socket, sys
sock = socket.create_connection((sys.argv[1], 7103))
sock.sendall(b"question")
try:
    sock.recv(100)
except ConnectionResetError:
    print("reset", flush=True)
sys.stdin.readline()
"""


def test_connection_that_is_reset(net: Net, watched: Callable[..., Watch]) -> None:
    running = watched()
    server = net.start(1, RESET_SERVER, net.addresses[1])
    assert line(server) == "ready\n"
    client = net.start(0, RESET_CLIENT, net.addresses[1])
    assert (line(client), line(server)) == ("reset\n", "closed\n")
    rows = running.stop()
    assert [row["error"] for row in to(rows, 7103) if row["error"]] == ["reset"]
    assert (total(to(rows, 7103), "rx_resets"), total(to(rows, 7103), "tx_resets")) == (1, 0)
    assert (total(at(rows, 7103), "rx_resets"), total(at(rows, 7103), "tx_resets")) == (0, 1)


STALL_SERVER = r"""
import socket, sys
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
listener.bind((sys.argv[1], 7104)); listener.listen()
print("ready", flush=True)
sock, _ = listener.accept()
sys.stdin.readline()
got = 0
while chunk := sock.recv(65536): got += len(chunk)
print(got, flush=True)
"""
STALL_CLIENT = r"""
import socket, sys
sock = socket.create_connection((sys.argv[1], 7104))
sock.setblocking(False)
import select, time
sent = 0
while select.select([], [sock], [], 1.0)[1]:
    sent += sock.send(bytes(65536))
print(sent, flush=True)
sys.stdin.readline()
sock.close()
"""


def test_receiver_that_does_not_read(net: Net, watched: Callable[..., Watch]) -> None:
    running = watched()
    server = net.start(1, STALL_SERVER, net.addresses[1])
    assert line(server) == "ready\n"
    client = net.start(0, STALL_CLIENT, net.addresses[1])
    sent = int(line(client))
    for process in (client, server):
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    assert int(line(server)) == sent
    rows = running.stop()
    assert total(at(rows, 7104), "tx_zero_windows") >= 1
    assert total(to(rows, 7104), "rx_zero_windows") == total(at(rows, 7104), "tx_zero_windows")
    assert total(to(rows, 7104), "tx_zero_windows") == total(at(rows, 7104), "rx_zero_windows") == 0


FULL_SERVER = r"""
import socket, sys
listener = socket.socket()
listener.bind((sys.argv[1], 7105)); listener.listen(0)
print("ready", flush=True)
sys.stdin.readline()
"""
MANY_CLIENTS = r"""
import socket, sys, time
socks = []
for _ in range(8):
    sock = socket.socket(); sock.setblocking(False)
    sock.connect_ex((sys.argv[1], 7105)); socks.append(sock)
time.sleep(0.5)
print(open("/proc/net/netstat").read(), end="")
"""


def test_full_accept_queue(net: Net, watched: Callable[..., Watch]) -> None:
    """Against ListenOverflows of the server's namespace."""
    running = watched()
    server = net.start(1, FULL_SERVER, net.addresses[1])
    assert line(server) == "ready\n"
    net.run(0, MANY_CLIENTS, net.addresses[1])
    lines = net.run(1, "print(open('/proc/net/netstat').read(), end='')").splitlines()
    names, values = lines[0].split(), lines[1].split()
    overflows = int(values[names.index("ListenOverflows")])
    rows = running.stop()
    assert overflows > 0
    counted = total(at(rows, 7105), "accept_overflows")
    # After the count was read, SYNs that nobody answered come again.
    assert counted >= overflows
    assert counted <= total(at(rows, 7105), "rx_packets")


SLOW_SERVER = r"""
import socket, sys, time
listener = socket.create_server((sys.argv[1], 7106))
print("ready", flush=True)
sock, _ = listener.accept()
sock.recv(100); time.sleep(0.3); sock.sendall(b"answer")
sock.recv(100); sock.sendall(b"another"); sock.recv(100)
print("done", flush=True)
sys.stdin.readline()
"""
SLOW_CLIENT = r"""
import json, socket, struct, sys
sock = socket.create_connection((sys.argv[1], 7106))
sock.sendall(b"question"); sock.recv(100)
sock.sendall(b"one more"); sock.recv(100)
info = sock.getsockopt(socket.IPPROTO_TCP, 11, 256)
at = lambda offset: struct.unpack_from("=I", info, offset)[0]
print(json.dumps({"rtt": at(68), "rttvar": at(72), "min_rtt": at(148)}), flush=True)
sys.stdin.readline()
"""


def test_slow_network_and_slow_server(net: Net, watched: Callable[..., Watch]) -> None:
    """The first SYN is lost, so the next one goes a second later; the server takes 300 ms for its first answer."""
    running = watched()
    lose(net, "tcp dport 7106 tcp flags & (syn | ack) == syn numgen inc mod 1000000 0")
    server = net.start(1, SLOW_SERVER, net.addresses[1])
    assert line(server) == "ready\n"
    client = net.start(0, SLOW_CLIENT, net.addresses[1])
    info = json.loads(line(client))
    client.communicate("\n")
    assert line(server) == "done\n"
    rows = running.stop()
    (connect,) = [row["connect_us"] for row in to(rows, 7106) if row["connect_us"]]
    assert connect >= 1_000_000
    assert not any(row["connect_us"] for row in at(rows, 7106))
    (asked,) = [row["first_byte_us"] for row in to(rows, 7106) if row["first_byte_us"]]
    (took,) = [row["first_byte_us"] for row in at(rows, 7106) if row["first_byte_us"]]
    assert took >= 300_000
    assert asked >= took
    last = to(rows, 7106)[-1]
    assert (last["rtt_us"], last["rtt_var_us"]) == (info["rtt"], info["rttvar"])
    assert min(row["rtt_min_us"] for row in to(rows, 7106) if row["rtt_min_us"]) == info["min_rtt"] > 0
