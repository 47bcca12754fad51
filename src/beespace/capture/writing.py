"""``PcapngWriter``: frames of one interface as pcapng, which tcpdump and Wireshark read."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import BinaryIO

from beespace.capture.frame import Direction

__all__ = ["PcapngWriter"]

_COMMENT, _APPLICATION, _NAME, _RESOLUTION, _FLAGS = 1, 4, 2, 9, 2


class PcapngWriter:
    """Writes to ``stream``, which it does not close.  Times are nanoseconds since 1970."""

    def __init__(self, stream: BinaryIO, link: int, *, name: str = "", snap: int = 0) -> None:
        self._stream = stream
        header = struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)
        self._block(0x0A0D0D0A, header, [(_APPLICATION, b"beespace")])
        options = [(_NAME, name.encode())] if name else []
        self._block(1, struct.pack("<HHI", link, 0, snap), [*options, (_RESOLUTION, b"\x09")])

    def write(self, time: int, data: bytes, length: int, direction: Direction, comments: Sequence[str] = ()) -> None:
        """One packet: ``data`` is what was captured of ``length`` bytes."""
        head = struct.pack("<IIIII", 0, time >> 32, time & 0xFFFFFFFF, len(data), length)
        options = [(_COMMENT, comment.encode()) for comment in comments]
        if direction:
            options.append((_FLAGS, struct.pack("<I", direction)))
        self._block(6, head + _padded(data), options)

    def _block(self, kind: int, body: bytes, options: Sequence[tuple[int, bytes]]) -> None:
        for code, value in options:
            body += struct.pack("<HH", code, len(value)) + _padded(value)
        body += bytes(4) if options else b""
        size = len(body) + 12
        self._stream.write(struct.pack("<II", kind, size) + body + struct.pack("<I", size))


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
