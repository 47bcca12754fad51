"""The live log of a program: what :class:`beespace.lang.log.Log` reads."""

from __future__ import annotations

from beespace.kernel import RingBuffer
from beespace.session.live_events import CountedRing
from beespace.session.live_map import Losses

__all__ = ["LiveLog"]


class LiveLog(CountedRing):
    """The log of a program: its ring, and the words of its messages."""

    def __init__(self, ring: RingBuffer, table: bytes, losses: Losses, index: int) -> None:
        super().__init__(ring, losses, index)
        self.table = table
