"""Examples of the network and of policies that run at a cgroup of the test's own."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pace import patience
from test_examples_interfaces import WIRES

from beespace.errors import VerifierError
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


def egress(probe: Any, inside: Inside) -> None:
    cgroup = inside.cgroup.stat().st_ino
    probe.allow(cgroup, 0x7F000000, 8, port=7001)
    sending = (
        "import socket\ns = socket.socket(type=socket.SOCK_DGRAM)\ns.sendto(b'x', ('127.0.0.1', {}))\nprint('sent')"
    )
    assert inside.run(sending.format(7001)) == "sent"
    assert inside.run(sending.format(7002)) == "PermissionError"
    refused = [(event.cgroup, event.address, event.port) for event in probe.refused.available()]
    assert refused == [(cgroup, "127.0.0.1", 7002)]
    assert [(bits, rule.packets) for (bits, _), rule in probe.rules.items()] == [(72, 1)]


def header_options(probe: Any, inside: Inside) -> None:
    code = "import socket\nserver = socket.create_server(('127.0.0.1', 0))\n"
    code += "client = socket.create_connection(server.getsockname())\nother = server.accept()[0]\n"
    code += "for _ in range(5):\n    client.send(b'x')\n    other.recv(1)\n    other.send(b'y')\n    client.recv(1)\n"
    code += "print('done')"
    assert inside.run(code) == "done"
    assert probe.written.value >= 10
    assert list(probe.heard) == [7]
    assert probe.heard[7] >= 10


def options(probe: Any, inside: Inside) -> None:
    code = "import socket\ns = socket.socket()\ns.setsockopt(0, 1, 4)\nprint(s.getsockopt(0, 1))\n"
    code += "s.setsockopt(0xBEE, 1, b'*')\nprint(s.getsockopt(0xBEE, 1, 1))\ns.setsockopt(1, 36, 7)"
    assert inside.run(code).split() == ["40", "b'*'", "PermissionError"]
    assert probe.refused.value == 1


def request_latency(probe: Any, inside: Inside) -> None:
    def serve(server: socket.socket) -> None:
        with server.accept()[0] as connection:
            for _ in range(5):
                connection.recv(100)
                time.sleep(0.02)
                connection.send(b"answer")
            connection.recv(1)

    with socket.create_server(("127.0.0.1", 0)) as server:
        answering = threading.Thread(target=serve, args=(server,))
        answering.start()
        code = f"import socket\ns = socket.create_connection({server.getsockname()!r})\n"
        code += "for _ in range(5):\n    s.send(b'question')\n    s.recv(100)\nprint('done')"
        assert inside.run(code) == "done"
        answering.join()
        ((port, latency),) = probe.latency.items()
        assert (port, latency.total) == (server.getsockname()[1], 5)
    assert latency.mean >= 20_000  # us


def writes(probe: Any, inside: Inside) -> None:
    with tempfile.TemporaryDirectory(prefix="beespace-test-") as folder:
        name = Path(folder) / "honey"
        name.write_text("sweet")
        with type(probe)(prefix=f"{folder}/", deny=True) as guard:
            assert name.read_text() == "sweet"
            with pytest.raises(PermissionError):
                name.write_text("sour")
            (event,) = guard.writes.available()
        assert name.read_text() == "sweet"
    assert (event.pid, event.path) == (os.getpid(), str(name))
    assert event.executable in (str(Path("/proc/self/exe").readlink()), "")  # "" before Linux 6.12


CGROUPS: dict[str, Callable[[Any, Inside], None]] = {
    check.__name__: check
    for check in (
        devices,
        dns,
        egress,
        exec_guard,
        header_options,
        limiter,
        no_binding,
        no_raw_sockets,
        options,
        request_latency,
        round_trips,
        secret,
        services,
        shortcut,
        sockets,
        sysctls,
        talkers,
        writes,
    )
}

FILES = sorted([*(EXAMPLES / "network").glob("*.py"), *(EXAMPLES / "policies").glob("*.py")])


@pytest.mark.parametrize("file", [file for file in FILES if file.stem not in WIRES], ids=lambda file: file.stem)
@pytest.mark.usefixtures("no_leaks")
def test_at_a_cgroup(file: Path, cgroup: Path) -> None:
    assert file.stem in CGROUPS, f"{file.name} has no test: add what it should do to CGROUPS or WIRES"
    program: Any = program_of(file)
    needs_cgroup = any(resolve(section).hook.link == "cgroup" for section in program.declaration().sections.values())
    with contextlib.ExitStack() as running:
        try:
            probe = running.enter_context(program().start(**({"cgroup": cgroup} if needs_cgroup else {})))
        except VerifierError as error:
            if "helper call is not allowed in probe" not in error.log:
                raise
            pytest.skip("bpf_d_path() is not for security programs here (Linux 5.11, 6f100640ca5b)")
        CGROUPS[file.stem](probe, Inside(cgroup))
