"""``Packet``: the bytes that network programs see, and where its headers begin."""

from __future__ import annotations

__all__ = ["Packet"]

_NETWORK = -0x100000  # SKF_NET_OFF (include/uapi/linux/filter.h): counted from the network header
_LINK = -0x200000  # SKF_LL_OFF: counted from the link layer's


class Packet:
    """A frame from its link layer's header on.

    ``start`` is where the program's offsets count from: 0, or the network header for socket filters that get
    packets without their Ethernet header.
    """

    def __init__(self, frame: bytes, *, start: int = 0, network: int = 14) -> None:
        self.frame, self.start, self.network = bytearray(frame), start, network

    def at(self, offset: int, size: int) -> bytes | None:
        """``size`` bytes at a classic offset, which may count from a header; ``None`` where the packet has none."""
        if offset >= 0:
            place = self.start + offset
        elif offset >= _NETWORK:
            place = self.network + offset - _NETWORK
        elif offset >= _LINK:
            place = offset - _LINK
        else:
            return None
        return bytes(self.frame[place : place + size]) if place + size <= len(self.frame) else None
