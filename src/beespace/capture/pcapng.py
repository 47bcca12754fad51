"""pcapng: blocks of sections, interfaces and packets (draft-ietf-opsawg-pcapng)."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterator

from beespace.capture.frame import Direction, Frame
from beespace.capture.source import Source
from beespace.errors import FormatError
from beespace.record import dataclass

__all__ = ["SECTION", "frames"]

SECTION = b"\x0a\x0d\x0d\x0a"
_INTERFACE, _OLD_PACKET, _SIMPLE, _STATISTICS, _PACKET = 1, 2, 3, 5, 6
_ORDERS = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}
_LARGEST = 1 << 24  # bytes of a block: more is damage
_COMMENT, _END = 1, 0
_RESOLUTION, _OFFSET = 9, 14  # if_tsresol, if_tsoffset
_FLAGS, _DROPS = 2, 4  # epb_flags, epb_dropcount
_INTERFACE_DROPS, _SYSTEM_DROPS = 5, 7  # isb_ifdrop, isb_osdrop


@dataclass(frozen=True, slots=True)
class Interface:
    """What the packets of an interface mean; a time is ``units`` since ``shift`` seconds, ``per_second`` of them."""

    link: int
    snap: int
    per_second: int
    shift: int

    def time(self, units: int) -> int:
        """Nanoseconds since 1970."""
        return units * 1_000_000_000 // self.per_second + self.shift * 1_000_000_000


def frames(source: Source, dropped: Counter[str]) -> Iterator[Frame]:
    """The frames of every section; what was dropped while capturing is added to ``dropped``."""
    order = "<"
    interfaces: list[Interface] = []
    last = 0
    while True:
        at = source.offset
        head = source.take(8, end=True)
        if not head:
            return
        if head[:4] == SECTION:
            magic = source.take(4)
            if magic not in _ORDERS:
                raise FormatError(f"a pcapng section without a byte order ({magic.hex()})", offset=at)
            order = _ORDERS[magic]
            interfaces = []
            body = magic + _body(source, order, head, at, read=4)
            (major,) = struct.unpack_from(f"{order}H", body, 4)
            if major != 1:
                raise FormatError(f"a pcapng section of version {major}; 1 is read", offset=at)
            continue
        (kind,) = struct.unpack(f"{order}I", head[:4])
        body = _body(source, order, head, at)
        if kind == _INTERFACE:
            interfaces.append(_interface(body, order, at))
        elif kind in (_PACKET, _OLD_PACKET, _SIMPLE):
            try:
                frame = _READ[kind](body, order, interfaces, at, last, dropped)
            except struct.error:
                raise FormatError("a packet's block is too short for a packet", offset=at) from None
            last = frame.time
            yield frame
        elif kind == _STATISTICS:
            for code, value in _options(body, 12, order, at):
                if code in (_INTERFACE_DROPS, _SYSTEM_DROPS) and len(value) == 8:
                    what = "dropped by interface" if code == _INTERFACE_DROPS else "dropped by system"
                    dropped[what] += struct.unpack(f"{order}Q", value)[0]


def _body(source: Source, order: str, head: bytes, at: int, read: int = 0) -> bytes:
    """The rest of a block, of which 8 bytes and ``read`` more were taken; its two lengths must agree."""
    (length,) = struct.unpack(f"{order}I", head[4:])
    least = 12 + read
    if length % 4 or length < least or length > _LARGEST:
        raise FormatError(f"a pcapng block of {length:,} bytes", offset=at)
    data = source.take(length - 8 - read)
    (again,) = struct.unpack(f"{order}I", data[-4:])
    if again != length:
        raise FormatError(f"a pcapng block says {length:,} bytes before and {again:,} behind it", offset=at)
    return data[:-4]


def _options(body: bytes, start: int, order: str, at: int) -> Iterator[tuple[int, bytes]]:
    place = start
    while place + 4 <= len(body):
        code, length = struct.unpack_from(f"{order}HH", body, place)
        if code == _END:
            return
        if place + 4 + length > len(body):
            raise FormatError(f"option {code} of a pcapng block goes beyond it", offset=at)
        yield code, body[place + 4 : place + 4 + length]
        place += 4 + (length + 3 & ~3)


def _interface(body: bytes, order: str, at: int) -> Interface:
    if len(body) < 8:
        raise FormatError("a pcapng interface block without link type", offset=at)
    link, _, snap = struct.unpack_from(f"{order}HHI", body)
    per_second, shift = 1_000_000, 0
    for code, value in _options(body, 8, order, at):
        if code == _RESOLUTION and len(value) == 1:
            power = value[0] & 0x7F
            per_second = 1 << power if value[0] & 0x80 else 10**power
        elif code == _OFFSET and len(value) == 8:
            (shift,) = struct.unpack(f"{order}q", value)
    return Interface(link, snap, per_second, shift)


def _at(interfaces: list[Interface], number: int, at: int) -> Interface:
    if number >= len(interfaces):
        raise FormatError(f"a packet of interface {number}, which the section has not described", offset=at)
    return interfaces[number]


def _captured(body: bytes, start: int, captured: int, at: int) -> bytes:
    if start + captured > len(body):
        raise FormatError(f"a packet of {captured:,} captured bytes in a block of {len(body) + 12:,}", offset=at)
    return body[start : start + captured]


def _packet(body: bytes, order: str, interfaces: list[Interface], at: int, last: int, dropped: Counter[str]) -> Frame:
    number, high, low, captured, length = struct.unpack_from(f"{order}IIIII", body)
    interface = _at(interfaces, number, at)
    data = _captured(body, 20, captured, at)
    direction, comments = Direction.UNKNOWN, []
    for code, value in _options(body, 20 + (captured + 3 & ~3), order, at):
        if code == _FLAGS and len(value) == 4:
            (flags,) = struct.unpack(f"{order}I", value)
            direction = Direction(flags & 3) if (flags & 3) < 3 else Direction.UNKNOWN
        elif code == _DROPS and len(value) == 8:
            dropped["dropped by system"] += struct.unpack(f"{order}Q", value)[0]
        elif code == _COMMENT:
            comments.append(value.decode(errors="replace"))
    time = interface.time(high << 32 | low)
    return Frame(time, data, max(length, captured), interface.link, direction, at, tuple(comments))


def _old_packet(
    body: bytes, order: str, interfaces: list[Interface], at: int, last: int, dropped: Counter[str]
) -> Frame:
    number, drops, high, low, captured, length = struct.unpack_from(f"{order}HHIIII", body)
    interface = _at(interfaces, number, at)
    dropped["dropped by system"] += 0 if drops == 0xFFFF else drops
    data = _captured(body, 20, captured, at)
    return Frame(interface.time(high << 32 | low), data, max(length, captured), interface.link, offset=at)


def _simple(body: bytes, order: str, interfaces: list[Interface], at: int, last: int, dropped: Counter[str]) -> Frame:
    """It has no time: that of the packet before it."""
    (length,) = struct.unpack_from(f"{order}I", body)
    interface = _at(interfaces, 0, at)
    captured = min(length, interface.snap or length)
    return Frame(last, _captured(body, 4, captured, at), length, interface.link, offset=at)


_READ = {_PACKET: _packet, _OLD_PACKET: _old_packet, _SIMPLE: _simple}
