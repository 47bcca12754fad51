"""``Capture``: the frames of a stream, whichever format it has."""

from __future__ import annotations

import gzip
import zlib
from collections import Counter
from collections.abc import Iterator
from typing import BinaryIO, cast

from beespace.capture import pcap, pcapng
from beespace.capture.frame import Frame
from beespace.capture.source import Cut, Source
from beespace.errors import FormatError

__all__ = ["Capture", "open_capture"]

_GZIP = b"\x1f\x8b"


class Capture:
    """Iterate once.  What else is known is complete when the iteration has ended.

    ``cut`` is the offset of the packet in whose middle the file ends, if it does; ``dropped`` what who captured said
    that it could not take, by reason.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self.cut: int | None = None
        self.dropped: Counter[str] = Counter()
        magic = stream.read(4)
        if magic[:2] == _GZIP:
            stream = cast(BinaryIO, gzip.GzipFile(mode="rb", fileobj=cast(BinaryIO, _Joined(magic, stream))))
            try:
                magic = stream.read(4)
            except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                raise FormatError(f"the compressed capture is damaged: {error}", offset=0) from None
        self._source = Source(stream, magic)
        if magic == pcapng.SECTION:
            self._frames = pcapng.frames(self._source, self.dropped)
        elif magic in pcap.FORMATS:
            self._frames = pcap.frames(self._source)
        else:
            what = "is empty" if not magic else f"begins with {magic.hex()}, which neither pcap nor pcapng does"
            raise FormatError(f"the capture {what}", offset=0, help="tcpdump -w and Wireshark write such files")

    def __iter__(self) -> Iterator[Frame]:
        """:class:`FormatError` where the file is damaged, after the frames before."""
        frames = self._frames
        while True:
            try:
                frame = next(frames)
            except StopIteration:
                return
            except Cut:
                self.cut = self._source.begin
                return
            yield frame


def open_capture(stream: BinaryIO) -> Capture:
    """The frames of a pcap or pcapng stream, which may be compressed by gzip.

    :class:`FormatError` if it is neither.
    """
    return Capture(stream)


class _Joined:
    """A stream of which a few bytes were read already; what :mod:`gzip` asks of it."""

    def __init__(self, head: bytes, stream: BinaryIO) -> None:
        self._head, self._stream = head, stream

    def read(self, size: int = -1) -> bytes:
        if self._head:
            data, self._head = self._head[:size], self._head[size:] if size >= 0 else b""
            return data
        return self._stream.read(size)
