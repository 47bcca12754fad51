"""Bytes of packets where a hook hands in no context that has them: by dynamic pointers to the kernel's own packet."""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from pace import patience
from since import compiled_since

from beespace.compiler import rules
from beespace.errors import CompileError, KernelError, NotSupported
from beespace.lang import Array, Event, Global, Program, Ring, Struct, bpf, btf_tracepoint, netfilter, syscall
from beespace.lang.packet import IPPROTO_UDP, UDP, IPv4
from beespace.lang.verdicts import NF_ACCEPT
from beespace.types import Port, Raw, i32, raw, text, u32, u64

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("no_leaks")]


class Datagram(Event):
    port: Port
    length: u32
    data: Raw = raw(6000, variable=True)


class Datagrams(Program):
    """Everything that UDP brings, whole again if it came in fragments."""

    datagrams = Ring(Datagram, size="64 KiB")

    @netfilter("local_in", family="inet", priority=-5)
    def on_packet(self, ctx):
        ip = bpf.load_bytes(ctx, IPv4, 0)
        if ip is None or ip.protocol != IPPROTO_UDP:
            return NF_ACCEPT
        start = u32(ip.version_ihl & 15) * 4
        udp = bpf.load_bytes(ctx.skb, UDP, start)
        if udp is not None and bpf.load_bytes(ctx, UDP, 60_000) is None:
            data = Datagram(port=udp.destination, length=bpf.packet_length(ctx))
            data.data = bpf.packet_bytes(ctx, start + 8, 10_000)
            self.datagrams.emit(data)
        return NF_ACCEPT


@contextlib.contextmanager
def started(program: Program, since: str, **where: Any) -> Iterator[Any]:
    try:
        with compiled_since(since):
            running = program.start(**where)
    except NotSupported:
        raise
    except KernelError as error:
        raise NotSupported("bpf_dynptr_from_skb() in this program", since=since, call=error.call) from error
    with running:
        yield running


def test_netfilter_reads_packets_in_fragments(wire: Any) -> None:
    sent = [os.urandom(size) for size in (0, 1, 10, 1400, 5000, 8000)]
    with started(Datagrams(), "6.4", netns=wire.right.netns) as probe, wire.left.socket(socket.SOCK_DGRAM) as sender:
        for data in sent:
            sender.sendto(data, (wire.right.address, 7000))
        found: list[Any] = []
        deadline = time.monotonic() + patience(10)
        while len(found) < len(sent) and time.monotonic() < deadline:
            found += probe.datagrams.events(0.2)
    assert [event.data for event in found] == [data[:6000] for data in sent]
    assert [event.length for event in found] == [len(data) + 28 for data in sent]
    assert {event.port for event in found} == {7000}


class Received(Program):
    datagrams = Ring(Datagram, size="64 KiB")

    @btf_tracepoint("netif_receive_skb")
    def on_packet(self, skb):
        ip = bpf.load_bytes(skb, IPv4, 0)
        if ip is not None and ip.protocol == IPPROTO_UDP and ip.source == 0x0A4D0001:
            self.datagrams.emit(Datagram(length=bpf.packet_length(skb), data=bpf.packet_bytes(skb, 28, 10_000)))


def test_a_tracepoint_reads_packets(wire: Any) -> None:
    sent = [b"one", b"two", b"another"]
    with started(Received(), "6.12") as probe, wire.left.socket(socket.SOCK_DGRAM) as sender:
        for data in sent:
            sender.sendto(data, (wire.right.address, 7000))
        found = [event for event in probe.datagrams.events(0.3) if event.data in sent]
    assert [(event.data, event.length) for event in found] == [(data, len(data) + 28) for data in sent]


class Ask(Struct):
    address: u64
    size: u32
    result: i32


class ByDynptr(Program):
    """What the kernel takes as a dynamic pointer is memory of a map."""

    line = Global(text(32))
    lines = Array(text(32), 2)

    @syscall
    def ask(self, ask: Ask):
        ask.result = bpf.probe_read_user_str_dynptr(self.line.value, 0, ask.size, ask.address)
        bpf.probe_read_user_dynptr(self.lines[1], 2, 4, ask.address)


def test_functions_that_take_dynamic_pointers() -> None:
    memory = ctypes.create_string_buffer(b"a line of text")
    probe = ByDynptr()
    with compiled_since("6.16"):
        probe.load()
    with probe:
        asked = probe.test_run("ask", context=Ask(address=ctypes.addressof(memory), size=7)).context
        assert (asked.result, probe.line.value) == (7, "a line")
        assert probe.lines[1].encode() == b"", "the text begins with two zeroes"
        assert probe.lines.backend.get((1).to_bytes(4, "little"))[:8] == b"\0\0a li\0\0"


class OnStack(Program):
    @syscall
    def ask(self, ask: Ask):
        line = text(32)
        ask.result = bpf.probe_read_user_str_dynptr(line, 0, ask.size, ask.address)


def test_memory_of_the_stack_is_refused() -> None:
    with pytest.raises(CompileError) as caught:
        OnStack().load()
    if any(isinstance(found, rules.NoWord) for found in caught.value.diagnostics):
        raise NotSupported("bpf_probe_read_user_str_dynptr()", since="6.16") from caught.value
    assert "it takes memory of a map: the value of a Global" in str(caught.value)
