"""Link types, and from a frame to the IP packet in it (https://www.tcpdump.org/linktypes.html)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from beespace.capture.frame import Direction, Frame
from beespace.enumeration import IntEnum
from beespace.errors import BeespaceError
from beespace.record import dataclass

__all__ = ["IpPacket", "LinkType", "Unreadable", "ip_packet", "transport"]

_IPV4, _IPV6 = 0x0800, 0x86DD
_VLANS = (0x8100, 0x88A8, 0x9100)
_PPPOE, _PPP_IPV4, _PPP_IPV6 = 0x8864, 0x0021, 0x0057
# AF_INET6 of Linux, NetBSD/OpenBSD, FreeBSD and Darwin; AF_INET is 2 everywhere.
_FAMILIES = {2, 10, 24, 28, 30}
# sll_pkttype (include/uapi/linux/if_packet.h): to us, to all, to many; to somebody else; from us.
_COOKED = {
    0: Direction.INBOUND, 1: Direction.INBOUND, 2: Direction.INBOUND, 3: Direction.UNKNOWN, 4: Direction.OUTBOUND,
}  # fmt: skip


class LinkType(IntEnum):
    """The LINKTYPE_* numbers that are read here."""

    NULL = 0
    ETHERNET = 1
    RAW_BSD = 12
    RAW_OPENBSD = 14
    RAW = 101
    LOOP = 108
    LINUX_SLL = 113
    IPV4 = 228
    IPV6 = 229
    LINUX_SLL2 = 276


class Unreadable(BeespaceError):
    """A link layer that is not read here."""


@dataclass(frozen=True, slots=True)
class IpPacket:
    """An IP packet: ``data`` is what was captured of ``length`` bytes; padding of the link layer is left out."""

    version: int
    data: bytes
    length: int
    direction: Direction


Header: TypeAlias = "tuple[int, Direction] | None"  # where the network header begins; None: no IP


def _ethernet(data: bytes) -> Header:
    at = 12
    while int.from_bytes(data[at : at + 2], "big") in _VLANS and at < len(data):
        at += 4
    kind = int.from_bytes(data[at : at + 2], "big")
    if kind == _PPPOE:
        return _pppoe(data, at + 2)
    return (at + 2, Direction.UNKNOWN) if kind in (_IPV4, _IPV6) else None


def _pppoe(data: bytes, at: int) -> Header:
    """RFC 2516: six bytes of session, then PPP's protocol."""
    kind = int.from_bytes(data[at + 6 : at + 8], "big")
    return (at + 8, Direction.UNKNOWN) if kind in (_PPP_IPV4, _PPP_IPV6) else None


def _raw(data: bytes) -> Header:
    return 0, Direction.UNKNOWN


def _null(data: bytes) -> Header:
    """The family in the byte order of the machine that captured."""
    known = int.from_bytes(data[:4], "little") in _FAMILIES or int.from_bytes(data[:4], "big") in _FAMILIES
    return (4, Direction.UNKNOWN) if known else None


def _loop(data: bytes) -> Header:
    return (4, Direction.UNKNOWN) if int.from_bytes(data[:4], "big") in _FAMILIES else None


def _cooked(data: bytes) -> Header:
    if int.from_bytes(data[14:16], "big") not in (_IPV4, _IPV6):
        return None
    return 16, _COOKED.get(int.from_bytes(data[:2], "big"), Direction.UNKNOWN)


def _cooked2(data: bytes) -> Header:
    if int.from_bytes(data[:2], "big") not in (_IPV4, _IPV6):
        return None
    return 20, _COOKED.get(data[10] if len(data) > 10 else 3, Direction.UNKNOWN)


_HEADERS: Mapping[int, Callable[[bytes], Header]] = {
    LinkType.NULL: _null,
    LinkType.ETHERNET: _ethernet,
    LinkType.RAW_BSD: _raw,
    LinkType.RAW_OPENBSD: _raw,
    LinkType.RAW: _raw,
    LinkType.LOOP: _loop,
    LinkType.LINUX_SLL: _cooked,
    LinkType.IPV4: _raw,
    LinkType.IPV6: _raw,
    LinkType.LINUX_SLL2: _cooked2,
}


def ip_packet(frame: Frame) -> IpPacket | None:
    """The IP packet of a frame; ``None`` if it carries none (ARP, spanning tree ...).

    :class:`Unreadable` for a link layer that is not among :class:`LinkType`.
    """
    header = _HEADERS.get(frame.link)
    if header is None:
        known = ", ".join(str(int(each)) for each in LinkType)
        raise Unreadable(
            f"link type {frame.link} is not read here", help=f"link types {known} are: Ethernet, raw IP, Linux cooked"
        )
    found = header(frame.data)
    if found is None:
        return None
    at, direction = found
    data, length = frame.data[at:], frame.length - at
    version = data[0] >> 4 if data else 0
    if version not in (4, 6):
        return None
    # The kernel cuts what the link layer padded before anybody counts (ip_rcv_core, ip6_rcv_core); a length of 0 is
    # that of a packet which the network card was still to split, or of a jumbogram.
    if version == 4:
        said = int.from_bytes(data[2:4], "big")
    else:
        said = int.from_bytes(data[4:6], "big")
        said += 40 if said else 0
    if len(data) >= 6 and 0 < said < length:
        data, length = data[:said], said
    return IpPacket(version, data, length, frame.direction or direction)


def transport(version: int, packet: bytes) -> tuple[int, int]:
    """The protocol of an IP packet, and where the header behind IP's begins; 0 and 0 of one that is cut before that."""
    if version == 6:
        return (packet[6], 40) if len(packet) > 6 else (0, 0)
    return (packet[9], (packet[0] & 15) * 4) if len(packet) > 9 else (0, 0)
