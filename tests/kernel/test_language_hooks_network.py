"""Programs of packets, written in Python: XDP, tc, socket filters, netfilter, routes, flow dissectors."""

from __future__ import annotations

import os
import socket
import struct
from typing import Any

import pytest
from pace import patience
from since import compiled_since

from beespace.errors import UsageError
from beespace.kernel import load
from beespace.lang import (
    Counter,
    Global,
    Hash,
    Program,
    bpf,
    flow_dissector,
    freplace,
    lwt_out,
    netfilter,
    netkit,
    socket_filter,
    tc,
    xdp,
)
from beespace.lang.packet import ETH_P_IP, IPPROTO_UDP, UDP, Ethernet, IPv4
from beespace.lang.verdicts import (
    BPF_DROP,
    BPF_OK,
    NETKIT_PASS,
    NF_ACCEPT,
    NF_DROP,
    TC_ACT_OK,
    TC_ACT_SHOT,
    XDP_DROP,
    XDP_PASS,
    XDP_TX,
)
from beespace.types import Port, i32, u16, u32, u64

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("no_leaks", "own_cache")]

PORT = 7000


def datagram(port: int, payload: bytes = b"hello", ttl: int = 64) -> bytes:
    """An Ethernet frame with a UDP datagram from 10.0.0.1 to 10.0.0.2."""
    udp = struct.pack("!HHHH", 1234, port, 8 + len(payload), 0) + payload
    ip = struct.pack(
        "!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, ttl, 17, 0, bytes((10, 0, 0, 1)), bytes((10, 0, 0, 2))
    )
    return bytes(range(6)) + bytes(range(6, 12)) + struct.pack("!H", ETH_P_IP) + ip + udp


class Firewall(Program):
    """Drops datagrams to one port, answers those to another, and counts the rest by port."""

    refused: u16 = 7
    passed = Hash(key=Port, value=u64)
    bytes = Counter()

    @xdp
    def on_packet(self, ctx):
        self.bytes += u64(bpf.packet_length(ctx))
        ethernet = bpf.packet(ctx, Ethernet, 0)
        if ethernet is None or ethernet.ethertype != ETH_P_IP:
            return XDP_PASS
        ip = bpf.packet(ctx, IPv4, 14)
        if ip is None or ip.protocol != IPPROTO_UDP:
            return XDP_PASS
        udp = bpf.packet(ctx, UDP, 14 + u32(ip.version_ihl & 15) * 4)
        if udp is None:
            return XDP_PASS
        if udp.destination == self.refused:
            return XDP_DROP
        if udp.destination == 9:
            ip.ttl -= 1
            destination = udp.destination
            udp.destination = udp.source
            udp.source = destination
            return XDP_TX
        self.passed[udp.destination] += 1
        return XDP_PASS


def test_xdp_by_hand() -> None:
    with Firewall(refused=8).load() as probe:
        assert probe.links == ()
        assert probe.test_run("on_packet", datagram(7)).retval == XDP_PASS
        assert probe.test_run("on_packet", datagram(8)).retval == XDP_DROP
        answer = probe.test_run("on_packet", datagram(9, ttl=64))
        assert answer.retval == XDP_TX
        assert struct.unpack_from("!HH", answer.data, 34) == (9, 1234)
        assert answer.data[22] == 63
        assert probe.test_run("on_packet", bytes(60)).retval == XDP_PASS
        assert dict(probe.passed.items()) == {7: 1}
        assert probe.bytes.value == 3 * len(datagram(7)) + 60


def test_xdp_on_an_interface(wire: Any) -> None:
    with (
        wire.right.socket(socket.SOCK_DGRAM, PORT) as receiver,
        wire.right.socket(socket.SOCK_DGRAM, 7) as refused,
        Firewall().start(interface="right", netns=wire.right.netns) as probe,
    ):
        (link,) = probe.links
        assert "on_packet is attached to xdp (right" in probe.explain()
        wire.send(3, port=7)
        wire.send(2, port=PORT)
        for _ in range(2):
            receiver.recv(100)
        refused.setblocking(False)
        with pytest.raises(BlockingIOError):
            refused.recv(100)
        assert dict(probe.passed.items()) == {PORT: 2}
        link.close()
        wire.send(1, port=7)
        refused.settimeout(patience(20))
        refused.recv(100)


def test_a_keyword_that_no_hook_has_a_use_for() -> None:
    with pytest.raises(UsageError, match="Firewall has no use for 'cgroup'"):
        Firewall().start(cgroup="/somewhere")
    with Firewall().load() as probe, pytest.raises(UsageError, match="on_packet has no use for 'pid'"):
        probe.attach("on_packet", pid=1)
    with pytest.raises(UsageError, match="interface"):
        Firewall().start()


class Shaper(Program):
    """Marks what comes in, changes what leaves."""

    seen = Counter()
    marked = Global(u32)

    @tc("ingress")
    def incoming(self, ctx):
        udp = bpf.packet(ctx, UDP, 34)
        if udp is None or ctx.protocol != ETH_P_IP:
            return TC_ACT_OK
        self.seen += 1
        ctx.mark = ctx.mark | 0x50
        self.marked.value = ctx.mark
        return TC_ACT_SHOT if udp.destination == 7 else TC_ACT_OK

    @tc("egress")
    def outgoing(self, ctx):
        udp = bpf.packet(ctx, UDP, 34)
        if udp is not None and udp.destination == 8:
            udp.destination = 7000
            udp.checksum = 0


