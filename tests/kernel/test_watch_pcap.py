"""``watch --pcap`` on what tcpdump captured of real traffic, against what tshark says of the same file."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import wires
from pace import patience
from watching import BEESPACE, environment

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.host_only,
    pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed"),
    pytest.mark.skipif(shutil.which("tcpdump") is None, reason="tcpdump is not installed"),
]

SERVED, ASKED = 8080, 5353
LEFT, RIGHT = "fd77::1", "fd77::2"
TALK = """
import socket, sys, threading
def serve(near):
    while data := near.recv(100_000):
        near.sendall(data)
    near.close()
def accept(listener):
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
def answer(asked):
    while True:
        data, peer = asked.recvfrom(65_535)
        asked.sendto(data[:900] * 2, peer)
for host in sys.argv[1:]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    threading.Thread(target=accept, args=(socket.create_server((host, 8080), family=family, backlog=64),)).start()
    asked = socket.socket(family, socket.SOCK_DGRAM)
    asked.bind((host, 5353))
    threading.Thread(target=answer, args=(asked,)).start()
print("ready", flush=True)
"""


def dump(side: wires.Side, file: Path, *options: str) -> subprocess.Popen[str]:
    """tcpdump that listens."""
    command = ["nsenter", f"--net=/proc/{side.netns}/ns/net", "--", "tcpdump", "-Z", "root", "-U", "-w", str(file)]
    process = subprocess.Popen([*command, *options], stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    while "listening on" not in (line := process.stderr.readline()):
        assert line, "tcpdump has ended"
    return process


def ended(process: subprocess.Popen[str]) -> None:
    process.terminate()
    process.communicate(timeout=patience(30))


def ask(side: wires.Side, here: str, there: str, number: int) -> None:
    """A connection that carries something there and back, and a datagram, large enough for fragments now and then."""
    family = socket.AF_INET6 if ":" in there else socket.AF_INET
    with side.inside(lambda: socket.socket(family, socket.SOCK_STREAM)) as near:
        near.settimeout(patience(20))
        near.connect((there, SERVED))
        size = number * 7919 % 40_000 + 1
        near.sendall(b"x" * size)
        while size:
            size -= len(near.recv(100_000))
    with side.inside(lambda: socket.socket(family, socket.SOCK_DGRAM)) as asking:
        asking.settimeout(patience(20))
        asking.bind((here, 0))
        # tshark's statistics of IPv6 leave fragments out.
        asking.sendto(b"q" * (number * 531 % (600 if ":" in there else 4000) + 1), (there, ASKED))
        asking.recv(65_535)


@pytest.fixture(scope="module")
def captures(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """The same traffic, captured on an interface and on all of them (cooked), whole and headers only."""
    folder = tmp_path_factory.mktemp("captures")
    files = {name: folder / f"{name}.pcap" for name in ("ethernet", "cooked", "short", "loopback")}
    wire = wires.Wire()
    server = None
    try:
        wire.prepare()
        for side, address in ((wire.left, LEFT), (wire.right, RIGHT)):
            side.inside(lambda: Path("/proc/sys/net/ipv6/conf/all/disable_ipv6").write_text("0"))
            side.run("ip", "address", "add", f"{address}/64", "dev", side.interface, "nodad")
        server = subprocess.Popen(
            ["nsenter", f"--net=/proc/{wire.right.netns}/ns/net", "--", sys.executable, "-c", TALK,
             wire.right.address, RIGHT, "127.0.0.1"], stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert server.stdout is not None and server.stdout.readline() == "ready\n"
        interface = wire.left.interface
        dumps = [
            dump(wire.left, files["ethernet"], "-i", interface, "-B", "16384"),
            dump(wire.left, files["cooked"], "-i", "any", "-B", "16384"),
            dump(wire.left, files["short"], "-i", interface, "-B", "16384", "-s", "96"),
            dump(wire.right, files["loopback"], "-i", "lo", "-B", "16384"),
        ]
        for number in range(12):
            ask(wire.left, wire.left.address, wire.right.address, number)
            ask(wire.left, LEFT, RIGHT, number)
            if number < 3:
                ask(wire.right, "127.0.0.1", "127.0.0.1", number)
        wire.left.run("ping", "-q", "-c", "2", "-i", "0.2", wire.right.address)
        wire.left.run("ping", "-q", "-c", "2", "-i", "0.2", RIGHT)
        sizes: list[int] = []
        while len(sizes) < 3 or sizes[-3:] != [sizes[-1]] * 3:  # until nothing is written any more
            time.sleep(0.2)
            sizes.append(sum(file.stat().st_size for file in files.values()))
        for process in dumps:
            ended(process)
        yield files
    finally:
        if server is not None:
            server.kill()
            server.communicate()
        wire.close()


def watch(file: Path, *options: str, status: int = 0) -> tuple[list[dict[str, Any]], str]:
    command = [*BEESPACE, "watch", "--pcap", str(file), "-o", "json", *options]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), timeout=patience(200))
    assert done.returncode == status, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def tshark(file: Path, *options: str) -> list[str]:
    done = subprocess.run(
        ["tshark", "-n", "-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE", "-r", str(file), *options],
        capture_output=True, text=True, timeout=patience(200),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def conversations(file: Path, kind: str) -> dict[frozenset[str], dict[str, int]]:
    """``tshark -z conv``: for the two ends of each conversation, how many frames each has sent."""
    found = {}
    for line in tshark(file, "-q", "-z", f"conv,{kind}"):
        match = re.match(r"(\S+)\s+<-> (\S+)\s+(\d+) [\d,]+ \w+\s+(\d+) [\d,]+ \w+\s+\d+", line)
        if match:
            left, right = match[1], match[2]
            found[frozenset((left, right))] = {right: int(match[3]), left: int(match[4])}
    return found


def sent(rows: list[dict[str, Any]], *transports: str, ports: bool = True) -> dict[frozenset[str], dict[str, int]]:
    """The same of our rows."""
    found: dict[frozenset[str], Counter[str]] = {}
    for row in rows:
        if row["transport"] in transports or not transports:
            near, far = (
                f"{row[f'{end}_address']}:{row[f'{end}_port']}" if ports else row[f"{end}_address"]
                for end in ("local", "remote")
            )
            counted = found.setdefault(frozenset((near, far)), Counter())
            counted[near] += row["tx_packets"]
            counted[far] += row["rx_packets"]
    return {ends: dict(counted) for ends, counted in found.items()}


def lengths(file: Path) -> dict[tuple[str, str], int]:
    """Bytes from the IP header on, by who sent to whom, from tshark's own dissection of every frame."""
    total: Counter[tuple[str, str]] = Counter()
    fields = ("ip.src", "ip.dst", "ip.len", "ipv6.src", "ipv6.dst", "ipv6.plen")
    for line in tshark(file, "-T", "fields", "-E", "occurrence=f", *(word for name in fields for word in ("-e", name))):
        source, target, length, source6, target6, payload = line.split("\t")
        if length:
            total[source, target] += int(length)
        elif payload:
            total[source6, target6] += int(payload) + 40
    return dict(total)


