"""Examples of the network and of policies: each runs at a cgroup or interface of the test's own."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pace import patience
from since import compiled_since
from wires import Wire

from beespace.hooks import resolve
from beespace.session.files import program_of

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("own_cache")]

EXAMPLES = Path(__file__).parent.parent.parent / "examples"


class Inside:
    """Python in the cgroup."""

    def __init__(self, cgroup: Path) -> None:
        self.cgroup = cgroup

    def run(self, code: str) -> str:
        """What ``code`` prints there, or the name of the error that ends it."""
        procs = str(self.cgroup / "cgroup.procs").replace("/proc/self", f"/proc/{os.getpid()}")
        joining = f"open({procs!r}, 'w').write('0')\n"
        catching = "try:\n" + "".join(f"    {line}\n" for line in code.splitlines())
        catching += "except OSError as error:\n    print(type(error).__name__)\n"
        done = subprocess.run(
            [sys.executable, "-c", joining + catching],
            capture_output=True,
            text=True,
            timeout=patience(60),
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


def exec_guard(probe: Any, inside: Inside) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="beespace-test-") as folder:
        program = Path(folder) / "true"
        shutil.copy("/bin/true", program)
        folders = (Path(folder), program)
        for each in folders:
            each.chmod(0o755)
        assert subprocess.run([program], check=False).returncode == 0
        with pytest.raises(PermissionError):
            subprocess.run([program], user=47_811, check=False)
        assert subprocess.run(["/bin/true"], user=47_811, check=False).returncode == 0
    assert probe.refused.value == 1


def round_trips(probe: Any, inside: Inside) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        connecting = (
            f"import socket\nfor _ in range(6):\n    s = socket.create_connection({server.getsockname()!r}, 5)\n"
        )
        connecting += "    s.send(b'x')\n    s.recv(1)\n    s.close()\nprint('done')"
        answering = threading.Thread(target=lambda: [answer(server) for _ in range(6)])
        answering.start()
        assert inside.run(connecting) == "done"
        answering.join()
    assert probe.times.total == 6
    assert 0 < probe.times.mean < 10_000_000


def answer(server: socket.socket) -> None:
    with server.accept()[0] as connection:
        connection.send(connection.recv(1))
        connection.recv(1)


def secret(probe: Any, inside: Inside) -> None:
    with tempfile.TemporaryDirectory(prefix="beespace-test-") as folder:
        Path(folder).chmod(0o755)
        names = [Path(folder) / name for name in ("bee-secret", "bee-public")]
        for name in names:
            name.write_text("honey")
            name.chmod(0o644)
        assert names[0].read_text() == "honey"
        reading = [subprocess.run(["cat", name], user=47_811, capture_output=True, check=False) for name in names]
    assert [done.returncode for done in reading] == [1, 0]
    assert b"not permitted" in reading[0].stderr
    assert probe.denied.value == 1


def devices(probe: Any, inside: Inside) -> None:
    assert inside.run("print(open('/dev/zero', 'rb').read(2))") == r"b'\x00\x00'"
    assert inside.run("open('/dev/ptmx', 'rb')") == "PermissionError"
    assert probe.refused.value >= 1


def dns(probe: Any, inside: Inside) -> None:
    labels = "\\x03www\\x08beespace\\x07example"
    code = "import socket, struct\ns = socket.socket(type=socket.SOCK_DGRAM)\n"
    code += f"question = struct.pack('>6H', 7, 0x0100, 1, 0, 0, 0) + b'{labels}\\0' + struct.pack('>2H', 1, 1)\n"
    code += "s.sendto(question, ('127.0.0.1', 53))\ns.sendto(question, ('127.0.0.1', 54))"
    inside.run(code)
    events = list(probe.questions.available())
    assert len(events) == 1
    assert bytes(events[0].labels[: events[0].length]) == b"\x03www\x08beespace\x07example"
    name = type(probe).on_packet.__globals__["name"]  # of the example's file
    assert name(events[0]) == "www.beespace.example"


def limiter(probe: Any, inside: Inside) -> None:
    sending = "import socket, time\ns = socket.socket(type=socket.SOCK_DGRAM)\nsent = [0, 0]\nfor part in (0, 1):\n"
    sending += "    for _ in range(150):\n"
    sending += "        try:\n            s.sendto(b'x', ('127.0.0.1', 9))\n            sent[part] += 1\n"
    sending += "        except PermissionError: pass\n"
    sending += "    time.sleep(1.2)\nprint(*sent)"
    first, second = map(int, inside.run(sending).split())
    # What goes out passes once; a timer that rings while they are sent gives more.
    assert 100 <= first < 150 and 100 <= second < 150
    assert probe.dropped.value == 300 - first - second


def no_raw_sockets(probe: Any, inside: Inside) -> None:
    making = "import socket\nsocket.socket(socket.AF_INET, socket.{}, {})\nprint('made')"
    assert inside.run(making.format("SOCK_RAW", 1)) == "PermissionError"
    assert inside.run(making.format("SOCK_DGRAM", 0)) == "made"
    socket.socket(socket.AF_INET, socket.SOCK_RAW, 1).close()  # others may
    assert probe.refused.value == 1


def shortcut(probe: Any, inside: Inside) -> None:
    code = "import socket\nserver = socket.create_server(('127.0.0.1', 0))\n"
    code += "client = socket.create_connection(server.getsockname())\nother = server.accept()[0]\ntext = b''\n"
    code += "for number in range(20):\n    client.send(b'%d ' % number)\n"
    code += "while len(text) < 50: text += other.recv(100)\nother.send(b'thanks')\n"
    code += "print(text.decode() + client.recv(9).decode())"
    assert inside.run(code) == " ".join(map(str, range(20))) + " thanks"
    assert probe.messages.value == 21


def talkers(probe: Any, inside: Inside) -> None:
    code = "import socket\ns = socket.socket(type=socket.SOCK_DGRAM)\n"
    code += (
        "for number in range(1, 6):\n    for _ in range(10): s.sendto(b'x' * 100 * number, (f'127.0.0.{number}', 9))"
    )
    inside.run(code)
    top = [(entry.key, entry.count) for entry in probe.bytes.top()]
    assert top == [(f"127.0.0.{number}", 10 * (28 + 100 * number)) for number in (5, 4, 3, 2, 1)]


def no_binding(probe: Any, inside: Inside) -> None:
    binding = "import socket\ns = socket.socket(socket.{})\ns.bind(({!r}, {}))\nprint('bound')"
    assert inside.run(binding.format("AF_INET", "127.0.0.1", 81)) == "PermissionError"
    assert inside.run(binding.format("AF_INET6", "::1", 81)) == "PermissionError"
    assert probe.refused.value == 2
    assert inside.run(binding.format("AF_INET", "127.0.0.1", 0)) == "bound"
    assert probe.refused.value == 2


def services(probe: Any, inside: Inside) -> None:
    service = type(probe).services.key
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        probe.services[service(address=0x0AFFFE01, port=80)] = service(address=0x7F000001, port=port)
        connecting = "import socket\ns = socket.create_connection(('10.255.254.1', 80), 5)\nprint(s.getpeername())"
        assert inside.run(connecting) == "('10.255.254.1', 80)"
        server.accept()[0].close()


def sysctls(probe: Any, inside: Inside) -> None:
    name = "/proc/sys/kernel/ostype"
    assert inside.run(f"print(open({name!r}).read())") == "Linux"
    assert inside.run("f = open('/proc/sys/net/ipv4/ip_default_ttl', 'r+')\nf.write('64')\nf.flush()") == (
        "PermissionError"
    )
    accesses = [(event.name, event.write) for event in probe.accesses.available()]
    assert ("kernel/ostype", False) in accesses
    assert ("net/ipv4/ip_default_ttl", True) in accesses


def sockets(probe: Any, inside: Inside) -> None:
    with socket.create_server(("127.0.0.1", 0)):
        probe.iterate("on_socket")
        listening = 10
        assert probe.states[listening] >= 1


CGROUPS: dict[str, Callable[[Any, Inside], None]] = {
    check.__name__: check
    for check in (
        devices,
        dns,
        exec_guard,
        limiter,
        no_binding,
        no_raw_sockets,
        round_trips,
        secret,
        services,
        shortcut,
        sockets,
        sysctls,
        talkers,
    )
}


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
        assert seen == [b"to 53", b"to 53"] or seen == [b"to 53\0", b"to 53\0"]


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


WIRES: dict[str, Callable[[Any, Wire], None]] = {
    check.__name__: check for check in (bounce, capture, dissector, firewall, marks, no_ping, steering)
}

FILES = sorted([*(EXAMPLES / "network").glob("*.py"), *(EXAMPLES / "policies").glob("*.py")])


@pytest.mark.parametrize("file", [file for file in FILES if file.stem not in WIRES], ids=lambda file: file.stem)
@pytest.mark.usefixtures("no_leaks")
def test_at_a_cgroup(file: Path, cgroup: Path) -> None:
    assert file.stem in CGROUPS, f"{file.name} has no test: add what it should do to CGROUPS or WIRES"
    program: Any = program_of(file)
    needs_cgroup = any(resolve(section).hook.link == "cgroup" for section in program.declaration().sections.values())
    with program().start(**({"cgroup": cgroup} if needs_cgroup else {})) as probe:
        CGROUPS[file.stem](probe, Inside(cgroup))


@pytest.mark.parametrize("name", sorted(WIRES))
def test_at_an_interface(name: str, wire: Wire) -> None:
    program: Any = program_of(EXAMPLES / "network" / f"{name}.py")
    side = wire.left if name == "marks" else wire.right
    where: dict[str, object] = {"netns": side.netns, "interface": side.interface}
    if name == "bounce":
        where["mode"] = "generic"  # veth sends back only to a peer that has an XDP program, too
    if name in ("dissector", "no_ping", "steering"):
        del where["interface"]
    with contextlib.ExitStack() as running:
        with compiled_since("6.4" if name == "no_ping" else None):  # netfilter programs
            probe = running.enter_context(program().start(**({} if name == "capture" else where)))
        WIRES[name](probe, wire)
