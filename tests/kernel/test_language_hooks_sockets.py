"""Programs of sockets, written in Python: lookups, messages, streams, groups, turning points of connections."""

from __future__ import annotations

import os
import socket
import struct
from pathlib import Path

import pytest
from pace import patience

from beespace.lang import (
    Counter,
    Event,
    Hash,
    Program,
    Ring,
    SockMap,
    Struct,
    bpf,
    sk_lookup,
    sk_msg,
    sk_reuseport,
    sk_skb,
    sockops,
)
from beespace.lang.verdicts import SK_DROP, SK_PASS
from beespace.types import Address, Port, u8, u32, u64

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("no_leaks", "own_cache")]


class Lookup(Program):
    """Hides one port."""

    hidden: Port = 0
    seen = Hash(key=Port, value=u64)

    @sk_lookup
    def on_packet(self, ctx):
        self.seen[Port(ctx.local_port)] += 1
        return SK_DROP if ctx.local_port == self.hidden and ctx.remote_ip4 == 0x7F000001 else SK_PASS


def test_sk_lookup() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with Lookup(hidden=port).start() as probe:
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port), timeout=patience(5))
            assert probe.seen[port] >= 1
        with socket.create_connection(("127.0.0.1", port), timeout=patience(5)):
            pass


class Group(Program):
    """Drops datagrams of odd length that a group of sockets would get."""

    lengths = Hash(key=u32, value=u64)

    @sk_reuseport
    def choose(self, ctx):
        self.lengths[ctx.len] += 1
        if ctx.ip_protocol == 17 and ctx.eth_protocol == 0x0800 and ctx.len % 2 == 1:
            return SK_DROP
        return SK_PASS


def test_sk_reuseport() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
        Group().load() as probe,
    ):
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(patience(20))
        probe.attach("choose", socket=receiver)
        for payload in (b"abc", b"abcd", b"12345", b"123456"):
            sender.sendto(payload, receiver.getsockname())
        assert [receiver.recv(100) for _ in range(2)] == [b"abcd", b"123456"]
        assert sum(count for _, count in probe.lengths.items()) == 4


class Turn(Event):
    operation: u32
    family: u32
    local: u32
    remote: u32
    peer: Address


class Turns(Program):
    """What becomes of the connections of one cgroup's processes."""

    turns = Ring(Turn)
    timeouts = Counter()

    @sockops
    def on_turn(self, ctx):
        if ctx.op == 4 or ctx.op == 5:
            self.turns.emit(
                Turn(operation=ctx.op, family=ctx.family, local=ctx.local_port, remote=ctx.remote_port,
                     peer=bpf.v4(ctx.remote_ip4))
            )  # fmt: skip
        if ctx.op == 1:
            self.timeouts += 1
            ctx.reply = 500


def test_sockops(cgroup: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, Turns().start(cgroup=cgroup) as probe:
        child = os.fork()
        if child == 0:
            try:
                (cgroup / "cgroup.procs").write_text(str(os.getpid()))
                with socket.create_connection(server.getsockname()) as made:
                    made.send(struct.pack("=H", made.getsockname()[1]))
            finally:
                os._exit(0)
        accepted, peer = server.accept()
        with accepted:
            assert struct.unpack("=H", accepted.recv(2)) == (peer[1],)
        os.waitpid(child, 0)
        (turn,) = list(probe.turns.events(timeout=0))
        assert (turn.operation, turn.family) == (4, socket.AF_INET)
        assert (turn.local, turn.remote) == (peer[1], server.getsockname()[1])
        assert str(turn.peer).endswith("127.0.0.1")
        assert probe.timeouts.value >= 1


class First(Struct):
    byte: u8
    second: u8


class Streams(Program):
    """What two sockets send and receive: one message is changed, one is dropped."""

    sockets = SockMap(4)
    sent = Counter()
    received = Counter()
    ports = Hash(key=Port, value=u64)

    @sk_msg(map="sockets")
    def outgoing(self, ctx):
        self.sent += u64(bpf.packet_length(ctx))
        self.ports[Port(ctx.remote_port)] += 1
        first = bpf.packet(ctx, First, 0)
        if first is None:
            return SK_PASS
        if first.byte == 0x78:
            return SK_DROP
        first.second = 0x21
        return SK_PASS

    @sk_skb("verdict", map="sockets")
    def incoming(self, ctx):
        self.received += u64(ctx.len)
        return SK_PASS


def test_messages_and_streams() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, Streams().start() as probe:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
            accepted, _ = server.accept()
            with accepted:
                accepted.settimeout(20)
                probe.sockets[0] = client
                client.send(b"abc")
                assert accepted.recv(10) == b"a!c"
                with pytest.raises(PermissionError):
                    client.send(b"xyz")
                assert probe.sent.value == 6
                assert dict(probe.ports.items()) == {port: 2}
                accepted.send(b"answer")
                assert client.recv(10) == b"answer"
                assert probe.received.value == 6
        assert {link.section for link in probe.links} == {"sk_msg", "sk_skb/verdict"}