@pytest.mark.parametrize("name", ["ethernet", "cooked", "short"])
def test_frames_and_bytes_are_those_of_tshark(captures: dict[str, Path], name: str) -> None:
    rows, errors = watch(captures[name])
    assert "nothing lost" in errors
    for kind in ("tcp", "udp"):
        theirs = conversations(captures[name], kind)
        ours = sent([row for row in rows if row["local_port"] is not None], kind)
        assert len(theirs) == 24 and ours == theirs
    for kind, family in (("ip", "ipv4"), ("ipv6", "ipv6")):
        mine = [row for row in rows if row["network_type"] == family]
        theirs = conversations(captures[name], kind)
        assert sent(mine, ports=False) == theirs
    total: Counter[tuple[str, str]] = Counter()
    for row in rows:
        total[row["local_address"], row["remote_address"]] += row["tx_bytes"]
        total[row["remote_address"], row["local_address"]] += row["rx_bytes"]
    assert {ends: size for ends, size in total.items() if size} == lengths(captures[name])
    # The side that asked is the local one, and nobody owns anything.
    asked = [row for row in rows if row["transport"] == "tcp"]
    assert {row["remote_port"] for row in asked} == {SERVED}
    unknown = ("process_pid", "container_id", "node", "role", "state", "rtt_us", "retransmits", "interface")
    assert {row[name] for row in rows for name in unknown} == {None}


