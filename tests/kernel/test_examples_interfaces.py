"""Examples of the network that run at an interface of the test's own."""

from __future__ import annotations

import contextlib
import shutil
import socket
import ssl
import struct
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pace import patience
from since import compiled_since
from wires import Wire

from beespace.lang.verdicts import XDP_PASS, XDP_TX
from beespace.session.files import program_of

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("own_cache")]

EXAMPLES = Path(__file__).parent.parent.parent / "examples"


def datagrams(wire: Wire, count: int, size: int) -> None:
    """Packets from left to right."""
    with wire.left.socket(socket.SOCK_DGRAM) as sender:
        for _ in range(count):
            sender.sendto(bytes(size), (wire.right.address, 7000))


def bounce(probe: Any, wire: Wire) -> None:
    with wire.left.socket(socket.SOCK_DGRAM) as sender:
        for number in range(5):
            sender.sendto(f"hello {number}".encode(), (wire.right.address, 7))
            assert sender.recvfrom(100) == (f"hello {number}".encode(), (wire.right.address, 7))
        sender.settimeout(0.2)
        sender.sendto(b"another port", (wire.right.address, 8))
        with pytest.raises((TimeoutError, ConnectionRefusedError)):
            sender.recv(100)
    assert probe.bounced.value == 5


def capture(probe: Any, wire: Wire) -> None:
    packets = wire.right.inside(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)))
    with packets, wire.left.socket(socket.SOCK_DGRAM) as sender:
        packets.settimeout(0.5)
        probe.attach("on_packet", socket=packets)
        for port in (52, 53, 54, 53):
            sender.sendto(f"to {port}".encode(), (wire.right.address, port))
        seen = []
        with contextlib.suppress(TimeoutError):
            while True:
                seen.append(packets.recv(2000)[42:48])
        ours = [
            each for each in seen if each.startswith(b"to ")
        ]  # the kernel sends for itself before there is a filter
        assert ours == [b"to 53", b"to 53"] or ours == [b"to 53\0", b"to 53\0"]


def dissector(probe: Any, wire: Wire) -> None:
    header = bytes(12) + bytes.fromhex("0800 4500001c 00000000 4011 0000 0a000001 0a000002 1388 0035 0008 0000")
    ran = probe.test_run("on_packet", header)
    nhoff, thoff, protocol = struct.unpack_from("=HHH", ran.data)
    tcp = probe.test_run("on_packet", header[:23] + b"\x06" + header[24:]).retval
    # BPF_OK and BPF_DROP; older kernels say whether it was BPF_OK (before kernel commit 91350fe15213).
    assert (ran.retval, tcp) in ((0, 2), (1, 0))
    assert (nhoff, thoff, protocol) == (14, 34, 0x0800)
    assert struct.unpack_from("=B2x", ran.data, 9)[0] == 17
    assert ran.data[12:16] == bytes.fromhex("13880035")


def firewall(probe: Any, wire: Wire) -> None:
    datagrams(wire, 5, 10)
    assert probe.dropped.value == 5
    network = type(probe).allowed.value_kind
    probe.allowed["10.0.0.0/8"] = network()
    probe.allowed["10.77.0.0/24"] = network()
    datagrams(wire, 3, 10)
    assert probe.dropped.value == 5
    counts = {str(network): entry.packets for network, entry in probe.allowed.items()}
    assert counts == {"10.0.0.0/8": 0, "10.77.0.0/24": 3}


def marks(probe: Any, wire: Wire) -> None:
    datagrams(wire, 4, 100)
    assert dict(probe.protocols.items()) == {17: 4}
    small, big = (b"\0" * 12 + b"\x08\0" + bytes(size) for size in (100, 1200))
    ran = [probe.test_run("on_packet", packet, context={"mark": 0}) for packet in (small, big)]
    assert [each.context["mark"] for each in ran] == [0, 7]


def no_ping(probe: Any, wire: Wire) -> None:
    if shutil.which("ping") is None:
        pytest.skip("ping is not installed")
    pinged = wire.left.inside(
        lambda: subprocess.run(["ping", "-c2", "-W1", wire.right.address], capture_output=True, check=False)
    )
    assert pinged.returncode == 1, pinged.stdout
    assert probe.dropped.value == 2
    datagrams(wire, 3, 10)
    assert probe.dropped.value == 2


def syslog(probe: Any, wire: Wire) -> None:
    sent = [b"<14>a line", b"<14>" + b"long " * 800, b""]
    with wire.left.socket(socket.SOCK_DGRAM) as sender:
        for line in (b"to another port", *sent):
            sender.sendto(line, (wire.right.address, 515 if line == b"to another port" else 514))
    assert [(line.sender, line.data) for line in probe.lines.events(0.5)] == [
        (wire.left.address, line) for line in sent
    ]


