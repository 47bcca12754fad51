"""``SwappedMap``: a hash table that is taken whole, once an interval, without losing an update.

An array of maps with one slot holds one of two equal hash tables.  Programs look the slot up and
work in what they find.  Taking writes the other, empty table into the slot.  The kernel answers
that update only when no program can hold the old one any more: it waits for an RCU grace period
(``maybe_wait_bpf_programs``, kernel commit 1ae80cf31938, Linux 4.20).  Only then is the old table
read and emptied, so no entry and no addition to a value can fall between two intervals.  (Sleepable
programs are not waited for; none of the hooks here are sleepable.)
"""

from __future__ import annotations

from beespace.errors import UsageError
from beespace.isa.constants import MapType
from beespace.kernel.maps import Entries, Map
from beespace.spec import MapSpec
from beespace.syscall import Descriptor

__all__ = ["SwappedMap", "is_swapped"]

_SLOT = bytes(4)
_TABLES = {MapType.HASH, MapType.PERCPU_HASH, MapType.LRU_HASH, MapType.LRU_PERCPU_HASH}


def is_swapped(spec: MapSpec) -> bool:
    """Whether a map is one to be swapped: an array of maps of one slot, hash tables inside, no given content."""
    return (
        spec.type == MapType.ARRAY_OF_MAPS
        and spec.max_entries == 1
        and spec.inner is not None
        and spec.inner.type in _TABLES
        and not spec.contents
    )


class SwappedMap(Map):
    """The array of one slot, and the two tables that take turns in it.

    ``inner`` is the spec of the tables.  It owns all three maps.  One consumer at a time.
    """

    def __init__(self, descriptor: Descriptor, spec: MapSpec, tables: tuple[Map, Map]) -> None:
        if not is_swapped(spec):
            raise UsageError(f"map {spec.name!r} is no array of maps with one slot for a hash table")
        super().__init__(descriptor, spec)
        self.inner = tables[0].spec
        self._active, self._idle = tables
        #: How many entries the last :meth:`take` found.
        self.taken = 0
        self._install(self._active)

    def _install(self, table: Map) -> None:
        self.update(_SLOT, table.fileno().to_bytes(4, "little"))

    def take(self) -> Entries:
        """Everything that programs wrote since the last call, packed, as :meth:`Map.take`.

        Costs a grace period (some milliseconds to some tens of them) besides the reading.
        """
        self._install(self._idle)
        self._active, self._idle = self._idle, self._active
        # If this fails half-way, what is left comes with the interval after the next.
        entries = self._idle.take()
        self.taken = entries[2]
        return entries

    @property
    def tables(self) -> tuple[Map, Map]:
        """The two tables."""
        return self._active, self._idle

    def peek(self) -> Entries:
        """What is in the table that programs write now; it stays there, and may change while it is read."""
        return self._active.entries()

    def close(self) -> None:
        """Close all three maps.  Calling it again does nothing."""
        self._active.close()
        self._idle.close()
        super().close()