def test_formats_are_read_alike(captures: dict[str, Path], tmp_path: Path) -> None:
    """What Wireshark's editcap makes of the same packets; and gzip."""
    expected, _ = watch(captures["ethernet"])
    for format in ("pcap", "nsecpcap", "pcapng"):
        file = tmp_path / format
        subprocess.run(["editcap", "-F", format, str(captures["ethernet"]), str(file)], check=True)
        assert watch(file)[0] == expected
    subprocess.run(["gzip", "-k", str(tmp_path / "pcapng")], check=True)
    assert watch(tmp_path / "pcapng.gz")[0] == expected


def test_both_ends_on_the_loopback_interface(captures: dict[str, Path]) -> None:
    """As in the kernel, each packet is one that was sent and one that was received."""
    rows, _ = watch(captures["loopback"])
    tcp = [row for row in rows if row["transport"] == "tcp"]
    assert len(tcp) == 2 * 3
    served = {row["remote_port"]: row for row in tcp if row["local_port"] == SERVED}
    for row in tcp:
        if row["local_port"] != SERVED:
            other = served[row["local_port"]]
            assert (row["tx_bytes"], row["rx_packets"]) == (other["rx_bytes"], other["tx_packets"])
    theirs = conversations(captures["loopback"], "tcp")
    assert {ends: {end: 2 * n for end, n in each.items()} for ends, each in theirs.items()} == sent(tcp)


def test_which_end_is_local(captures: dict[str, Path]) -> None:
    rows, _ = watch(captures["ethernet"], "--local", "10.77.0.2")
    assert {row["local_address"] for row in rows} == {"10.77.0.2"}
    assert {row["local_port"] for row in rows if row["transport"] == "tcp"} == {SERVED}
    both, _ = watch(captures["ethernet"], "--local", "10.77.0.0/24", "--port", str(SERVED))
    assert len(both) == 2 * len([row for row in rows if row["transport"] == "tcp"])
    cooked, _ = watch(captures["cooked"])  # says which way each packet went
    assert {row["local_address"] for row in cooked if row["transport"]} >= {"10.77.0.1", LEFT}
    assert {row["local_address"] for row in cooked if row["transport"] == "tcp"} == {"10.77.0.1", LEFT}


def test_intervals_add_up(captures: dict[str, Path]) -> None:
    whole, _ = watch(captures["ethernet"])
    parts, _ = watch(captures["ethernet"], "--interval", "100ms")
    assert len({row["time"] for row in parts}) > 3
    assert {row["interval_s"] for row in parts} == {0.1}
    for column in ("tx_bytes", "rx_bytes", "tx_packets", "rx_packets"):
        assert sum(row[column] for row in parts) == sum(row[column] for row in whole)
    assert sent(parts) == sent(whole)
    ends = ("transport", "local_address", "local_port", "remote_address", "remote_port")
    first = {tuple(row[name] for name in ends): row["first_seen"] for row in whole}
    assert all(row["first_seen"] == first[tuple(row[name] for name in ends)] for row in parts)


def test_too_many_flows_are_counted(captures: dict[str, Path]) -> None:
    whole, _ = watch(captures["ethernet"])
    rows, errors = watch(captures["ethernet"], "--max-flows", "8")
    flows = [row for row in rows if "stage" not in row]
    (lost,) = [row for row in rows if "stage" in row]
    assert len(flows) == 8 and lost["stage"] == "table full"
    packets = [sum(row["tx_packets"] + row["rx_packets"] for row in each) for each in (whole, flows)]
    assert packets[0] == packets[1] + lost["rows"] and "lost" in errors


def test_a_capture_that_is_cut_or_damaged(captures: dict[str, Path], tmp_path: Path) -> None:
    content = captures["ethernet"].read_bytes()
    (tmp_path / "cut").write_bytes(content[:-7])
    whole, _ = watch(captures["ethernet"])
    rows, errors = watch(tmp_path / "cut")
    (lost,) = [row for row in rows if "stage" in row]
    assert (lost["stage"], lost["rows"]) == ("cut short", 1)
    assert "the capture ends inside a packet (at offset 0x" in errors
    packets = [sum(row.get("tx_packets", 0) + row.get("rx_packets", 0) for row in each) for each in (whole, rows)]
    assert packets[0] == packets[1] + 1
    (tmp_path / "damaged").write_bytes(content[: len(content) // 2] + b"\xff" * 4000 + content[len(content) // 2 :])
    rows, errors = watch(tmp_path / "damaged", status=1)
    assert rows and re.search(r"captured bytes, where .* is the most \(at offset 0x[0-9a-f]+\)", errors)