def steering(probe: Any, wire: Wire) -> None:
    listening = wire.right.socket(socket.SOCK_STREAM)
    with listening:
        listening.listen()
        probe.listeners[0] = listening
        for port in (7000, 7500, 7999):
            with wire.left.socket(socket.SOCK_STREAM) as client:
                client.connect((wire.right.address, port))
                with listening.accept()[0] as connection:
                    assert connection.getsockname() == (wire.right.address, port)
        with wire.left.socket(socket.SOCK_STREAM) as client, pytest.raises(ConnectionRefusedError):
            client.connect((wire.right.address, 8000))
    assert probe.steered.value >= 3


def checksum(data: bytes) -> int:
    """RFC 1071; 0 of a header with a checksum that is right."""
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def packet(source: str, target: str, protocol: int, payload: bytes) -> bytes:
    """An IPv4 packet in a frame."""
    header = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(payload), 1, 0, 64, protocol, 0)
    header += socket.inet_aton(source) + socket.inet_aton(target)
    header = header[:10] + struct.pack(">H", checksum(header)) + header[12:]
    return bytes(range(6)) + b"\xaa" * 6 + b"\x08\0" + header + payload


def segment(source_port: int, flags: int) -> bytes:
    return struct.pack(">HHIIBBHHH", source_port, 80, 1, 1, 5 << 4, flags, 1000, 0, 0)


def balancer(probe: Any, wire: Wire) -> None:
    probe.serve(1, 0x0A0000C8, 80, [0x0A000101, 0x0A000102, 0x0A000103])
    servers = {}
    for port in range(1000, 1060):
        given = packet("10.0.0.9", "10.0.0.200", 6, segment(port, 2))
        ran = probe.test_run("on_packet", given)
        assert ran.retval == XDP_TX
        assert ran.data[:14] == b"\2\0\0\0\0\1" + bytes(range(6)) + b"\x08\0"
        outer, inner = ran.data[14:34], ran.data[34:]
        assert inner == given[14:]
        assert (checksum(outer), outer[9], int.from_bytes(outer[2:4], "big")) == (0, 4, 60)
        servers[port] = outer[16:]
    assert {socket.inet_ntoa(server) for server in servers.values()} == {f"10.0.1.{number}" for number in (1, 2, 3)}
    for port, server in servers.items():
        again = probe.test_run("on_packet", packet("10.0.0.9", "10.0.0.200", 6, segment(port, 16)))
        assert again.data[30:34] == server
    assert probe.chosen.value == 60
    assert sum(probe.traffic[place].packets for place in range(64)) == 120
    assert probe.test_run("on_packet", packet("10.0.0.9", "10.0.0.201", 6, segment(1, 2))).retval == XDP_PASS


def nat(probe: Any, wire: Wire) -> None:
    inside, outside = "10.1.0.2", "10.1.0.99"
    wire.left.run("ip", "address", "add", f"{inside}/32", "dev", "left")
    wire.left.run("sysctl", "-w", "net.ipv4.conf.all.rp_filter=0")
    wire.right.run("ip", "route", "add", f"{outside}/32", "dev", "right")
    wire.right.run("ip", "neigh", "add", outside, "lladdr", "02:00:00:00:00:01", "dev", "right")

    def here(kind: int) -> socket.socket:
        made = wire.left.inside(lambda: socket.socket(socket.AF_INET, kind))
        made.settimeout(patience(20))
        made.bind((inside, 0))
        return made

    with wire.right.socket(socket.SOCK_DGRAM, 9000) as server, here(socket.SOCK_DGRAM) as client:
        client.sendto(b"question", server.getsockname())
        question, sender = server.recvfrom(100)
        assert (question, sender) == (b"question", (outside, client.getsockname()[1]))
        server.sendto(b"answer", sender)
        assert client.recvfrom(100) == (b"answer", server.getsockname())
    with wire.right.socket(socket.SOCK_STREAM, 9000) as server, here(socket.SOCK_STREAM) as client:
        server.listen()
        client.connect(server.getsockname())
        with server.accept()[0] as connection:
            assert connection.getpeername()[0] == outside
            client.sendall(bytes(5000))
            assert len(connection.recv(5000, socket.MSG_WAITALL)) == 5000
            connection.sendall(bytes(5000))
            assert len(client.recv(5000, socket.MSG_WAITALL)) == 5000
    with wire.right.socket(socket.SOCK_DGRAM) as stranger:
        stranger.sendto(b"x", (outside, 9))
    assert probe.strangers.value == 1


def stateful(probe: Any, wire: Wire) -> None:
    with wire.left.socket(socket.SOCK_DGRAM) as ours, wire.right.socket(socket.SOCK_DGRAM) as theirs:
        theirs.sendto(b"unasked", ours.getsockname())
        ours.sendto(b"question", theirs.getsockname())
        assert theirs.recv(10) == b"question"
        theirs.sendto(b"answer", ours.getsockname())
        assert ours.recv(10) == b"answer"
    assert probe.refused.value == 1
    with wire.right.socket(socket.SOCK_STREAM, 80) as server, wire.left.socket(socket.SOCK_STREAM) as client:
        server.listen()
        client.connect(server.getsockname())
        with server.accept()[0] as connection:
            connection.send(b"hello")
            assert client.recv(10) == b"hello"
    states = {(connection.protocol, entry.state.name) for connection, entry in probe.connections.items()}
    assert {(17, "ANSWERED"), (6, "CLOSING")} <= states


