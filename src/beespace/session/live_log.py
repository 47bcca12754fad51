"""The live log of a program: what :class:`beespace.lang.log.Log` reads."""

from __future__ import annotations

from collections.abc import Iterator

from beespace.kernel import RingBuffer
from beespace.session.live_map import Losses
from beespace.session.waiting import records

__all__ = ["LiveLog"]


class LiveLog:
    """The log of a program: its ring, and the words of its messages."""

    def __init__(self, ring: RingBuffer, table: bytes, losses: Losses, index: int) -> None:
        self.ring = ring
        self.table = table
        self._losses = losses
        self._index = index

    def fileno(self) -> int:
        return self.ring.fileno()

    def lost(self) -> int:
        """Messages that found the ring full, since the start."""
        return self._losses.of(self._index)

    def records(self, timeout: float | None) -> Iterator[bytes]:
        """One message's bytes after another; ends when none came for ``timeout`` seconds."""
        return records(self.ring, timeout)
