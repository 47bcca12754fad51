"""Connection tracking, asked for single connections (nfnetlink_conntrack, ``CONFIG_NF_CT_NETLINK``).

The kernel remembers of each connection that passes netfilter how its packets look in both directions; where they
differ, an address was translated (iptables, nftables and IPVS alike).  A question names the packets of one direction,
the answer has both.  ``include/uapi/linux/netfilter/nfnetlink_conntrack.h``; takes ``CAP_NET_ADMIN`` in the network
namespace that is asked.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence

from beespace.errors import KernelError
from beespace.syscall.descriptor import Fd
from beespace.syscall.netlink import Attributes, Netlink, attribute, attributes, nested
from beespace.typed import NamedTuple, Self

__all__ = ["Conntrack", "Tracked", "Tuple"]

NETLINK_NETFILTER = 12
_GET = 1 << 8 | 1  # NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET
_GET_STATS = 1 << 8 | 5  # IPCTNL_MSG_CT_GET_STATS
_WHAT = "ask connection tracking"
_ENTRIES = 1  # CTA_STATS_GLOBAL_ENTRIES
_ORIGINAL, _REPLY = 1, 2  # CTA_TUPLE_*
_IP, _PROTO = 1, 2  # CTA_TUPLE_IP, CTA_TUPLE_PROTO
_V4, _V6 = (1, 2), (3, 4)  # CTA_IP_V4_SRC and _DST, CTA_IP_V6_*
_NUMBER, _SOURCE_PORT, _DESTINATION_PORT = 1, 2, 3
_HEADER = struct.Struct("=BBH")  # struct nfgenmsg
_MAPPED = b"\0" * 10 + b"\xff\xff"


class Tuple(NamedTuple):
    """The packets of one direction: addresses as 16 bytes (IPv4 mapped), ports in host order."""

    source: bytes
    destination: bytes
    source_port: int
    destination_port: int


class Tracked(NamedTuple):
    """A connection: its packets as whoever opened it sends them, and as they are answered."""

    original: Tuple
    reply: Tuple


class Conntrack:
    """A socket for questions to the connection tracking of ``netns`` (by descriptor; not given: this thread's).

    Raises :class:`~beespace.errors.KernelError` if this kernel has none, or we may not ask.
    """

    def __init__(self, netns: Fd | None = None) -> None:
        try:
            self._netlink = Netlink(netns, NETLINK_NETFILTER)
        except OSError as error:
            raise KernelError(
                f"connection tracking cannot be asked: {error.strerror}", call="socket", errno=error.errno or 0
            ) from error

    def entries(self) -> int:
        """How many connections are tracked in the namespace."""
        body = _HEADER.pack(socket.AF_UNSPEC, 0, 0)
        answers = self._netlink.ask("nfnetlink", _GET_STATS, body, _WHAT)
        return sum(int.from_bytes(attributes(each.body[_HEADER.size :]).get(_ENTRIES, b""), "big") for each in answers)

    def find(self, packets: Tuple, protocol: int) -> Tracked | None:
        """The connection of which ``packets`` are one direction (IPPROTO_TCP, _UDP, ...); None if there is none."""
        return self.find_all([(packets, protocol)])[0]

    def find_all(self, questions: Sequence[tuple[Tuple, int]]) -> list[Tracked | None]:
        """The same for some of them, which takes less time than one by one."""
        bodies = [_question(packets, protocol) for packets, protocol in questions]
        answers = self._netlink.ask_each("nfnetlink", _GET, bodies, _WHAT)
        return [None if answer is None else _tracked(answer.body) for answer in answers]

    def close(self) -> None:
        """Close the socket.  Calling it again does nothing."""
        self._netlink.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _question(packets: Tuple, protocol: int) -> bytes:
    v4 = packets.source[:12] == _MAPPED
    kinds = _V4 if v4 else _V6
    cut = 12 if v4 else 0
    return _HEADER.pack(socket.AF_INET if v4 else socket.AF_INET6, 0, 0) + nested(
        _ORIGINAL,
        nested(_IP, attribute(kinds[0], packets.source[cut:]), attribute(kinds[1], packets.destination[cut:])),
        nested(
            _PROTO,
            attribute(_NUMBER, bytes([protocol])),
            attribute(_SOURCE_PORT, struct.pack(">H", packets.source_port)),
            attribute(_DESTINATION_PORT, struct.pack(">H", packets.destination_port)),
        ),
    )


def _tracked(body: bytes) -> Tracked | None:
    found = attributes(body[_HEADER.size :])
    original, reply = (_tuple(attributes(found.get(kind, b""))) for kind in (_ORIGINAL, _REPLY))
    return None if original is None or reply is None else Tracked(original, reply)


def _tuple(parts: Attributes) -> Tuple | None:
    addresses, ports = attributes(parts.get(_IP, b"")), attributes(parts.get(_PROTO, b""))
    for kinds, prefix in ((_V4, _MAPPED), (_V6, b"")):
        if kinds[0] in addresses and kinds[1] in addresses:
            source, destination = (ports.get(kind, b"\0\0") for kind in (_SOURCE_PORT, _DESTINATION_PORT))
            return Tuple(
                prefix + addresses[kinds[0]],
                prefix + addresses[kinds[1]],
                int.from_bytes(source, "big"),
                int.from_bytes(destination, "big"),
            )
    return None
