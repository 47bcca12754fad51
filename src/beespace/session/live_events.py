"""Live rings and perf event arrays behind their declarations."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from itertools import islice
from typing import TYPE_CHECKING, Any

from beespace.isa import MapType
from beespace.kernel import RingBuffer
from beespace.kernel.maps import Map
from beespace.lang import Events, PerfCounters, PerfEvents
from beespace.schema import Layout
from beespace.session.live_map import Losses
from beespace.session.waiting import async_records, records
from beespace.syscall import Descriptor, perf
from beespace.syscall.clock import boottime_offset_ns
from beespace.syscall.process import online_cpus

if TYPE_CHECKING:
    from beespace.kernel.perf_buffer import PerfBuffer
    from beespace.stream import Decoder

__all__ = ["CountedRing", "LiveRing", "counters", "reader"]

_BATCH = 8192  # rows
_PAGES = 64  # of each CPU's buffer


class CountedRing:
    """The records of a ring whose programs count what found it full."""

    def __init__(self, ring: RingBuffer | PerfBuffer, losses: Losses, index: int) -> None:
        self.ring = ring
        self._losses = losses
        self._index = index

    def fileno(self) -> int:
        return self.ring.fileno()

    def lost(self) -> int:
        """Records that found the ring full, since the start."""
        return self._losses.of(self._index)

    def records(self, timeout: float | None) -> Iterator[bytes]:
        """One record's bytes after another; ends when none came for ``timeout`` seconds."""
        return records(self.ring, timeout)


class LiveRing(CountedRing):
    """The events of one ring, or of a perf event array."""

    def __init__(self, ring: RingBuffer | PerfBuffer, layout: Layout, losses: Losses, index: int) -> None:
        super().__init__(ring, losses, index)
        self.layout = layout
        self._decoder: Decoder | None = None

    def async_records(self) -> AsyncIterator[bytes]:
        """The same without blocking the event loop."""
        return async_records(self.ring, bytes)

    def batches(self, timeout: float | None) -> Iterator[Any]:
        """The same events as columns, one batch whenever some are there."""
        before = 0
        while True:
            batch, more = self.drain()
            if len(batch):
                lost = self.lost()
                yield batch.with_lost("ring", lost - before)
                before = lost
            if not more and not self.ring.poll(timeout):
                return

    def drain(self) -> tuple[Any, bool]:
        """What is in the ring now, as a :class:`~beespace.stream.Batch`, and whether there may be more.

        Times are in UTC.
        """
        from beespace.stream import Batch  # Arrow: only who wants columns pays for it

        drained = self.take(boottime_offset_ns())
        return Batch(self.layout.name, drained.records).with_lost("malformed", drained.malformed), drained.more

    def take(self, boot_offset: int = 0) -> Any:
        """What is in the ring now, decoded (:class:`~beespace.stream.Drained`); ``boot_offset`` is added to times."""
        from beespace.stream import Decoder, Drained, drain

        if self._decoder is None:
            self._decoder = Decoder(self.layout)
        if not isinstance(self.ring, RingBuffer):
            taken = list(islice(self.ring, _BATCH))
            return Drained(self._decoder.each(taken, boot_offset), more=len(taken) == _BATCH)
        return drain(self.ring, self._decoder, boot_offset=boot_offset)


def reader(declared: Events[Any], live: Map) -> RingBuffer | PerfBuffer:
    """What reads the map; kernels before 5.8 get a perf event array for a ring."""
    if live.spec.type == MapType.RINGBUF:
        return RingBuffer(live)
    from beespace.kernel.perf_buffer import PerfBuffer

    return PerfBuffer(live, pages=declared.pages if isinstance(declared, PerfEvents) else _PAGES)


def counters(declared: PerfCounters, live: Map) -> list[Descriptor]:
    """Start the counter on every CPU and put it into the map; the caller closes them."""
    with ExitStack() as undo:
        opened: list[Descriptor] = []
        for cpu in online_cpus():
            what = f"count {declared.counter} on CPU {cpu}"
            event = undo.enter_context(perf.perf_event_open(declared.type, declared.config, cpu=cpu, what=what))
            live.update(cpu.to_bytes(4, sys.byteorder), event.fileno().to_bytes(4, sys.byteorder))
            opened.append(event)
        undo.pop_all()
    return opened
