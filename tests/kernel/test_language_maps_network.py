"""Maps that packets and sockets are sent to, and storages: the kernel side writes or sends, user space looks."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from beespace.errors import NotSupported
from beespace.lang import (
    Array,
    CgroupArray,
    CgroupStorage,
    Counter,
    CpuMap,
    DevHash,
    DevMap,
    Program,
    ReuseportArray,
    SockHash,
    SockMap,
    Struct,
    TaskStorage,
    XskMap,
    bpf,
    btf_tracepoint,
    sk_lookup,
    sk_msg,
    sk_reuseport,
    sk_skb,
    sockops,
    tc,
    xdp,
)
from beespace.types import u32, u64

pytestmark = pytest.mark.kernel

XDP_ABORTED, XDP_DROP, XDP_PASS, XDP_TX, XDP_REDIRECT = range(5)
SK_PASS = 1


class Redirects(Program):
    key = Array(u32, 1)
    ports = DevMap(4)
    named = DevHash(4)
    cpus = CpuMap(4)
    queues = XskMap(4)

    @xdp
    def to_port(self, ctx):
        return self.ports.redirect(self.key[0], XDP_PASS)

    @xdp
    def to_named(self, ctx):
        return self.named.redirect(self.key[0], otherwise=XDP_DROP)

    @xdp
    def to_cpu(self, ctx):
        return self.cpus.redirect(self.key[0])

    @xdp
    def to_queue(self, ctx):
        return self.queues.redirect(self.key[0], XDP_TX)

    @xdp
    def to_all(self, ctx):
        return self.ports.broadcast(exclude_ingress=True)


def test_redirections(no_leaks: None) -> None:
    with Redirects().load() as probe:
        packet = bytes(64)

        def run(method: str, key: int) -> int:
            probe.key[0] = key
            return probe.test_run(method, packet).retval

        assert run("to_port", 1) == XDP_PASS
        probe.ports[1] = "lo"
        assert run("to_port", 1) == XDP_REDIRECT
        assert run("to_port", 99) == XDP_PASS
        assert dict(probe.ports.items())[1].ifindex == 1
        assert probe.ports.plain() == [[1, [1, 0]]]
        to_all = run("to_all", 0)
        del probe.ports[1]
        assert run("to_port", 1) == XDP_PASS
        probe.named[7000] = 1
        assert run("to_named", 7000) == XDP_REDIRECT
        assert run("to_named", 1) == XDP_DROP
        probe.cpus[0] = 64
        assert run("to_cpu", 0) == XDP_REDIRECT
        assert run("to_cpu", 1) == XDP_ABORTED
        assert run("to_queue", 0) == XDP_TX
        if to_all == XDP_ABORTED:
            pytest.skip("a packet is not sent to all ports of a device map (Linux 5.13, e624d4ed4aa8)")
        assert to_all == XDP_REDIRECT


def connected() -> tuple[socket.socket, socket.socket]:
    """Both ends of a TCP connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        other, _ = server.accept()
    for end in (client, other):
        end.settimeout(20)
    return client, other


class Splice(Program):
    sockets = SockMap(2)

    @sk_msg(map="sockets")
    def on_message(self, ctx):
        return self.sockets.redirect(ctx, 1, ingress=True)


def test_messages_go_to_another_socket(no_leaks: None) -> None:
    first, second = connected(), connected()
    try:
        with Splice() as probe:
            probe.sockets[0] = first[0]
            probe.sockets[1] = second[0]
            cookie = int.from_bytes(first[0].getsockopt(socket.SOL_SOCKET, 57, 8), sys.byteorder)  # SO_COOKIE
            assert probe.sockets[0] == cookie
            first[0].sendall(b"redirected")
            assert second[0].recv(100) == b"redirected"
            del probe.sockets[0]
            with pytest.raises(KeyError):
                probe.sockets[0]
    finally:
        for end in (*first, *second):
            end.close()


class Echo(Program):
    sockets = SockMap(2)
    which = Array(u32, 1)

    @sk_skb("verdict", map="sockets")
    def on_data(self, ctx):
        return self.sockets.redirect(ctx, self.which[0])


def test_received_data_goes_out_of_another_socket(no_leaks: None) -> None:
    first, second = connected(), connected()
    try:
        with Echo() as probe:
            probe.which[0] = 1
            probe.sockets[0] = first[1]
            probe.sockets[1] = second[1]
            first[0].sendall(b"through")
            assert second[0].recv(100) == b"through"
    finally:
        for end in (*first, *second):
            end.close()


class Membership(Program):
    cgroups = CgroupArray(2)
    inside = Counter()
    outside = Counter()

    @tc("egress")
    def on_packet(self, ctx):
        if self.cgroups.packet_in(ctx, 0):
            self.inside += 1
        else:
            self.outside += 1
        return -1


_SEND = """
import socket, sys
sys.stdin.readline()
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
    for _ in range(7):
        sender.sendto(bytes(10), ("10.77.0.2", 7000))
print(flush=True)
"""


