"""libpcap's format: a header of 24 bytes, then each packet behind 16 bytes (draft-ietf-opsawg-pcap)."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping

from beespace.capture.frame import Frame
from beespace.capture.source import Source
from beespace.errors import FormatError

__all__ = ["FORMATS", "frames"]

#: Magic number -> byte order, nanoseconds in a unit of the second half of a time.
FORMATS: Mapping[bytes, tuple[str, int]] = {
    b"\xd4\xc3\xb2\xa1": ("<", 1000),
    b"\xa1\xb2\xc3\xd4": (">", 1000),
    b"\x4d\x3c\xb2\xa1": ("<", 1),
    b"\xa1\xb2\x3c\x4d": (">", 1),
}
LARGEST = 1 << 20  # bytes of a packet, four times what libpcap takes: more is damage
_LINK = 0x0FFFFFFF  # of the link type's word: above it is the length of a frame check sequence


def frames(source: Source) -> Iterator[Frame]:
    """The frames, up to the end of the stream."""
    order, unit = FORMATS[source.take(4)]
    major, minor, _zone, _accuracy, snap, link = struct.unpack(f"{order}HHIIII", source.take(20))
    if major != 2:
        raise FormatError(f"a pcap file of version {major}.{minor}; 2.4 is read", offset=4)
    link &= _LINK
    largest = max(snap, LARGEST) if snap < 1 << 24 else LARGEST
    record = struct.Struct(f"{order}IIII")
    while True:
        at = source.offset
        head = source.take(16, end=True)
        if not head:
            return
        seconds, fraction, captured, length = record.unpack(head)
        if captured > largest:
            raise FormatError(f"a packet of {captured:,} captured bytes, where {largest:,} is the most", offset=at)
        data = source.take(captured)
        yield Frame(seconds * 1_000_000_000 + fraction * unit, data, max(length, captured), link, offset=at)
