"""``Source``: a stream of bytes that knows how far it was read."""

from __future__ import annotations

import gzip
import zlib
from typing import BinaryIO

from beespace.errors import FormatError

__all__ = ["Cut", "Source"]


class Cut(Exception):
    """The stream ended in the middle of something."""


class Source:
    """A stream with the offset at which it stands; gzip is unpacked."""

    def __init__(self, stream: BinaryIO, head: bytes) -> None:
        self._head = head
        self._stream = stream
        self.offset = 0
        self.begin = 0  # of the record or block that is being read

    def take(self, size: int, *, end: bool = False) -> bytes:
        """``size`` bytes; :class:`Cut` if there are fewer, ``b""`` where the stream may ``end`` and does."""
        if end:
            self.begin = self.offset
        data = self._head[:size]
        self._head = self._head[size:]
        while len(data) < size:
            try:
                more = self._stream.read(size - len(data))
            except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                if isinstance(error, EOFError):
                    raise Cut from None
                raise FormatError(f"the compressed capture is damaged: {error}", offset=self.offset) from None
            if not more:
                if end and not data:
                    return b""
                raise Cut
            data += more
        self.offset += size
        return data
