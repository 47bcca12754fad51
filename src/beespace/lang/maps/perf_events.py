"""Perf event arrays: events by CPU, and the counters of CPUs."""

from __future__ import annotations

from typing import Any, TypeVar

from beespace.lang.maps.declaration import Map, kernel_only
from beespace.lang.maps.events import Events
from beespace.schema import Event, IntKind

__all__ = ["COUNTERS", "PerfCounters", "PerfEvents"]

E = TypeVar("E", bound=Event)

_HARDWARE, _SOFTWARE = 0, 1  # PERF_TYPE_HARDWARE, PERF_TYPE_SOFTWARE
#: Names as ``perf list`` has them, with type and config of ``struct perf_event_attr`` (linux/perf_event.h).
COUNTERS = {
    "cpu-cycles": (_HARDWARE, 0),
    "instructions": (_HARDWARE, 1),
    "cache-references": (_HARDWARE, 2),
    "cache-misses": (_HARDWARE, 3),
    "branch-instructions": (_HARDWARE, 4),
    "branch-misses": (_HARDWARE, 5),
    "cpu-clock": (_SOFTWARE, 0),
    "page-faults": (_SOFTWARE, 2),
    "context-switches": (_SOFTWARE, 3),
    "cpu-migrations": (_SOFTWARE, 4),
}


class PerfEvents(Events[E]):
    """Events with a buffer for each CPU: for kernels without :class:`Ring`, and for events that a context goes with.

    Linux 4.4.  Events of different CPUs come in no order.  ``pages`` is the size of each CPU's buffer, a power of two.
    """

    map_type = 4  # BPF_MAP_TYPE_PERF_EVENT_ARRAY

    def __init__(self, event: type[E], *, pages: int = 64) -> None:
        if pages < 1 or pages & (pages - 1):
            raise TypeError(f"pages is a power of two, not {pages!r}")
        super().__init__(None, event, 0)
        self.event = event
        self.pages = pages

    def emit(self, ctx: Any, event: E) -> None:
        """Kernel only: send ``event``."""
        raise kernel_only("emit")


class PerfCounters(Map):
    """A counter of every CPU, of its hardware or of the kernel: one of :data:`COUNTERS`.  Linux 4.15.

    The counters run while the program runs; where the machine has none of that name it does not start.
    """

    map_type = 4  # BPF_MAP_TYPE_PERF_EVENT_ARRAY

    def __init__(self, counter: str) -> None:
        if counter not in COUNTERS:
            raise TypeError(f"a counter is one of {', '.join(COUNTERS)}; got {counter!r}")
        super().__init__(None, IntKind("u64", 64), 0)
        self.counter = counter
        self.type, self.config = COUNTERS[counter]

    def read(self) -> int | None:
        """Kernel only: what the counter of this CPU stands at, a u64; None if it cannot be read."""
        raise kernel_only("read")
