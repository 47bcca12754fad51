"""What is done with packets: checksums, metadata, exchanged addresses, networks in structs; against Python."""

from __future__ import annotations

import contextlib
import random
import socket
import struct

import pytest

from beespace.errors import NotSupported, VerifierError
from beespace.lang import (
    Array,
    Global,
    Hash,
    LpmTrie,
    Program,
    SockHash,
    SockMap,
    Struct,
    bpf,
    cgroup_skb,
    iterator,
    raw_tracepoint,
    socket_filter,
    tc,
    xdp,
)
from beespace.lang.packet import Ethernet, IPv4, IPv6
from beespace.lang.verdicts import TC_ACT_OK, XDP_ABORTED, XDP_DROP, XDP_PASS, XDP_TX
from beespace.types import Address, CgroupId, be16, be32, u8, u16, u32, u64

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("own_cache")]


class Pseudo(Struct):
    source: be32
    target: be32
    zero: u8
    protocol: u8
    length: be16


class Meta(Struct):
    mark: u32


class Rule(Struct):
    cgroup: CgroupId
    address: be32


class Packets(Program):
    sums = Array(u16, 4)
    marks = Hash(key=u32, value=u64)
    rules = LpmTrie(u64, key=Rule)
    asked = Global(Rule)
    answer = Global(u64)

    @xdp
    def back(self, ctx):
        ethernet = bpf.packet(ctx, Ethernet, 0)
        ip = bpf.packet(ctx, IPv4, 14)
        if ethernet is None or ip is None:
            return XDP_DROP
        ethernet.source, ethernet.destination = ethernet.destination, ethernet.source
        ip.source, ip.destination = ip.destination, ip.source
        ip.checksum = 0
        ip.checksum = bpf.checksum(ip)
        self.sums[0] = bpf.checksum(Pseudo(source=ip.source, target=ip.destination, protocol=17, length=300))
        before = u32(bpf.csum_diff(None, Pseudo(source=ip.source, protocol=6)))
        self.sums[1] = bpf.csum_fold(bpf.csum_diff(b"", ip, before))
        return XDP_TX

    @xdp
    def six(self, ctx):
        ip = bpf.packet(ctx, IPv6, 14)
        if ip is None:
            return XDP_DROP
        ip.source, ip.destination = ip.destination, ip.source
        return XDP_TX

    @xdp
    def hand(self, ctx):
        if bpf.xdp_adjust_meta(ctx, -4) < 0:
            return XDP_ABORTED
        meta = bpf.metadata(ctx, Meta)
        if meta is None:
            return XDP_ABORTED
        meta.mark = 42
        return XDP_PASS

    @tc("ingress")
    def take(self, ctx):
        meta = bpf.metadata(ctx, Meta)
        if meta is not None:
            self.marks[meta.mark] += 1
        return TC_ACT_OK

    @tc("ingress")
    def onward(self, ctx):
        return bpf.redirect(ctx.ifindex, 0)

    @xdp
    def beyond(self, ctx):
        if ctx.ingress_ifindex == 0:
            return XDP_DROP
        return bpf.redirect(ctx.ingress_ifindex)

    @socket_filter
    def whole(self, ctx):
        return ctx.len

    @cgroup_skb("ingress")
    def certain(self, ctx):
        return True

    @raw_tracepoint("sched_process_exit")
    def look(self, ctx):
        self.answer.value = self.rules.get(Rule(cgroup=self.asked.value.cgroup, address=self.asked.value.address)) or 0


def internet_checksum(data: bytes) -> int:
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def test_checksums_and_what_is_exchanged() -> None:
    numbers = random.Random(4)
    with Packets().load() as probe:
        for _ in range(50):
            addresses, macs = numbers.randbytes(8), numbers.randbytes(12)
            header = b"\x45\0" + struct.pack(">H", 48) + numbers.randbytes(8) + addresses
            ran = probe.test_run("back", macs + b"\x08\0" + header + bytes(28))
            assert ran.retval == XDP_TX
            assert ran.data[:12] == macs[6:] + macs[:6]
            answer = ran.data[14:34]
            assert answer[12:] == addresses[4:] + addresses[:4]
            assert internet_checksum(answer) == 0
            turned = addresses[4:] + addresses[:4]
            assert probe.sums[0] == internet_checksum(turned + struct.pack(">BBH", 0, 17, 300))
            assert probe.sums[1] == internet_checksum(answer + turned[:4] + bytes(4) + struct.pack(">BBH", 0, 6, 0))
        addresses = numbers.randbytes(32)
        ran = probe.test_run("six", bytes(14) + bytes(8) + addresses)
        assert ran.data[22:] == addresses[16:] + addresses[:16]


