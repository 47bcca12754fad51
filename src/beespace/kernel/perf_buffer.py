"""``PerfBuffer``: the reader's side of a ``BPF_MAP_TYPE_PERF_EVENT_ARRAY`` (``bpf_perf_event_output``, Linux 4.4).

One ring for each CPU.  An overwritable one (Linux 4.7) never loses what came last: the kernel writes it backward, so
that the newest record is the first, and goes on over the oldest ones.

In front of the data is a page, ``struct perf_event_mmap_page``, with the kernel's
position (``data_head``) and the reader's (``data_tail``).  Each record begins with ``struct perf_event_header``; a
sample holds the length and the bytes that the program gave, a loss record how many did not fit.  Records of one
CPU come in order; those of several CPUs are read one CPU after the other.  Source: perf_event_open(2),
include/uapi/linux/perf_event.h.
"""

from __future__ import annotations

import os
import select
import struct
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from sys import byteorder

from beespace.errors import UsageError
from beespace.isa.constants import MapType
from beespace.kernel.maps import Map
from beespace.syscall import Descriptor, barrier, bpf, perf
from beespace.syscall.layout import Value
from beespace.syscall.memory import PAGE, MappedMemory, map_memory
from beespace.syscall.process import online_cpus
from beespace.typed import NamedTuple, Self

__all__ = ["PerfBuffer", "Sample"]

_BPF_OUTPUT = 10  # PERF_COUNT_SW_BPF_OUTPUT
_SAMPLE_RAW = 1 << 10
_LOST, _SAMPLE = 2, 9  # PERF_RECORD_LOST, PERF_RECORD_SAMPLE
_HEAD, _TAIL = 1024 // 8, 1032 // 8  # data_head and data_tail of struct perf_event_mmap_page, in words
_HEADER = struct.Struct("=IHH")  # type, misc, size
_LENGTH = struct.Struct("=I")
_COUNT = struct.Struct("=Q")
_POSITIONS = (1 << 64) - 1


class Sample(NamedTuple):
    """What a program put out, and on which CPU."""

    cpu: int
    data: bytes


class _CpuRing:
    """The ring of one CPU.  ``size`` is a power of two; positions count bytes and only grow."""

    def __init__(self, cpu: int, event: Descriptor, memory: MappedMemory) -> None:
        self.cpu = cpu
        self.event = event
        self.lost: int | None = 0
        self._memory = memory
        self._words = memory.view[:PAGE].cast("Q")
        self._data = memory.view[PAGE:]
        self._size = len(self._data)

    def samples(self) -> Iterator[bytes]:
        """What is there now, each as bytes of its own."""
        position: int = self._words[_TAIL]
        head: int = self._words[_HEAD]
        barrier.fence()  # pairs with the kernel's barrier before it moves data_head
        try:
            while position < head:
                kind, size, body = self._record(position)
                position += size
                if kind == _SAMPLE:
                    yield _sample(body)
                elif kind == _LOST and self.lost is not None:
                    (count,) = _COUNT.unpack_from(body, 8)  # after the event's id
                    self.lost += count
        finally:  # also when the reader stops half-way: what was given out is read
            barrier.fence()
            self._words[_TAIL] = position

    def _record(self, position: int) -> tuple[int, int, bytes]:
        """Kind, size with the header, and what follows the header."""
        kind, _, size = _HEADER.unpack(self._bytes(position, _HEADER.size))
        return kind, size, self._bytes(position + _HEADER.size, size - _HEADER.size) if size > _HEADER.size else b""

    def _bytes(self, position: int, length: int) -> bytes:
        start = position & (self._size - 1)
        piece = bytes(self._data[start : start + length])
        return piece if len(piece) == length else piece + bytes(self._data[: length - len(piece)])

    def close(self) -> None:
        self._words.release()
        self._data.release()
        self._memory.close()
        self.event.close()


class _BackwardRing(_CpuRing):
    """The ring of one CPU that the kernel fills from behind, over what is there.  Read it while it is paused."""

    _seen = 0  # where the newest record was the last time

    def samples(self) -> Iterator[bytes]:
        """What came since the last time and is still there, the newest first."""
        head: int = self._words[_HEAD]
        barrier.fence()
        written = self._seen - head & _POSITIONS
        self._seen = head
        if written > self._size:
            self.lost = None  # so many bytes, but of how many records nobody knows
        at, end = 0, min(written, self._size)
        while at + _HEADER.size <= end:
            kind, size, body = self._record(head + at)
            if size < _HEADER.size or at + size > end:  # the oldest one, whose end is overwritten
                break
            at += size
            if kind == _SAMPLE:
                yield _sample(body)


def _sample(body: bytes) -> bytes:
    (length,) = _LENGTH.unpack_from(body)
    return body[_LENGTH.size : _LENGTH.size + length]


