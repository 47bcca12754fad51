"""``RingBuffer``: the reader's side of a ``BPF_MAP_TYPE_RINGBUF`` (Linux 5.8).

Each record is an 8-byte header and the data, rounded up to 8 bytes.  The header's first word is the
length; bit 31 says that a program still writes the record (BUSY), bit 30 that it gave it up (DISCARD).
The data pages are mapped twice in a row, so a record that wraps around lies in one piece.  Source:
kernel/bpf/ringbuf.c, include/uapi/linux/bpf.h.
"""

from __future__ import annotations

import select
from collections.abc import Callable, Iterator

from beespace.errors import UsageError
from beespace.isa.constants import MapFlag, MapType
from beespace.isa.ring_record import BUSY, DISCARD, HEADER, room
from beespace.kernel.maps import Map
from beespace.syscall import barrier
from beespace.syscall.memory import map_ring
from beespace.typed import Self

__all__ = ["RingBuffer"]


class RingBuffer:
    """Reads a ring.  One reader only: what it passes is gone.

    ``data``, ``size``, :attr:`consumer`, :attr:`producer` and :meth:`advance` are for those who
    decode many records at once; :meth:`consume` and iteration go record by record.
    """

    overwritable = False

    def __init__(self, ring: Map) -> None:
        if ring.spec.type != MapType.RINGBUF:
            raise UsageError(f"map {ring.name!r} is no ring buffer")
        if bool(ring.spec.flags & MapFlag.RB_OVERWRITE) != self.overwritable:
            which = "not overwritable" if self.overwritable else "overwritable"
            raise UsageError(f"ring {ring.name!r} is {which}", help="RingBuffer reads those that are not")
        self.name = ring.name
        #: Bytes of data, a power of two.
        self.size = ring.spec.max_entries
        self._map = ring
        self._memory = map_ring(ring, self.size)
        #: The data pages twice in a row, ``2 * size`` bytes, read-only.  Position ``p`` is at ``p % size``.
        self.data = self._memory.data
        self._produced = self._memory.producer.cast("Q")
        self._consumed = self._memory.consumer.view.cast("Q")
        self._position: int = self._consumed[0]  # not 0 if somebody has read this ring before
        self._peak = 0
        self._largest = 0

    def fileno(self) -> int:
        """A descriptor that is readable (``EPOLLIN``) while there are records: the map's."""
        return self._map.fileno()

    # -- positions -----------------------------------------------------------------------------------------

    @property
    def consumer(self) -> int:
        """How far this reader is, in bytes since the ring was made."""
        return self._position

    @property
    def producer(self) -> int:
        """How far the programs are, now; records before it may still be BUSY."""
        position: int = self._produced[0]
        barrier.fence()  # pairs with smp_store_release() of producer_pos
        return position

    def available(self) -> int:
        """Bytes from the reader to the programs, headers and unfinished records included."""
        return self.producer - self._position

    def pending(self) -> memoryview:
        """The memory from the reader to the programs, in one piece; valid until :meth:`advance`."""
        start = self._position & (self.size - 1)
        return self.data[start : start + self.available()]

    def advance(self, position: int) -> None:
        """Give everything before ``position`` (a record's start or :attr:`producer`) back to the programs."""
        barrier.fence()  # what was read must have been read before programs may overwrite it
        # Room only shrinks between two calls, so what is used now is the most that was used since the last one.
        used: int = self._produced[0] - self._position
        if used > self._peak:
            self._peak = used
        self._position = position
        self._consumed[0] = position

    def expect(self, length: int) -> None:
        """Records of ``length`` bytes come: :attr:`lost` counts with room for one of them."""
        self._largest = max(self._largest, room(length))

    @property
    def peak(self) -> int:
        """The most bytes that were ever waiting to be read, headers included; exact, not sampled."""
        return max(self._peak, self.available())

    @property
    def lost(self) -> int | None:
        """0 if no record can have been lost, ``None`` if some may have been.

        The kernel does not count records that find a ring full, but it hands room out in one rule
        (``__bpf_ringbuf_reserve()``, kernel/bpf/ringbuf.c): a record fits as long as the ring stays under its
        size.  So if there was always room for one more record of the largest length that was read here, none
        of such a length was turned away.
        """
        return 0 if self.peak + self._largest < self.size else None

    # -- records -------------------------------------------------------------------------------------------

    def consume(self, handler: Callable[[memoryview], object], limit: int | None = None) -> int:
        """Call ``handler`` with each finished record, up to ``limit`` of them; how many there were.

        The view is valid inside of the call only.  A record whose handler raises counts as read.
        Stops at one that is still being written.
        """
        count = 0
        while limit is None or count < limit:
            record = self._next()
            if record is None:
                break
            try:
                handler(record)
            finally:
                record.release()
                self.advance(self._end)
            count += 1
        return count

    def __iter__(self) -> Iterator[bytes]:
        """The finished records that are there, each as bytes of its own; ends when there is none."""
        while True:
            record = self._next()
            if record is None:
                return
            content = bytes(record)
            record.release()
            self.advance(self._end)
            yield content

    def _next(self) -> memoryview | None:
        """The next finished record that was not given up; ``_end`` is where it ends.  Skips discarded ones."""
        producer = self.producer
        while self._position < producer:
            place = self._position & (self.size - 1)
            head = int.from_bytes(self.data[place : place + 4], "little")
            if head & BUSY:
                return None
            barrier.fence()  # pairs with the exchange that clears BUSY
            length = head & ~DISCARD
            taken = room(length)
            self._end = self._position + taken
            if taken > self._largest:
                self._largest = taken
            if not head & DISCARD:
                return self.data[place + HEADER : place + HEADER + length]
            self.advance(self._end)
        return None

    def poll(self, timeout: float | None = None) -> bool:
        """Wait until there are records, at most ``timeout`` seconds (``None``: for ever); whether there are."""
        waiter = select.poll()
        waiter.register(self.fileno(), select.POLLIN)
        return bool(waiter.poll(None if timeout is None else max(timeout, 0) * 1000))

    # -- lifetime ------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Unmap the ring; the map stays open.  Calling it again does nothing.

        Arrays that still look into the ring keep its memory until they go.
        """
        self._produced.release()
        self._consumed.release()
        try:
            self._memory.close()
        except BufferError:
            self._memory.mapping.close()
            self._memory.consumer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