def test_tc_on_an_interface(wire: Any) -> None:
    with (
        wire.right.socket(socket.SOCK_DGRAM, PORT) as receiver,
        wire.right.socket(socket.SOCK_DGRAM, 7) as refused,
        Shaper().load() as probe,
    ):
        assert probe.test_run("incoming", datagram(5)).retval == TC_ACT_OK
        assert probe.test_run("incoming", datagram(7), context={"mark": 3}).retval == TC_ACT_SHOT
        assert probe.marked.value == 0x53
        probe.attach("incoming", interface="right", netns=wire.right.netns)
        probe.attach("outgoing", interface="left", netns=wire.left.netns)
        assert len(probe.links) == 2
        before = probe.seen.value
        wire.send(2, port=7)
        wire.send(3, port=8)
        for _ in range(3):
            receiver.recv(100)
        refused.setblocking(False)
        with pytest.raises(BlockingIOError):
            refused.recv(100)
        assert probe.seen.value - before == 5


class Netkit(Program):
    seen = Counter()

    @netkit("primary")
    def outgoing(self, ctx):
        self.seen += 1
        return NETKIT_PASS


def test_netkit_by_hand() -> None:
    with Netkit().load() as probe:
        assert probe.test_run("outgoing", datagram(1)).retval == NETKIT_PASS
        assert probe.seen.value == 1


class Filter(Program):
    """Lets a socket see the first bytes of even datagrams."""

    seen = Counter()

    @socket_filter
    def cut(self, ctx):
        self.seen += 1
        return 8 + 3 if ctx.len % 2 == 0 else 0


def test_socket_filter() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
        Filter().load() as probe,
    ):
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(patience(20))
        probe.attach("cut", socket=receiver)
        for payload in (b"abcd", b"odd", b"efghij"):
            sender.sendto(payload, receiver.getsockname())
        assert [receiver.recv(100) for _ in range(2)] == [b"abc", b"efg"]
        assert probe.seen.value == 3


class Hook(Program):
    """Drops long packets at a hook of netfilter."""

    lengths = Hash(key=u32, value=u64)

    @netfilter("local_in", family="inet")
    def incoming(self, ctx):
        if ctx.state.pf != 2:
            return NF_ACCEPT
        self.lengths[ctx.skb.len] += 1
        return NF_DROP if ctx.skb.len > 500 else NF_ACCEPT


def test_netfilter(wire: Any) -> None:
    with compiled_since("6.4"):
        Hook.build(os.devnull)
    with wire.right.socket(socket.SOCK_DGRAM, PORT) as receiver, Hook().start(netns=wire.right.netns) as probe:
        with wire.left.socket(socket.SOCK_DGRAM) as sender:
            for size in (600, 10, 700, 20):
                sender.sendto(bytes(size), (wire.right.address, PORT))
        assert [len(receiver.recv(1000)) for _ in range(2)] == [10, 20]
        assert dict(probe.lengths.items()) == {628: 1, 38: 1, 728: 1, 48: 1}


class Route(Program):
    seen = Counter()

    @lwt_out()
    def leaving(self, ctx):
        self.seen += 1
        ip = bpf.packet(ctx, IPv4, 0)
        return BPF_DROP if ip is not None and ip.ttl == 7 else BPF_OK


def test_lwt_by_hand() -> None:
    with Route().load() as probe:
        assert probe.test_run("leaving", datagram(1)).retval == BPF_OK
        assert probe.test_run("leaving", datagram(1, ttl=7)).retval == BPF_DROP
        assert probe.seen.value == 2


class Dissector(Program):
    @flow_dissector
    def dissect(self, ctx):
        ip = bpf.packet(ctx, IPv4, 14)
        if ip is None:
            return BPF_DROP
        ctx.flow_keys.thoff = 34
        ctx.flow_keys.ip_proto = ip.protocol
        ctx.flow_keys.addr_proto = 0x0800
        ctx.flow_keys.dport = 4321
        return BPF_OK


def test_flow_dissector_by_hand() -> None:
    with Dissector().load() as probe:
        run = probe.test_run("dissect", datagram(1))
        assert run.retval in (BPF_OK, 1)  # before Linux 5.18 (91350fe15262): whether it was BPF_OK
        nhoff, thoff, addr_proto = struct.unpack_from("=HHH", run.data, 0)
        assert (nhoff, thoff, addr_proto) == (14, 34, 0x0800)
        assert run.data[9] == 17
        assert struct.pack("!H", 4321) in run.data
        assert probe.test_run("dissect", bytes(16)).retval == (BPF_DROP if run.retval == BPF_OK else 0)


class Replacement(Program):
    """Takes the place of a function of another program."""

    calls = Counter()

    @freplace("judge", context="xdp")
    def instead(self, ctx, number: i32):
        self.calls += 1
        return XDP_PASS if number == 7 and bpf.packet(ctx, Ethernet, 0) is not None else XDP_DROP


JUDGE = r"""
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
char LICENSE[] SEC("license") = "GPL";
__attribute__((noinline)) int judge(struct xdp_md *ctx, int number)
{
    volatile int result = number;
    return ctx->data ? result : 0;
}
SEC("xdp") int packet(struct xdp_md *ctx) { return judge(ctx, 7) + 10; }
"""


def test_a_function_of_another_program(compile_c: Any) -> None:
    with load(compile_c(JUDGE)) as target:
        packet = target.programs["packet"]
        assert packet.test_run(bytes(64)).retval == 17
        with Replacement().start(program=packet) as probe:
            assert packet.test_run(bytes(64)).retval == 12
            assert probe.calls.value == 1
        assert packet.test_run(bytes(64)).retval == 17
