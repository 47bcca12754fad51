"""``Interval``: a table that user space takes whole, once an interval."""

from __future__ import annotations

from typing import Any, Generic, TypeVar, overload

from beespace.lang.maps.declaration import Map, checked_kind, entries, kernel_only

__all__ = ["Interval"]

K = TypeVar("K")
V = TypeVar("V")


class Interval(Map, Generic[K, V]):
    """A hash table that user space takes whole, once an interval, without losing an update.

    Two inner tables stand behind one slot of an array of maps.  Taking swaps the slot; the kernel
    waits until no program uses the old table (map-in-map updates wait for an RCU grace period,
    kernel commit 1ae80cf31938), and only then is it read and emptied.  Linux 4.18.
    """

    map_type = 12  # BPF_MAP_TYPE_ARRAY_OF_MAPS

    @overload
    def __init__(self, *, key: type[K], value: type[V], max_entries: int = ...) -> None: ...
    @overload
    def __init__(self, *, key: K, value: type[V], max_entries: int = ...) -> None: ...
    def __init__(self, *, key: Any, value: Any, max_entries: int = 65_536) -> None:
        super().__init__(checked_kind(key, "key"), checked_kind(value, "value"), entries(max_entries))

    def get(self, key: K) -> V | None:
        """Kernel only: the value in place, or None."""
        raise kernel_only("get")

    def get_or_create(self, key: K) -> V | None:
        """Kernel only: the value in place, made of zeroes if it was missing; None if the map is full."""
        raise kernel_only("get_or_create")

    def take(self) -> tuple[bytearray, bytearray, int]:
        """All entries since the last call, as packed keys, packed values and their number."""
        keys, values, count = self.backend.take()
        return keys, values, count

    @property
    def lost(self) -> int:
        """Insertions that found the table full."""
        return int(self.backend.lost())