def test_helpers_that_give_a_verdict() -> None:
    with Packets().load() as probe:
        assert probe.test_run("onward", bytes(64)).retval == 7  # TC_ACT_REDIRECT
        assert probe.test_run("beyond", bytes(64)).retval == 4  # XDP_REDIRECT


def test_metadata(wire) -> None:  # type: ignore[no-untyped-def]
    where = {"netns": wire.right.netns, "interface": wire.right.interface}
    with Packets().load() as probe:
        probe.attach("take", **where)
        wire.send(2)
        assert dict(probe.marks.items()) == {}
        probe.attach("hand", **where)
        wire.send(3)
        assert dict(probe.marks.items()) == {42: 3}


def test_a_filter_that_keeps_whole_packets(wire) -> None:  # type: ignore[no-untyped-def]
    with Packets().load() as probe, wire.right.socket(socket.SOCK_DGRAM, 7000) as receiver:
        probe.attach("whole", socket=receiver)
        wire.send(1)
        assert receiver.recv(100) == bytes(10)


def test_networks_behind_a_wide_field() -> None:
    with Packets().load() as probe:
        probe.rules[64 + 8, Rule(cgroup=7, address=0x0A000000)] = 1
        probe.rules[64 + 16, Rule(cgroup=7, address=0x0A010000)] = 2
        for cgroup, address, expected in (
            (7, 0x0A020304, 1),
            (7, 0x0A010304, 2),
            (7, 0x0B000000, 0),
            (8, 0x0A010304, 0),
        ):
            probe.asked.value = Rule(cgroup=cgroup, address=address)
            probe.test_run("look")
            assert probe.answer.value == expected


class Sockets(Program):
    sockets = SockMap(4)
    others = SockHash(u64)
    found = Hash(key=u32, value=u64)

    @tc("ingress")
    def look(self, ctx):
        for number in range(3):
            with self.sockets.get(number) as socket:
                if socket is None:
                    continue
                self.found[number] = socket.family
                self.others[7] = socket
        with self.others.get(7) as socket:
            if socket is not None:
                self.found[7] = u64(socket.type)
        del self.sockets[0]


def test_sockets_out_of_maps_and_into_them() -> None:
    with contextlib.ExitStack() as running:
        try:
            probe = running.enter_context(Sockets().load())
        except VerifierError as error:
            if "cannot update sockmap in this context" not in error.log:
                raise
            pytest.skip("this kernel lets no packet program put sockets into maps (7.3 and later)")
        one = running.enter_context(socket.socket(type=socket.SOCK_DGRAM))
        one.bind(("127.0.0.1", 0))
        probe.test_run("look", bytes(64))
        assert dict(probe.found.items()) == {}
        probe.sockets[0] = one
        probe.test_run("look", bytes(64))
        assert dict(probe.found.items()) == {0: socket.AF_INET, 7: socket.SOCK_DGRAM}
        assert 7 in probe.others
        assert 0 not in probe.sockets


class Tuning(Program):
    changed = Hash(key=u64, value=u64)
    addresses = Hash(key=Address, value=u64)

    @iterator("tcp")
    def tune(self, ctx):
        common = ctx.sk_common
        if common is None:
            return
        where = bpf.v4(common.skc_rcv_saddr)
        if common.skc_family == 10:
            where = common.skc_v6_rcv_saddr
        if where not in ("127.0.0.7", "::1"):
            return
        self.addresses[where] += 1
        if bpf.setsockopt(common, 6, 13, "reno") == 0:
            self.changed[bpf.socket_cookie(common)] += 1


def test_an_iterator_that_changes_sockets() -> None:
    with (
        socket.create_server(("127.0.0.7", 0)) as four,
        socket.create_server(("::1", 0), family=socket.AF_INET6) as six,
    ):
        with contextlib.ExitStack() as running:
            try:
                probe = running.enter_context(Tuning().load())
            except (VerifierError, NotSupported) as error:
                if "setsockopt" not in str(error):
                    raise
                pytest.skip("no socket options in iterators (Linux 5.15)")
            probe.iterate("tune")
            assert {"127.0.0.7", "::1"} <= {str(address) for address in probe.addresses}
        for server in (four, six):
            assert server.getsockopt(socket.IPPROTO_TCP, 13, 16).rstrip(b"\0") == b"reno"