def test_packets_of_a_cgroup(cgroup: Path, wire) -> None:
    enter = ["nsenter", f"--net=/proc/{wire.left.netns}/ns/net", "--", sys.executable, "-c", _SEND]
    child = subprocess.Popen(enter, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdin is not None and child.stdout is not None
    try:
        (cgroup / "cgroup.procs").write_text(str(child.pid))
        probe = wire.left.inside(lambda: Membership().start(interface=wire.left.interface))
        with probe:
            probe.cgroups[0] = cgroup
            wire.send(3)
            child.stdin.write("\n")
            child.stdin.flush()
            child.stdout.readline()
            assert (probe.inside.value, probe.outside.value) == (7, 3)
    finally:
        child.communicate("\n")


class Bounce(Program):
    ports = DevMap(2)
    seen = Counter()

    @xdp(mode="generic")
    def on_packet(self, ctx):
        self.seen += 1
        return self.ports.redirect(0, XDP_DROP)


def test_packets_are_sent_back(wire) -> None:
    probe = wire.right.inside(lambda: Bounce().start(interface=wire.right.interface))
    with probe:
        wire.right.inside(lambda: probe.ports.__setitem__(0, wire.right.interface))
        before = wire.left.statistics()["rx_packets"]
        wire.send(5)
        deadline = time.monotonic() + 10
        while wire.left.statistics()["rx_packets"] - before < 5 and time.monotonic() < deadline:
            pass
        seen = probe.seen.value  # the kernel may send packets of its own, which come back as well
        assert seen >= 5
        assert wire.left.statistics()["rx_packets"] - before >= seen


class Collect(Program):
    by_port = SockHash(u32)
    added = Array(u64, 1)

    @sockops
    def on_event(self, ctx):
        if ctx.op == 4:  # BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB
            self.added[0] += u64(self.by_port.add(ctx, ctx.local_port))


_CONNECT = """
import socket, sys
sys.stdin.readline()
with socket.create_server(("127.0.0.1", 0)) as server:
    client = socket.create_connection(server.getsockname())
    cookie = client.getsockopt(socket.SOL_SOCKET, 57, 8)
    print(client.getsockname()[1], int.from_bytes(cookie, sys.byteorder), flush=True)
    sys.stdin.readline()
"""


def test_sockets_of_connections_are_collected(cgroup: Path, no_leaks: None) -> None:
    child = subprocess.Popen([sys.executable, "-c", _CONNECT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdin is not None and child.stdout is not None
    try:
        (cgroup / "cgroup.procs").write_text(str(child.pid))
        with Collect().start(cgroup=cgroup) as probe:
            child.stdin.write("\n")
            child.stdin.flush()
            port, cookie = map(int, child.stdout.readline().split())
            assert probe.added[0] == 1
            assert probe.by_port[port] == cookie
            assert list(probe.by_port) == [port]
    finally:
        child.communicate("\n")


class Steer(Program):
    sockets = SockMap(1)

    @sk_lookup
    def look(self, ctx):
        if ctx.local_port == 7777:
            self.sockets.assign(ctx, 0)
        return SK_PASS


def test_connections_are_given_to_a_socket(wire) -> None:
    server = wire.right.socket(socket.SOCK_STREAM, 7000)
    server.listen()
    netns = f"/proc/{wire.right.netns}/ns/net"
    with server, Steer().start(netns=netns) as probe:
        probe.sockets[0] = server
        with wire.left.socket(socket.SOCK_STREAM) as client:
            client.connect((wire.right.address, 7777))
            accepted, _ = server.accept()
            with accepted:
                assert accepted.getsockname() == (wire.right.address, 7777)


class Choose(Program):
    group = ReuseportArray(2)
    which = Array(u32, 1)

    @sk_reuseport
    def choose(self, ctx):
        self.group.select(ctx, self.which[0])
        return SK_PASS


def test_the_socket_of_a_group_is_chosen(wire) -> None:
    def bound() -> socket.socket:
        made = wire.right.inside(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        made.bind((wire.right.address, 7100))
        made.settimeout(20)
        return made

    with bound() as first, bound() as second, Choose() as probe:
        probe.group[0], probe.group[1] = first, second
        probe.attach("choose", socket=first)
        with wire.left.socket(socket.SOCK_DGRAM) as sender:
            for which, receiver in ((0, first), (1, second), (1, second), (0, first)):
                probe.which[0] = which
                sender.sendto(bytes([which]), (wire.right.address, 7100))
                assert receiver.recv(10) == bytes([which])


class Seen(Struct):
    count: u64
    last: u64


class Stored(Program):
    pid: u32 = 0
    tasks = TaskStorage(Seen)

    @btf_tracepoint("sys_enter")
    def enter(self, ctx):
        if bpf.pid() == self.pid:
            seen = self.tasks.get_or_create(bpf.task())
            if seen is not None:
                seen.count += 1


def test_storage_of_a_task() -> None:
    with Stored(pid=os.getpid()) as probe:
        os.getppid()
        found = probe.tasks[os.getpid()]
        assert found.count > 0
        probe.tasks[os.getpid()] = Seen(count=1_000_000)
        os.getppid()
        again = probe.tasks.get(os.getpid())
        assert again is not None
        assert again.count > 1_000_000
        child = os.fork()
        if not child:
            signal.pause()
        try:
            assert probe.tasks.get(child) is None
            with pytest.raises(KeyError):
                probe.tasks[child]
        finally:
            os.kill(child, 9)
            os.waitpid(child, 0)


class OfCgroups(Program):
    cgroups = CgroupStorage(Seen)

    @btf_tracepoint("sys_enter")
    def enter(self, ctx):
        seen = self.cgroups.get_or_create(bpf.task().cgroups.dfl_cgrp)
        if seen is not None:
            seen.count += 1


def test_storage_of_a_cgroup(cgroup: Path) -> None:
    child = os.fork()
    if not child:
        while True:
            os.getppid()
    try:
        with OfCgroups() as probe:
            assert probe.cgroups.get(cgroup) is None
            (cgroup / "cgroup.procs").write_text(str(child))
            while (found := probe.cgroups.get(cgroup)) is None or found.count < 100:
                pass
            probe.cgroups[cgroup] = Seen(count=0, last=7)
            assert probe.cgroups[cgroup].last == 7
    except NotSupported as error:
        pytest.skip(str(error))
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)