def name_server(probe: Any, wire: Wire) -> None:
    probe.add("www.beespace.example", 0x0A0B0C0D)
    question = struct.pack(">6H", 9, 0x100, 1, 0, 0, 0) + b"\x03WwW\x08BeeSpace\x07example\0" + struct.pack(">2H", 1, 1)
    with wire.left.socket(socket.SOCK_DGRAM) as client:
        client.sendto(question, (wire.right.address, 53))
        answer, sender = client.recvfrom(512)
        assert sender == (wire.right.address, 53)
        assert struct.unpack(">6H", answer[:12]) == (9, 0x8180, 1, 1, 0, 0)
        assert answer[12:] == question[12:] + bytes.fromhex("c00c 0001 0001 0000003c 0004 0a0b0c0d")
        client.sendto(question.replace(b"WwW", b"ftp"), (wire.right.address, 53))
        client.settimeout(0.2)
        with pytest.raises((TimeoutError, ConnectionRefusedError)):
            client.recv(512)
    assert (probe.answered.value, probe.unknown.value) == (1, 1)


def server_names(probe: Any, wire: Wire) -> None:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname="www.beespace.example")
    with contextlib.suppress(ssl.SSLWantReadError):
        session.do_handshake()
    with wire.right.socket(socket.SOCK_STREAM, 443) as server, wire.left.socket(socket.SOCK_STREAM) as client:
        server.listen()
        client.connect(server.getsockname())
        with server.accept()[0] as connection:
            client.sendall(b"nothing of the kind")
            client.sendall(outgoing.read())
            assert connection.recv(100)
    (hello,) = probe.hellos.available()
    assert (hello.source, hello.name) == (wire.left.address, "www.beespace.example")


def too_big(probe: Any, wire: Wire) -> None:
    given = packet("10.0.0.1", "10.0.0.2", 17, bytes(1300))
    ran = probe.test_run("on_packet", given)
    assert (ran.retval, len(ran.data)) == (XDP_TX, 70)
    assert (checksum(ran.data[14:34]), checksum(ran.data[34:70])) == (0, 0)
    assert ran.data[42:] == given[14:42]
    with wire.left.socket(socket.SOCK_DGRAM) as client:
        client.setsockopt(socket.IPPROTO_IP, 10, 2)  # IP_MTU_DISCOVER, IP_PMTUDISC_DO
        client.connect((wire.right.address, 9))
        client.send(bytes(1300))
        deadline = time.monotonic() + patience(5)
        while client.getsockopt(socket.IPPROTO_IP, 14) != 1200 and time.monotonic() < deadline:  # IP_MTU
            time.sleep(0.01)
        assert client.getsockopt(socket.IPPROTO_IP, 14) == 1200


def transparent(probe: Any, wire: Wire) -> None:
    wire.left.run("ip", "route", "add", "10.99.0.0/24", "via", wire.right.address)
    wire.right.run("ip", "route", "add", "local", "10.99.0.0/24", "dev", "lo")
    with wire.right.socket(socket.SOCK_STREAM, 8080) as server:
        server.setsockopt(socket.IPPROTO_IP, 19, 1)  # IP_TRANSPARENT
        server.listen()
        probe.listener[0] = server
        for number in (5, 6):
            with wire.left.socket(socket.SOCK_STREAM) as client:
                client.connect((f"10.99.0.{number}", 80))
                with server.accept()[0] as connection:
                    assert connection.getsockname() == (f"10.99.0.{number}", 80)
                    client.send(b"x")
                    assert connection.recv(1) == b"x"
    assert probe.taken.value == 2


def handover(probe: Any, wire: Wire) -> None:
    datagrams(wire, 3, 10)
    assert dict(probe.packets.items()) == {3: 3}


WIRES: dict[str, Callable[[Any, Wire], None]] = {
    check.__name__: check
    for check in (
        balancer,
        bounce,
        capture,
        dissector,
        firewall,
        handover,
        marks,
        name_server,
        nat,
        no_ping,
        server_names,
        stateful,
        steering,
        syslog,
        too_big,
        transparent,
    )
}
LEFT = ("marks", "nat", "server_names", "stateful")  # at the interface that sends
BACK = ("bounce", "name_server", "too_big")  # veth sends back only to a peer that has an XDP program, too


@pytest.mark.parametrize("name", sorted(WIRES))
def test_at_an_interface(name: str, wire: Wire) -> None:
    program: Any = program_of(EXAMPLES / "network" / f"{name}.py")
    side = wire.left if name in LEFT else wire.right
    where: dict[str, object] = {"netns": side.netns, "interface": side.interface}
    if name in BACK:
        where["mode"] = "generic"
    if name in ("dissector", "no_ping", "steering", "syslog"):
        del where["interface"]
    with contextlib.ExitStack() as running:
        with compiled_since("6.4" if name in ("no_ping", "syslog") else None):  # netfilter programs
            probe = running.enter_context(program().start(**({} if name == "capture" else where)))
        WIRES[name](probe, wire)
