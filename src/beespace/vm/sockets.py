"""Sockets that programs see: ``struct bpf_sock`` and ``struct bpf_tcp_sock`` (include/uapi/linux/bpf.h).

The kernel has one ``struct sock`` behind all of its views; here a :class:`Socket` stands behind them, so that what a
program stores with a socket is there under every address that it is known by.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from types import MappingProxyType

from beespace.record import dataclass, field
from beespace.vm.memory import Memory, Region, Rights

__all__ = ["Socket", "Sockets", "socket_place"]

_TCP = 6  # IPPROTO_TCP
_NOT_FULL = (6, 12)  # TCP_TIME_WAIT, TCP_NEW_SYN_RECV: sockets that are less than a struct sock
#: struct bpf_tcp_sock: 20 times u32, twice u64, 4 times u32
_TCP_FIELDS = (
    "snd_cwnd", "srtt_us", "rtt_min", "snd_ssthresh", "rcv_nxt", "snd_nxt", "snd_una", "mss_cache", "ecn_flags",
    "rate_delivered", "rate_interval_us", "packets_out", "retrans_out", "total_retrans", "segs_in", "data_segs_in",
    "segs_out", "data_segs_out", "lost_out", "sacked_out", "bytes_received", "bytes_acked", "dsack_dups", "delivered",
    "delivered_ce", "icsk_retransmits",
)  # fmt: skip
_TCP_LAYOUT = struct.Struct("<20I2Q4I")
#: Where contexts point to their socket, a struct bpf_sock.
_PLACES: Mapping[str, int] = {
    "__sk_buff": 168,
    "bpf_sock_addr": 64,
    "bpf_sock_ops": 184,
    "bpf_sk_lookup": 0,
    "bpf_sockopt": 0,
    "sk_msg_md": 72,
}


def socket_place(context: str) -> int | None:
    """Where a struct that programs get as their context points to the socket, if it does."""
    return _PLACES.get(context)


@dataclass(slots=True)
class Socket:
    """What programs can learn of a socket.

    Addresses are 4 or 16 bytes; ports are numbers.  ``state`` is a TCP state (1: established), ``tcp`` the fields
    of ``struct bpf_tcp_sock`` that are not 0; ``cookie`` and ``netns`` are what the kernel calls cookies.
    """

    family: int = 2
    type: int = 1
    protocol: int = _TCP
    state: int = 1
    source: bytes = bytes(4)
    source_port: int = 0
    target: bytes = bytes(4)
    target_port: int = 0
    interface: int = 0
    mark: int = 0
    priority: int = 0
    queue: int = 0
    cookie: int = 0
    netns: int = 1
    cgroup: int = 1
    tcp: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def is_full(self) -> bool:
        """Whether it is more than what the kernel keeps of a connection that begins or has ended."""
        return self.state not in _NOT_FULL

    @property
    def is_tcp(self) -> bool:
        """Whether it is one of TCP."""
        return self.protocol == _TCP

    def view(self) -> bytes:
        """``struct bpf_sock``."""
        addresses = [(each[:4], b"") if len(each) == 4 else (b"", each) for each in (self.source, self.target)]
        (source4, source6), (target4, target6) = addresses
        return struct.pack(
            "<6I4s16sI2s2x4s16s2I", self.interface, self.family, self.type, self.protocol, self.mark, self.priority,
            source4, source6, self.source_port, self.target_port.to_bytes(2, "big"), target4, target6, self.state,
            self.queue,
        )  # fmt: skip

    def tcp_view(self) -> bytes:
        """``struct bpf_tcp_sock``."""
        return _TCP_LAYOUT.pack(*(self.tcp.get(name, 0) for name in _TCP_FIELDS))


class Sockets:
    """The sockets of a machine, by the addresses that programs know them by."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._views: dict[int, tuple[Socket, Region, Region]] = {}
        self._known: dict[int, Socket] = {}
        self.of_file: dict[int, int] = {}  # a struct file's address -> its struct socket's

    def address(self, socket: Socket) -> int:
        """Of its ``struct bpf_sock``, which is written again."""
        return self._seen(socket)[0].base

    def tcp_address(self, socket: Socket) -> int:
        """Of its ``struct bpf_tcp_sock``."""
        return self._seen(socket)[1].base

    def _seen(self, socket: Socket) -> tuple[Region, Region]:
        if id(socket) not in self._views:
            sizes = {"a socket": len(socket.view()), "a TCP socket": _TCP_LAYOUT.size}
            views = [self._memory.add(name, bytearray(size), Rights.READ) for name, size in sizes.items()]
            self._views[id(socket)] = socket, views[0], views[1]  # holds the socket: its id stays its own
            for view in views:
                self._known[view.base] = socket
        _, plain, tcp = self._views[id(socket)]
        plain.data[:], tcp.data[:] = socket.view(), socket.tcp_view()
        return plain, tcp

    def know(self, address: int, socket: Socket) -> None:
        """The socket is at ``address``, too: a ``struct sock`` that somebody made, or a context."""
        self._known[address] = socket

    def forget(self, address: int) -> None:
        """It is not any more."""
        self._known.pop(address, None)

    def lookup(self, protocol: int, source: tuple[bytes, int], target: tuple[bytes, int]) -> Socket | None:
        """Who gets a packet from ``source`` to ``target``: a connected socket, or one that is bound there."""
        bound = None
        for socket, _, _ in self._views.values():
            if (socket.protocol, socket.source_port) != (protocol, target[1]):
                continue
            if socket.source != target[0] and any(socket.source):
                continue
            if (socket.target, socket.target_port) == source:
                return socket
            if not socket.target_port:
                bound = socket
        return bound

    def find(self, address: int) -> Socket | None:
        """The socket of one of its addresses."""
        return self._known.get(address)
