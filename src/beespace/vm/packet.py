"""``Packet``: the bytes that network programs see, with the room around them, and where its headers begin."""

from __future__ import annotations

from beespace.vm.memory import Memory, Region, Rights

__all__ = ["Packet"]

_NETWORK = -0x100000  # SKF_NET_OFF (include/uapi/linux/filter.h): counted from the network header
_LINK = -0x200000  # SKF_LL_OFF: counted from the link layer's
_HEADROOM = 256  # XDP_PACKET_HEADROOM (include/uapi/linux/bpf.h)
_PAGE = 4096 - 320  # less the struct skb_shared_info at the end of an XDP frame's page
_ADDRESS = 1 << 31


class Packet:
    """A frame from its link layer's header on.

    ``start`` is where the program's packet begins: 0, or the network header for programs that get packets without
    their link layer's.  ``beyond`` are bytes of the packet that nobody has: it was cut when it was captured.
    ``meta``, ``data`` and ``end`` are places in the buffer, which helpers move.
    """

    def __init__(self, frame: bytes, *, start: int = 0, network: int = 14, beyond: int = 0) -> None:
        self._buffer = bytearray(_HEADROOM) + frame + bytes(max(0, _PAGE - _HEADROOM - len(frame)))
        self.link, self.network = _HEADROOM, _HEADROOM + network
        self._whole = start == 0  # the program's packet begins with the link layer's header
        self.data = self.meta = min(_HEADROOM + start, _HEADROOM + len(frame))
        self.end = _HEADROOM + len(frame)
        self._memory: Memory | None = None
        self.beyond = beyond
        self._region: Region | None = None
        self.rights = Rights.NONE  # of programs, to its bytes
        self.hash: int | None = None

    @property
    def room(self) -> int:
        """The place behind the buffer's last byte."""
        return len(self._buffer)

    @property
    def visible(self) -> bool:
        """Whether programs may look at its bytes themselves."""
        return self._region is not None

    @property
    def content(self) -> bytes:
        """What the program sees as the packet."""
        return bytes(self._buffer[self.data : self.end])

    @property
    def frame(self) -> bytes:
        """The packet with its link layer's header."""
        return self.content if self._whole else bytes(self._buffer[self.link : self.end])

    def at(self, offset: int, size: int) -> bytes | None:
        """``size`` bytes at a classic offset, which may count from a header; ``None`` where the packet has none."""
        if offset >= 0:
            place = self.data + offset
        elif offset >= _NETWORK:
            place = self.network + offset - _NETWORK
        elif offset >= _LINK:
            place = self.link + offset - _LINK
        else:
            return None
        return self.read(place, size)

    def read(self, place: int, size: int) -> bytes | None:
        """``size`` bytes of the buffer, if the packet goes so far."""
        return bytes(self._buffer[place : place + size]) if place + size <= self.end else None

    def write(self, place: int, data: bytes) -> bool:
        """Write bytes of the packet; ``False`` if it does not go so far."""
        if place + len(data) > self.end:
            return False
        self._buffer[place : place + len(data)] = data
        return True

    def move(self, *, meta: int | None = None, data: int | None = None, end: int | None = None) -> None:
        """The packet, and what is in front of it, begin and end somewhere else in the buffer."""
        self.meta = self.meta if meta is None else meta
        self.data = self.data if data is None else data
        self.end = self.end if end is None else end
        if self._memory is not None and self._region is not None:
            self._memory.move(self._region, _ADDRESS + self.meta, memoryview(self._buffer)[self.meta : self.end])

    def show(self, memory: Memory, rights: Rights) -> None:
        """Let a program reach the bytes."""
        self._memory, self.rights = memory, rights
        self._region = memory.add("the packet", bytearray(), rights, low=True)
        self.move()

    def hide(self, memory: Memory) -> None:
        """It cannot any more."""
        if self._region is not None:
            memory.remove(self._region)
            self._region = None

    def address(self, place: int) -> int:
        """Where programs see a place of the buffer."""
        return _ADDRESS + place
