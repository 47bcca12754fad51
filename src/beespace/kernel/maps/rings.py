"""Ring buffers: RINGBUF (Linux 5.8), which a reader of its own reads, and USER_RINGBUF (6.1), which is written here.

Each record of a user ring is an 8-byte header and the data, rounded up to 8 bytes.  The header's first word is the
length; bit 31 says that it is still being written (BUSY), bit 30 that it was given up (DISCARD).  Source:
``__bpf_user_ringbuf_peek()`` in kernel/bpf/ringbuf.c.
"""

from __future__ import annotations

import select
import time

from beespace.errors import UsageError
from beespace.isa.ring_record import BUSY, DISCARD, HEADER, room
from beespace.kernel.maps.base import Container
from beespace.kernel.maps.coding import Types
from beespace.kernel.maps.map import Map
from beespace.syscall import barrier
from beespace.syscall.memory import RingMemory, map_user_ring
from beespace.typed import Any, Self

__all__ = ["Ring", "Sample", "UserRing"]


class Ring(Container):
    """A ring buffer that programs fill.  :class:`beespace.kernel.RingBuffer` reads it."""

    @property
    def size(self) -> int:
        """Bytes of data, a power of two."""
        return self.spec.max_entries


class UserRing(Container):
    """A ring buffer that programs read (``bpf_user_ringbuf_drain``).  One writer at a time.

    >>> with ring.reserve(8) as sample:                                        # doctest: +SKIP
    ...     sample.data[:] = (5).to_bytes(8, "little")                         # submitted at the end of the block
    """

    def __init__(self, raw: Map, types: Types = lambda: None) -> None:
        super().__init__(raw, types)
        self.size = raw.spec.max_entries
        self._mapped: RingMemory | None = None
        self._consumed: memoryview[int] | None = None
        self._produced: memoryview[int] | None = None

    def _memory(self) -> RingMemory:
        if self._mapped is None:
            self._mapped = map_user_ring(self.raw, self.size)
            self._consumed = self._mapped.consumer.view.cast("Q")
            self._produced = self._mapped.producer.cast("Q")
        return self._mapped

    def free(self) -> int:
        """Bytes that can be reserved now, headers included."""
        self._memory()
        assert self._consumed is not None and self._produced is not None
        consumed = self._consumed[0]
        barrier.fence()  # what programs have read may be written again only after they said so
        return self.size - (self._produced[0] - consumed)

    def reserve(self, size: int, timeout: float | None = 0) -> Sample:
        """Room for a record of ``size`` bytes, to be filled and submitted.

        Waits up to ``timeout`` seconds (``None``: for ever) for programs to make room; :class:`BlockingIOError` if
        there is none then.  :class:`UsageError` for a record that never fits.
        """
        total = room(size)
        if not 0 <= size < DISCARD or total > self.size:
            raise UsageError(f"a record of {size} bytes does not fit user ring {self.name!r} of {self.size} bytes")
        deadline = None if timeout is None else time.monotonic() + timeout
        while self.free() < total:
            rest = None if deadline is None else deadline - time.monotonic()
            if rest is not None and rest <= 0:
                raise BlockingIOError(f"user ring {self.name!r} is full: no program has read it")
            waiter = select.poll()
            waiter.register(self.fileno(), select.POLLOUT)
            # The kernel wakes a writer once for each time that programs read, so look again now and then.
            waiter.poll(100 if rest is None else min(100, 1000 * rest))
        memory = self._memory()
        assert self._produced is not None
        position = self._produced[0]
        at = position & (self.size - 1)
        header = memory.data[at : at + HEADER].cast("I")
        header[1] = 0
        header[0] = size | BUSY
        barrier.fence()  # programs must see the header before the position behind it
        self._produced[0] = position + total
        return Sample(memory.data[at + HEADER : at + HEADER + size], header)

    def submit(self, record: Any, timeout: float | None = 0) -> None:
        """Write one record: bytes, or a value of the ring's value type.  Errors as :meth:`reserve`."""
        data = record if isinstance(record, bytes | bytearray | memoryview) else self.value.encode(record)
        with self.reserve(len(data), timeout) as sample:
            sample.data[:] = data

    def close(self) -> None:
        """Unmap the ring and close the map.  Calling it again does nothing."""
        if self._mapped is not None:
            for view in (self._consumed, self._produced):
                assert view is not None
                view.release()
            self._mapped.close()
            self._mapped = None
        super().close()


class Sample:
    """A reserved record: :attr:`data` to be filled, then :meth:`submit` or :meth:`discard`.

    As a context manager it is submitted at the end of the block, and discarded if that raises.
    """

    def __init__(self, data: memoryview, header: memoryview[int]) -> None:
        self.data = data
        self._header: memoryview[int] | None = header

    def submit(self) -> None:
        """Give it to the programs."""
        self._finish(0)

    def discard(self) -> None:
        """Let the programs pass over it."""
        self._finish(DISCARD)

    def _finish(self, bit: int) -> None:
        header, self._header = self._header, None
        if header is None:
            raise UsageError("this record of a user ring was submitted or discarded before")
        barrier.fence()  # programs must see the data before the header without BUSY
        header[0] = len(self.data) | bit
        header.release()
        self.data.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *rest: object) -> None:
        if self._header is not None:
            self._finish(0 if kind is None else DISCARD)
