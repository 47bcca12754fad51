"""Programs of cgroups, written in Python: socket options, sysctls, devices, bind and connect."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from beespace.lang import (
    Counter,
    Event,
    Global,
    Hash,
    Program,
    Ring,
    Struct,
    bpf,
    cgroup_device,
    cgroup_skb,
    cgroup_sock,
    cgroup_sock_addr,
    cgroup_sockopt,
    cgroup_sysctl,
)
from beespace.lang.verdicts import CGROUP_ALLOW, CGROUP_DENY
from beespace.types import i32, u16, u32, u64

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("no_leaks", "own_cache")]


def in_cgroup(cgroup: Path, action: Callable[[], object]) -> int:
    """The exit status of ``action`` in a process of the cgroup: what it returns, or the error number."""
    child = os.fork()
    if child == 0:
        status = 255
        try:
            (cgroup / "cgroup.procs").write_text(str(os.getpid()))
            status = int(bool(action()))
        except OSError as error:
            status = error.errno or 254
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


class Word(Struct):
    value: u32


class Option(Event):
    level: i32
    name: i32
    length: i32
    value: u32


class Options(Program):
    """Socket options: one is refused, one is answered with another number."""

    asked = Ring(Option)

    @cgroup_sockopt("set")
    def on_set(self, ctx):
        word = bpf.packet(ctx, Word, 0)
        if word is None:
            return CGROUP_ALLOW
        self.asked.emit(Option(level=ctx.level, name=ctx.optname, length=ctx.optlen, value=word.value))
        return CGROUP_DENY if ctx.level == 1 and word.value == 4321 else CGROUP_ALLOW

    @cgroup_sockopt("get")
    def on_get(self, ctx):
        word = bpf.packet(ctx, Word, 0)
        if word is not None and ctx.level == 1 and ctx.optname == 12:
            word.value = 77
            ctx.retval = 0


def test_socket_options(cgroup: Path) -> None:
    def refused() -> None:
        with socket.socket() as made:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY, 4321)

    def answered() -> bool:
        with socket.socket() as made:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY, 3)
            return made.getsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY) == 77

    with Options().start(cgroup=cgroup) as probe:
        assert in_cgroup(cgroup, refused) == 1  # EPERM
        assert in_cgroup(cgroup, answered) == 1
        seen = [(each.level, each.name, each.length, each.value) for each in probe.asked.events(timeout=0)]
        assert seen == [(1, 12, 4, 4321), (1, 12, 4, 3)]


class Sysctls(Program):
    """Reads are counted, writes refused."""

    reads = Counter()

    @cgroup_sysctl
    def on_sysctl(self, ctx):
        if ctx.write:
            return False
        self.reads += 1
        return True


def test_sysctls(cgroup: Path) -> None:
    name = Path("/proc/sys/net/ipv4/tcp_retries1")

    def once(flags: int, action: Callable[[int], object]) -> object:
        opened = os.open(name, flags)
        try:
            return action(opened)
        finally:
            os.close(opened)

    with Sysctls().start(cgroup=cgroup) as probe:
        assert in_cgroup(cgroup, lambda: once(os.O_RDONLY, lambda file: os.read(file, 100))) == 1
        assert in_cgroup(cgroup, lambda: once(os.O_WRONLY, lambda file: os.write(file, b"3"))) == 1  # EPERM
        assert probe.reads.value == 1


class Devices(Program):
    """No process opens /dev/zero."""

    opened = Hash(key=u32, value=u64)

    @cgroup_device
    def on_device(self, ctx):
        self.opened[ctx.major << 20 | ctx.minor] += 1
        return not (ctx.major == 1 and ctx.minor == 5)


def test_devices(cgroup: Path) -> None:
    def read(path: str) -> bytes:
        with Path(path).open("rb", buffering=0) as file:
            return file.read(1) or b"end"

    with Devices().start(cgroup=cgroup) as probe:
        assert in_cgroup(cgroup, lambda: read("/dev/null")) == 1
        assert in_cgroup(cgroup, lambda: read("/dev/zero")) == 1  # EPERM
        opened = dict(probe.opened.items())
        assert opened[1 << 20 | 3] >= 1 and opened[1 << 20 | 5] == 1


class Redirect(Program):
    """Connections to one port go to another; sockets get a mark."""

    to: u16 = 0
    made = Counter()

    @cgroup_sock("create")
    def on_create(self, ctx):
        ctx.mark = 0x77
        ctx.priority = 4
        if ctx.family == 2 and ctx.type == 1:
            self.made += 1

    @cgroup_sock_addr("connect4")
    def on_connect(self, ctx):
        if ctx.user_port == 9:
            ctx.user_port = self.to
            ctx.user_ip4 = 0x7F000001


class Redirect6(Program):
    """The same of IPv6: an address is an array of four numbers."""

    to: u16 = 0

    @cgroup_sock_addr("connect6")
    def on_connect(self, ctx):
        if ctx.user_ip6[0] == 0xFD960000:
            ctx.user_ip6[0] = 0
            ctx.user_ip6[1], ctx.user_ip6[2] = 0, 0
            ctx.user_ip6[3] -= 15
            ctx.user_port = self.to

    @cgroup_sock_addr("sendmsg6")
    def on_send(self, ctx):
        ctx.user_ip6[3] = 1
        ctx.msg_src_ip6[0] = 0
        ctx.msg_src_ip6[1] = 0
        ctx.msg_src_ip6[2] = 0
        ctx.msg_src_ip6[3] = 1


def address_words(text: str) -> list[int]:
    """An address as the kernel has it in struct bpf_sock_addr."""
    return list(struct.unpack("=4I", socket.inet_pton(socket.AF_INET6, text)))


def test_addresses_of_four_numbers(cgroup: Path) -> None:
    with (
        socket.create_server(("::1", 0), family=socket.AF_INET6) as server,
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as datagrams,
    ):
        port = server.getsockname()[1]
        datagrams.bind(("::1", 0))
        to = datagrams.getsockname()[1]

        def connect() -> bool:
            with socket.socket(socket.AF_INET6) as made, socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sender:
                made.connect(("fd96::10", 9))
                sender.sendto(b"moved", ("::2", to))
                return made.getpeername()[:2] == ("::1", port)

        with Redirect6(to=port).start(cgroup=cgroup):
            assert in_cgroup(cgroup, connect) == 1
            server.accept()[0].close()
            said, sender = datagrams.recvfrom(16)
            assert (said, sender[0]) == (b"moved", "::1")
        with Redirect6(to=port).simulate() as machine:
            given = {"user_ip6": address_words("fd96::10"), "user_port": socket.htons(9)}
            found = machine.test_run("on_connect", context=given).context
            assert list(found.user_ip6) == address_words("::1") and found.user_port == socket.htons(port)
            given["user_ip6"] = address_words("fd97::10")
            found = machine.test_run("on_connect", context=given).context
            assert list(found.user_ip6) == address_words("fd97::10") and found.user_port == socket.htons(9)


class Notes(Program):
    """Five numbers of a packet that programs may use."""

    seen = Global(u32)

    @cgroup_skb("egress")
    def on_packet(self, ctx):
        ctx.cb[0] = 0xFFFFFFFF
        ctx.cb[4] = 5
        ctx.cb[4] *= ctx.cb[0] & 7
        self.seen.value = ctx.cb[4] + ctx.cb[1]


def test_elements_of_a_packets_own_numbers() -> None:
    packet = bytes.fromhex("00" * 12 + "0800" + "45") + bytes(60)
    loaded = Notes()
    loaded.load()
    for probe in (loaded, Notes().simulate()):
        with probe:
            found = probe.test_run("on_packet", packet, context={"cb": [0, 7, 0, 0, 0]})
            assert probe.seen.value == 42 and list(found.context.cb) == [0xFFFFFFFF, 7, 0, 0, 35]


def test_connect_and_create(cgroup: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def connect() -> bool:
            with socket.socket() as made:
                marked = made.getsockopt(socket.SOL_SOCKET, socket.SO_MARK) == 0x77
                made.connect(("127.9.9.9", 9))
                made.send(struct.pack("=H", made.getsockname()[1]))
                return marked and made.getsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY) == 4

        with Redirect(to=port).start(cgroup=cgroup) as probe:
            assert in_cgroup(cgroup, connect) == 1
            accepted, peer = server.accept()
            with accepted:
                assert struct.unpack("=H", accepted.recv(2)) == (peer[1],)
            assert probe.made.value == 1