class PerfBuffer:
    """Reads a perf event array: opens a ring on each CPU that is online and puts it into the map.

    ``pages`` is the size of each CPU's ring, a power of two.  ``wakeup_events``: the reader is woken when that many
    events have come on one CPU.  ``overwritable`` (Linux 4.7) keeps the newest records and gives up the oldest; each
    reading pauses the programs' output, and gives what is left of the records since the last one, of each CPU
    the newest first.  CPUs that go online later are not read.  Raises
    :class:`~beespace.errors.NotPermitted` (``CAP_PERFMON``) and :class:`~beespace.errors.KernelError`.
    """

    def __init__(
        self,
        array: Map,
        *,
        pages: int = 64,
        wakeup_events: int = 1,
        cpus: Sequence[int] | None = None,
        overwritable: bool = False,
    ) -> None:
        if array.spec.type != MapType.PERF_EVENT_ARRAY:
            raise UsageError(f"map {array.name!r} is no perf event array")
        if pages < 1 or pages & (pages - 1):
            raise UsageError(f"a perf buffer of {pages} pages", help="the number of pages is a power of two, as 64")
        self.name = array.name
        self.overwritable = overwritable
        self._paused = False
        self._map = Descriptor(os.dup(array.fileno()), f"map {array.name!r}")  # so that either may be closed first
        self._rings: list[_CpuRing] = []
        self._epoll = select.epoll()
        with ExitStack() as undo:
            undo.callback(self.close)
            for cpu in online_cpus() if cpus is None else cpus:
                if cpu < array.spec.max_entries:
                    self._open(cpu, pages, wakeup_events)
            undo.pop_all()

    def _open(self, cpu: int, pages: int, wakeup_events: int) -> None:
        fields: dict[str, Value] = {"sample_type": _SAMPLE_RAW, "sample_period": 1, "wakeup_events": wakeup_events}
        if self.overwritable:
            fields["write_backward"] = 1
        with ExitStack() as undo:
            event = perf.perf_event_open(
                perf.TYPE_SOFTWARE, _BPF_OUTPUT, cpu=cpu, fields=fields, what=f"read map {self.name!r} on CPU {cpu}"
            )
            undo.callback(event.close)
            # The kernel does not wait for a reader who cannot say how far he is.
            memory = map_memory(event, PAGE * (1 + pages), writable=not self.overwritable)
            undo.callback(memory.close)
            bpf.map_update(self._map, cpu.to_bytes(4, byteorder), event.fileno().to_bytes(4, byteorder))
            perf.enable(event)
            self._epoll.register(event.fileno(), select.EPOLLIN)
            undo.pop_all()
        self._rings.append((_BackwardRing if self.overwritable else _CpuRing)(cpu, event, memory))

    def fileno(self) -> int:
        """A descriptor that is readable while there are records: an epoll instance over all CPUs."""
        return self._epoll.fileno()

    @property
    def lost(self) -> int | None:
        """Records that found their CPU's ring full, as far as was read: the kernel says so behind the gap.

        Of an overwritable buffer 0, or ``None`` once some were overwritten before they were read.
        """
        counts = [ring.lost for ring in self._rings]
        return None if None in counts else sum(count for count in counts if count is not None)

    def pause(self) -> None:
        """Let nothing into the rings until :meth:`resume`: programs' ``bpf_perf_event_output()`` fails.  Linux 4.7."""
        self._paused = True
        for ring in self._rings:
            perf.pause_output(ring.event)

    def resume(self) -> None:
        """Let records in again."""
        self._paused = False
        for ring in self._rings:
            perf.resume_output(ring.event)

    def samples(self) -> Iterator[Sample]:
        """The records that are there, with their CPU; ends when there is none."""
        for ring in self._rings:
            for data in self._still(ring) if self.overwritable and not self._paused else ring.samples():
                yield Sample(ring.cpu, data)

    def _still(self, ring: _CpuRing) -> list[bytes]:
        perf.pause_output(ring.event)
        try:
            return list(ring.samples())
        finally:
            perf.resume_output(ring.event)

    def __iter__(self) -> Iterator[bytes]:
        """The records that are there, each as bytes of its own; ends when there is none.

        The kernel rounds a record up, so up to 7 bytes may follow what the program gave.
        """
        return (sample.data for sample in self.samples())

    def poll(self, timeout: float | None = None) -> bool:
        """Wait until there are records, at most ``timeout`` seconds (``None``: for ever); whether there are."""
        return bool(self._epoll.poll(None if timeout is None else max(timeout, 0)))

    def close(self) -> None:
        """Take the rings out of the map and unmap them; the map stays open.  Calling it again does nothing."""
        rings, self._rings = self._rings, []
        for ring in rings:
            bpf.map_delete(self._map, ring.cpu.to_bytes(4, byteorder))  # the map would keep the event open
            ring.close()
        self._epoll.close()
        self._map.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<PerfBuffer {self.name!r} on {len(self._rings)} CPUs>"
