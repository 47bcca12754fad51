"""``OverwritableRing``: the reader of a ``BPF_MAP_TYPE_RINGBUF`` made with ``BPF_F_RB_OVERWRITE`` (Linux 6.19).

Programs always find room: they take that of the oldest records, whether those were read or not.  The third word of the
producer's page says where the oldest record that is left begins; the kernel moves it before it writes, so a record
that was copied was whole if the word has not passed it since.  Source: ``__bpf_ringbuf_reserve()`` in
kernel/bpf/ringbuf.c, kernel commit feeaf1346f80.
"""

from __future__ import annotations

from beespace.isa.ring_record import BUSY, DISCARD, HEADER, room
from beespace.kernel.ring import RingBuffer
from beespace.syscall import barrier

__all__ = ["OverwritableRing"]

_OVERWRITTEN = 2  # overwrite_pos of struct bpf_ringbuf, in words behind producer_pos


class OverwritableRing(RingBuffer):
    """Reads the records that are left, the oldest first, each of them once; reading does not stop the programs."""

    overwritable = True
    _overtaken = False

    @property
    def lost(self) -> int | None:
        """0, or ``None`` once records were overwritten before they were read: the kernel does not count them."""
        return None if self._overtaken or self._produced[_OVERWRITTEN] > self._position else 0

    def _next(self) -> memoryview | None:
        """A copy of the next finished record; ``_end`` is where it ends."""
        while True:
            producer = self.producer
            position = self._pass_overwritten()
            if position >= producer:
                return None
            place = position & (self.size - 1)
            head = int.from_bytes(self.data[place : place + 4], "little")
            barrier.fence()  # pairs with the exchange that clears BUSY
            length = head & ~(BUSY | DISCARD)
            content = b"" if head & (BUSY | DISCARD) else bytes(self.data[place + HEADER : place + HEADER + length])
            barrier.fence()  # what was copied was read before this is
            if self._pass_overwritten() != position:
                continue  # that may have been of a newer record
            if head & BUSY:
                return None
            self._end = position + room(length)
            if not head & DISCARD:
                return memoryview(content)
            self.advance(self._end)

    def _pass_overwritten(self) -> int:
        """The position, behind what has been overwritten."""
        overwritten: int = self._produced[_OVERWRITTEN]
        if overwritten > self._position:
            self._overtaken = True
            self._position = overwritten
        return self._position
