"""Examples that attach to a cgroup: each runs at a cgroup of the test's own, and what happens in it is checked."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from beespace.session.files import program_of

pytestmark = pytest.mark.kernel

EXAMPLES = Path(__file__).parent.parent.parent / "examples"


@pytest.fixture(autouse=True)
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiled objects go where the test can throw them away."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


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
            [sys.executable, "-c", joining + catching], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


def devices(probe: Any, inside: Inside) -> None:
    assert inside.run("print(open('/dev/zero', 'rb').read(2))") == r"b'\x00\x00'"
    assert inside.run("open('/dev/ptmx', 'rb')") == "PermissionError"
    assert probe.refused.value >= 1


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
    accesses = list(probe.accesses.available())
    assert {event.write for event in accesses} == {False, True}
    assert {event.comm for event in accesses} == {Path(sys.executable).name}


def sockets(probe: Any, inside: Inside) -> None:
    with socket.create_server(("127.0.0.1", 0)):
        probe.iterate("on_socket")
        listening = 10
        assert probe.states[listening] >= 1


CHECKS: dict[str, Callable[[Any, Inside], None]] = {
    check.__name__: check for check in (devices, no_binding, services, sysctls, sockets)
}

FILES = sorted([*(EXAMPLES / "network").glob("*.py"), *(EXAMPLES / "policies").glob("*.py")])


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
@pytest.mark.usefixtures("no_leaks")
def test_example(file: Path, cgroup: Path) -> None:
    assert file.stem in CHECKS, f"{file.name} has no test: add what it should do to CHECKS"
    program: Any = program_of(file)
    needs_cgroup = any("cgroup" in section for section in program.declaration().sections.values())
    with program().start(**({"cgroup": cgroup} if needs_cgroup else {})) as probe:
        CHECKS[file.stem](probe, Inside(cgroup))
