"""Packets that a program sends to an XDP socket arrive in the memory of the process, whole."""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import select
import socket
import struct
from collections.abc import Iterator

import pytest
import wires
from pace import patience

from beespace.lang import Counter, Program, XskMap, bpf, xdp
from beespace.lang.packet import ETH_P_IP, Ethernet
from beespace.lang.verdicts import XDP_PASS

pytestmark = pytest.mark.kernel

# include/uapi/linux/if_xdp.h
AF_XDP, SOL_XDP = 44, 283
OFFSETS, RX_RING, UMEM_REG, FILL_RING, COMPLETION_RING = 1, 2, 4, 5, 6
RX_AT, FILL_AT = 0, 0x100000000
COPY = 1 << 1
FRAMES, SIZE = 16, 2048


class ToSocket(Program):
    queues = XskMap(2)
    passed = Counter()

    @xdp
    def on_packet(self, ctx):
        ethernet = bpf.packet(ctx, Ethernet, 0)
        if ethernet is None or ethernet.ethertype != ETH_P_IP:
            self.passed += 1
            return XDP_PASS
        return self.queues.redirect(ctx.rx_queue_index, otherwise=XDP_PASS)


class Ring:
    """One ring that is shared with the kernel: where the counters and the descriptors are."""

    def __init__(self, owner: socket.socket, at: int, offsets: tuple[int, ...], entry: str) -> None:
        self.producer, self.consumer, self.descriptors = offsets[:3]
        self.entry = struct.Struct(entry)
        self.memory = mmap.mmap(owner.fileno(), self.descriptors + FRAMES * self.entry.size, offset=at)

    def counter(self, at: int) -> int:
        return int.from_bytes(self.memory[at : at + 4], "little")

    def advance(self, at: int, by: int) -> None:
        self.memory[at : at + 4] = ((self.counter(at) + by) & 0xFFFFFFFF).to_bytes(4, "little")

    def __getitem__(self, index: int) -> tuple[int, ...]:
        return self.entry.unpack_from(self.memory, self.descriptors + index % FRAMES * self.entry.size)

    def __setitem__(self, index: int, value: int) -> None:
        self.entry.pack_into(self.memory, self.descriptors + index % FRAMES * self.entry.size, value)


class XdpSocket:
    """A socket of a queue of an interface, with memory for packets that the kernel may fill."""

    def __init__(self, interface: str) -> None:
        self.socket = socket.socket(AF_XDP, socket.SOCK_RAW)
        self.packets = mmap.mmap(-1, FRAMES * SIZE)
        byte = ctypes.c_char.from_buffer(self.packets)
        registration = struct.pack("=QQIIQ", ctypes.addressof(byte), FRAMES * SIZE, SIZE, 0, 0)
        del byte
        self.socket.setsockopt(SOL_XDP, UMEM_REG, registration)
        for ring in (FILL_RING, COMPLETION_RING, RX_RING):
            self.socket.setsockopt(SOL_XDP, ring, struct.pack("=I", FRAMES))
        words = struct.unpack("=16Q", self.socket.getsockopt(SOL_XDP, OFFSETS, 128))
        self.received = Ring(self.socket, RX_AT, words[0:4], "=QII")
        self.fill = Ring(self.socket, FILL_AT, words[8:12], "=Q")
        for frame in range(FRAMES):
            self.fill[frame] = frame * SIZE
        self.fill.advance(self.fill.producer, FRAMES)
        address = struct.pack("=HHIII", AF_XDP, COPY, socket.if_nametoindex(interface), 0, 0)
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.bind(self.socket.fileno(), address, len(address)):
            raise OSError(ctypes.get_errno(), "bind")

    def take(self) -> bytes:
        """The next packet."""
        assert select.select([self.socket], [], [], patience(20))[0], "a packet"
        index = self.received.counter(self.received.consumer)
        assert self.received.counter(self.received.producer) > index
        at, length, _ = self.received[index]
        self.received.advance(self.received.consumer, 1)
        return self.packets[at : at + length]

    def close(self) -> None:
        for memory in (self.received.memory, self.fill.memory):
            memory.close()
        self.socket.close()
        self.packets.close()


@pytest.fixture
def xdp_socket(wire: wires.Wire) -> Iterator[XdpSocket]:
    try:
        made = wire.right.inside(lambda: XdpSocket("right"))
    except OSError as error:
        pytest.skip(f"this kernel has no XDP sockets (CONFIG_XDP_SOCKETS): {error.strerror}")
    with contextlib.closing(made):
        yield made


def test_packets_go_to_a_socket(wire: wires.Wire, xdp_socket: XdpSocket, own_cache: None) -> None:
    with ToSocket().start(interface="right", netns=wire.right.netns) as probe:
        probe.queues[0] = xdp_socket.socket
        wire.send(3, port=7001)
        for _ in range(3):
            packet = xdp_socket.take()
            assert packet[:14] == bytes.fromhex("0200000000020200000000010800")
            assert (packet[23], int.from_bytes(packet[36:38], "big"), packet[42:52]) == (17, 7001, bytes(10))
        before = wire.right.statistics()["rx_packets"]
        del probe.queues[0]
        with wire.right.socket(socket.SOCK_DGRAM, 7002) as listener:
            wire.send(1, port=7002)
            assert listener.recv(64) == bytes(10)
        assert wire.right.statistics()["rx_packets"] > before
