"""``Frame``: one captured packet."""

from __future__ import annotations

from beespace.enumeration import IntEnum
from beespace.record import dataclass

__all__ = ["Direction", "Frame"]


class Direction(IntEnum):
    """Which way a frame went, seen from who captured (the numbers are those of pcapng's ``epb_flags``)."""

    UNKNOWN = 0
    INBOUND = 1
    OUTBOUND = 2


@dataclass(frozen=True, slots=True)
class Frame:
    """``data`` is what was captured of ``length`` bytes, from the link layer's header on.

    ``time`` in nanoseconds since 1970; ``link`` is the LINKTYPE_* number; ``offset`` is where the frame's record begins
    in the (unpacked) file; ``comments`` are those of the frame.
    """

    time: int
    data: bytes
    length: int
    link: int
    direction: Direction = Direction.UNKNOWN
    offset: int = 0
    comments: tuple[str, ...] = ()
