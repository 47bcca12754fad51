"""The ring buffer, read without a loop.

``BPF_MAP_TYPE_RINGBUF`` (Linux 5.8; kernel/bpf/ringbuf.c, include/uapi/linux/bpf.h): each record
is an 8-byte header and the data, rounded up to 8 bytes.  The header's first word is the length;
its bit 31 says that the producer still writes (BUSY), bit 30 that it gave the record up
(DISCARD).  The data pages are mapped twice, one behind the other, so a record that wraps reads
as one piece.

With one event type in a ring, every record has the same stride, so the whole backlog is one
strided array: check that every header equals the expected length, decode the columns, publish
the position.  Records of another length (a foreign program's), and events of variable length, are found by a walk
from record to record, and then decoded together.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from beespace.isa.ring_record import BUSY, DISCARD, HEADER, room
from beespace.stream.decode import Decoder

_LENGTH = struct.Struct("<I")

BATCH_ROWS = 16_384  # fastest here: columns fit the cache, and their pages are reused (bench_stream.py)


class RingRegion(Protocol):
    """What :func:`drain` needs of a mapped ring buffer."""

    @property
    def data(self) -> memoryview:
        """The data pages, mapped twice: ``2 * size`` bytes."""

    @property
    def size(self) -> int:
        """Bytes of data, a power of two."""

    @property
    def consumer(self) -> int:
        """How far the reader is; grows for ever, in bytes."""

    @property
    def producer(self) -> int:
        """How far the kernel is, loaded now."""

    def advance(self, position: int) -> None:
        """Give everything before ``position`` back to the kernel."""


@dataclass(frozen=True, slots=True)
class Drained:
    """What one :func:`drain` found.

    ``discarded``: records that the program itself gave up.  ``malformed``: records that are
    shorter than the layout and so cannot be rows; count them as lost.  ``more``: whether finished
    records may be left (the batch was full).
    """

    records: pa.RecordBatch
    discarded: int = 0
    malformed: int = 0
    more: bool = False


@dataclass(slots=True)
class _Rows:
    """Records that were found, as one array, and where the next one starts."""

    rows: NDArray[np.void]
    end: int
    discarded: int = 0
    malformed: int = 0

    def decoded(self, decoder: Decoder, boot_offset: int) -> pa.RecordBatch:
        return decoder(self.rows, boot_offset)


@dataclass(slots=True)
class _Places:
    """Records that were found, by place and length, and where the next one starts."""

    data: NDArray[np.uint8]
    end: int
    starts: list[int] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    discarded: int = 0
    malformed: int = 0

    def decoded(self, decoder: Decoder, boot_offset: int) -> pa.RecordBatch:
        return decoder.gather(self.data, np.array(self.starts, np.intp), np.array(self.sizes, np.intp), boot_offset)


def drain(region: RingRegion, decoder: Decoder, *, boot_offset: int = 0, max_rows: int = BATCH_ROWS) -> Drained:
    """Take up to ``max_rows`` finished records out of the ring and decode them.

    Stops at a record that is still being written.  Everything is copied before the position is
    published, so the result never points into the ring.
    """
    start, producer = region.consumer, region.producer
    _order_loads()
    found: _Rows | _Places | None = None
    if decoder.layout.variable is None:
        found = _same_stride(region, decoder, start, producer, max_rows)
    if found is None:
        found = _walk(region, decoder, start, producer, max_rows)
    records = found.decoded(decoder, boot_offset)
    if found.end != start:
        region.advance(found.end)
    taken = records.num_rows + found.discarded + found.malformed
    return Drained(records, found.discarded, found.malformed, more=taken >= max_rows and found.end < producer)


def _same_stride(region: RingRegion, decoder: Decoder, start: int, producer: int, max_rows: int) -> _Rows | None:
    """The records from ``start`` on as one strided view; ``None`` if one has another length."""
    length, stride = decoder.layout.size, room(decoder.layout.size)
    count = min((producer - start) // stride, max_rows)
    if count == 0 and producer != start:
        return None
    framed = np.dtype(
        {"names": ["head", "data"], "formats": ["<u4", decoder.dtype], "offsets": [0, HEADER], "itemsize": stride}
    )
    view: Any = np.frombuffer(region.data, framed, count, start & (region.size - 1))
    heads = view["head"]
    if (heads == length).all():
        _order_loads()
        return _Rows(view["data"], start + count * stride)
    heads = heads.copy()  # the producer may clear BUSY while we look
    regular = (heads & ~np.uint32(DISCARD)) == length
    if not regular.all():
        count = int(regular.argmin())
        if not heads[count] & BUSY:
            return None
        heads = heads[:count]
    _order_loads()
    kept = (heads & DISCARD) == 0
    return _Rows(view["data"][:count][kept], start + count * stride, count - int(kept.sum()))


def _walk(region: RingRegion, decoder: Decoder, start: int, producer: int, max_rows: int) -> _Places:
    """Record by record: longer ones give their first bytes, shorter ones are malformed."""
    data, mask, least = region.data, region.size - 1, decoder.least
    found = _Places(np.frombuffer(data, np.uint8), start)
    while found.end < producer and len(found.starts) + found.discarded + found.malformed < max_rows:
        place = found.end & mask
        (head,) = _LENGTH.unpack_from(data, place)
        if head & BUSY:
            break
        length = head & ~DISCARD
        if head & DISCARD:
            found.discarded += 1
        elif length < least:
            found.malformed += 1
        else:
            found.starts.append(place + HEADER)
            found.sizes.append(length)
        found.end += room(length)
    _order_loads()
    return found


_fences = (Lock(), Lock())


def _order_loads() -> None:
    """Loads before this are done before loads after it: positions, then headers, then data.

    arm64 may reorder plain loads.  A load cannot sink below the first lock's release nor rise
    above the second lock's acquire, and these two are ordered (about 100 ns, once a batch).
    """
    for fence in _fences:
        fence.acquire()
        fence.release()
