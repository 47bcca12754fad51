"""Classes that implement an interface of the kernel, used by it."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pace import patience

from beespace import Counter, Program, cgroup_skb
from beespace.btf.kinds import Kind
from beespace.errors import NotSupported, RelocationError, UsageError
from beespace.kernel.kernel_types import kernel_types
from beespace.lang import Global, StructOps, struct_ops
from beespace.session.files import program_of
from beespace.types import u32

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("no_leaks")]

ROOT = Path(__file__).parent.parent.parent
CONTROLS = Path("/proc/sys/net/ipv4/tcp_available_congestion_control")


@pytest.fixture(autouse=True)
def interface(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with kernel_types() as kernel:
        if kernel.find("bpf_struct_ops_tcp_congestion_ops", Kind.STRUCT) is None:
            pytest.skip("this kernel has no congestion controls of BPF programs")


@pytest.fixture
def reno() -> Iterator[Any]:
    program: Any = program_of(ROOT / "examples" / "reno.py")
    try:
        with program(least=3) as running:
            yield running
    except NotSupported as error:
        pytest.skip(str(error))


def send(control: str, size: int) -> int:
    """Bytes that arrive over a connection which uses that congestion control."""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, control.encode())
        client.connect(server.getsockname())
        used = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16)
        assert used.rstrip(b"\0").decode() == control
        accepted, _ = server.accept()

        def push() -> None:
            client.sendall(bytes(size))
            client.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=push)
        sender.start()
        received = 0
        with accepted:
            while part := accepted.recv(1 << 16):
                received += len(part)
        sender.join()
        return received


def test_a_connection_uses_it(reno: Any) -> None:
    assert "bee_reno" in CONTROLS.read_text().split()
    assert send("bee_reno", 4_000_000) == 4_000_000
    assert reno.connections.value == 1


class Loss(Program):
    """Loses one packet in 13 of what a cgroup's sockets receive: an odd number, so that it is not always an answer."""

    received = Global(u32)

    @cgroup_skb("ingress")
    def on_packet(self, ctx):  # type: ignore[no-untyped-def]
        self.received.value += 1
        return self.received.value % 13 != 0


def test_losses_reach_it(reno: Any, cgroup: Path) -> None:
    """The connection is one of a process in a cgroup of its own, so that nobody else loses packets."""
    script = "import sys; sys.path.insert(0, sys.argv[1]); from test_struct_ops_class import send; sys.stdin.read(1);"
    script += "print(send('bee_reno', 4_000_000))"
    command = [sys.executable, "-c", script, str(Path(__file__).parent)]
    with Loss().start(cgroup=cgroup):
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        (cgroup / "cgroup.procs").write_text(str(child.pid))
        out, _ = child.communicate("x", timeout=patience(120))
    assert out == "4000000\n"
    assert reno.losses.value > 0


def test_it_is_gone_with_the_instance(reno: Any) -> None:
    reno.close()
    assert "bee_reno" not in CONTROLS.read_text().split()


def test_inheritance() -> None:
    class Base(StructOps, implements="tcp_congestion_ops"):
        name = "bee_base"
        asked = Counter()
        least: u32 = 2

        @struct_ops
        def ssthresh(self, sk):  # type: ignore[no-untyped-def]
            self.asked += 1
            return self.least

        @struct_ops
        def cong_avoid(self, sk, ack, acked):  # type: ignore[no-untyped-def]
            sk.snd_cwnd = max(self.least, 10)

        @struct_ops
        def undo_cwnd(self, sk):  # type: ignore[no-untyped-def]
            return sk.snd_cwnd

    class Other(Base):
        name = "bee_other"

    with Base(), Other():
        assert {"bee_base", "bee_other"} <= set(CONTROLS.read_text().split())
        assert send("bee_other", 100_000) == 100_000


def test_an_interface_that_no_kernel_has() -> None:
    class Probe(StructOps, implements="tcp_congestion_op"):
        @struct_ops
        def ssthresh(self, sk):  # type: ignore[no-untyped-def]
            return 2

    with pytest.raises(UsageError, match=r"tcp_congestion_op.*is no interface") as caught:
        Probe().start()
    assert "did you mean tcp_congestion_ops?" in str(caught.value)


def test_a_class_that_does_not_say_what_it_implements() -> None:
    class Probe(StructOps):
        @struct_ops
        def ssthresh(self, sk):  # type: ignore[no-untyped-def]
            return 2

    with pytest.raises(UsageError, match="does not say which interface it implements"):
        Probe()


def test_the_object_is_libbpfs(tmp_path: Path) -> None:
    """bpftool registers what was built, and the kernel has it until the link goes."""
    bpftool = shutil.which("bpftool") or shutil.which("bpftool", path="/usr/sbin:/sbin")
    if bpftool is None:
        pytest.skip("bpftool is not installed")
    program = program_of(ROOT / "examples" / "reno.py")
    target = program.build(tmp_path / "reno.bpf.o")
    if "LINK_DIR" not in subprocess.run([bpftool, "struct_ops", "help"], capture_output=True, text=True).stderr:
        pytest.skip("this bpftool knows no links of interfaces")
    (tmp_path / "bpffs").mkdir()
    script = """
set -e
mount -t bpf none "$2"
mkdir "$2/links"
"$0" struct_ops register "$1" "$2/links" >&2
cat /proc/sys/net/ipv4/tcp_available_congestion_control
"""
    command = ["unshare", "-m", "sh", "-c", script, bpftool, target, tmp_path / "bpffs"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "bee_reno" in done.stdout.split()
    assert "bee_reno" not in CONTROLS.read_text().split()


def test_it_says_which_kernel_lacks_a_member(monkeypatch: pytest.MonkeyPatch) -> None:
    from beespace.kernel import load
    from beespace.record import replace

    data = program_of(ROOT / "examples" / "reno.py").spec()
    assert set(data.struct_ops["Reno"].programs.values()) == {"init", "ssthresh", "cong_avoid", "undo_cwnd"}
    broken = replace(data, btf=data.btf.replace(b"\0undo_cwnd\0", b"\0undo_cwmd\0"))
    with pytest.raises(RelocationError, match=r"undo_cwmd is set, but struct tcp_congestion_ops of this kernel"):
        load(broken)
