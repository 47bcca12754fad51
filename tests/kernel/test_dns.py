"""What the ``dns`` table says, against a resolver of the test's own (dnsmasq) and what its client got."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from flow_net import Net, Watch, line, total
from pace import patience

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("flows_load")]

# Asks as told on standard input, a JSON list of [server, "udp" or "tcp", id, name, type]; prints the bytes of answers.
CLIENT = r"""
import json, os, socket, struct, sys
def question(id, name, type):
    labels = b"".join(bytes([len(l)]) + l.encode() for l in name.split("."))
    return struct.pack("!6H", id, 0x100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!2H", type, 1)
def exactly(sock, size):
    data = b""
    while len(data) < size:
        data += sock.recv(size - len(data))
    return data
for server, transport, id, name, type in json.loads(sys.argv[1]):
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    data = question(id, name, type)
    if transport == "udp":
        sock = socket.socket(family, socket.SOCK_DGRAM); sock.settimeout(20)
        sock.sendto(data, (server, 53)); answer = sock.recv(4096)
    else:
        sock = socket.create_connection((server, 53))
        framed = struct.pack("!H", len(data)) + data
        sock.sendall(framed[:7]); sock.sendall(framed[7:])
        answer = exactly(sock, struct.unpack("!H", exactly(sock, 2))[0])
    sock.close()
    print(answer.hex(), flush=True)
if len(sys.argv) > 2:
    sock = socket.socket(); sock.settimeout(20)
    try: sock.connect((sys.argv[2], 7400))
    except OSError: pass
print("done", os.getpid(), flush=True)
sys.stdin.readline()
"""
# So many questions of as many names, 5,000 a second; prints how many were answered.
LOAD = r"""
import socket, struct, sys, time, threading
count = int(sys.argv[2])
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.setsockopt(socket.SOL_SOCKET, 33, 8 << 20); sock.setsockopt(socket.SOL_SOCKET, 32, 8 << 20)
sock.connect((sys.argv[1], 53)); sock.settimeout(float(sys.argv[3]))
def ask():
    began = time.monotonic()
    for number in range(count):
        name = f"n{number}".encode()
        sock.send(struct.pack("!6H", number & 0xffff, 0x100, 1, 0, 0, 0) + bytes([len(name)]) + name
                  + b"\x04load\x04test\0" + struct.pack("!2H", 1, 1))
        if number % 50 == 49:
            time.sleep(max(0, began + number / 5000 - time.monotonic()))
thread = threading.Thread(target=ask); thread.start()
got = 0
try:
    while got < count:
        sock.recv(2000); got += 1
except TimeoutError:
    pass
thread.join()
print(got, flush=True)
sys.stdin.readline()
"""


def answered(rows: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [row for row in rows if row.get("question") == name]


def test_questions_and_answers(net: Net, watched: Callable[..., Watch], resolver: str) -> None:
    running = watched("dns", "flows")
    questions = [
        [resolver, "udp", 1, "WEB.test", 1],
        [resolver, "udp", 2, "web.test", 28],
        [resolver, "udp", 3, "www.test", 1],
        [resolver, "udp", 4, "missing.test", 1],
        [resolver, "tcp", 5, "tcp.load.test", 1],
        [net.addresses6[1], "udp", 6, "six.load.test", 1],
    ]
    client = net.start(0, CLIENT, json.dumps(questions))
    answers = [line(client) for _ in questions]
    assert all(answers)
    assert line(client) == f"done {client.pid}\n"
    rows = [row for row in running.stop() if "question" in row]
    assert {row["process_pid"] for row in rows} == {client.pid}
    assert {row["role"] for row in rows} == {"client"}
    assert all(row["latency_us"] > 0 and row["queries"] == 1 for row in rows)
    shown = [(row["question"], row["question_type"], row["transport"], row["rcode"], row["answers"]) for row in rows]
    v4, v6 = net.addresses[1], net.addresses6[1]
    assert shown == [
        ("web.test", "A", "udp", "NOERROR", v4),
        ("web.test", "AAAA", "udp", "NOERROR", v6),
        ("www.test", "A", "udp", "NOERROR", f"web.test {v4}"),
        ("missing.test", "A", "udp", "NXDOMAIN", ""),
        ("tcp.load.test", "A", "tcp", "NOERROR", "10.99.0.1"),
        ("six.load.test", "A", "udp", "NOERROR", "10.99.0.1"),
    ]
    assert rows[-1]["remote_address"] == net.addresses6[1]


def test_flows_have_the_name_that_was_asked_for(net: Net, watched: Callable[..., Watch], resolver: str) -> None:
    running = watched("dns", "flows")
    client = net.start(0, CLIENT, json.dumps([[resolver, "udp", 9, "www.test", 1]]), net.addresses[1])
    assert line(client)
    assert line(client) == f"done {client.pid}\n"
    flows = [row for row in running.stop() if row.get("remote_port") == 7400]
    assert {row["remote_name"] for row in flows} == {"www.test"}


def test_nobody_answers(net: Net, watched: Callable[..., Watch]) -> None:
    running = watched("dns")
    source = r"""
import socket
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); sock.bind(("127.0.0.1", 53))
asking = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(3):
    asking.sendto(bytes.fromhex("000901000001000000000000") + b"\x04none\0\0\1\0\1", ("127.0.0.1", 53))
import time; time.sleep(8)
"""
    net.run(0, source)
    rows = answered(running.stop(), "none")
    assert {(row["rcode"], row["latency_us"], row["answers"], row["queries"]) for row in rows} == {
        (None, None, None, 3)
    }
    assert sorted(row["role"] for row in rows) == ["client", "server"]  # both ends are here


def test_five_thousand_a_second(net: Net, watched: Callable[..., Watch], resolver: str) -> None:
    """Every question is a row or counted as lost."""
    running = watched("dns")
    count = 10_000
    client = net.start(0, LOAD, resolver, count, patience(10))
    got = int(line(client))
    rows = running.stop()
    seen = [row for row in rows if str(row.get("question")).endswith(".load.test") and row["rcode"] == "NOERROR"]
    lost = total([row for row in rows if row.get("table") == "dns"], "rows")
    assert len({row["question"] for row in seen}) == len(seen)
    assert len(seen) == got or (len(seen) < got and lost >= got - len(seen)), (len(seen), got, lost)
    assert len(seen) > count // 2
