"""``BloomFilter``: was this value seen?  BLOOM_FILTER (Linux 5.16)."""

from __future__ import annotations

from collections.abc import Iterable

from beespace.kernel.maps.base import Container
from beespace.syscall import bpf
from beespace.typed import Any

__all__ = ["BloomFilter"]


class BloomFilter(Container):
    """Values that can be added and asked for, but not listed nor deleted.

    ``value in filter`` may be true for a value that was never added (the fewer entries beyond ``max_entries``,
    the more rarely), but never false for one that was.  ``map_extra`` of its definition is the number of
    hash functions (0: 5).
    """

    def add(self, value: Any) -> None:
        """Add a value."""
        self.raw.update(b"", self.value.encode(value))

    def update(self, values: Iterable[Any]) -> None:
        """Add each of ``values``."""
        for value in values:
            self.add(value)

    def __contains__(self, value: object) -> bool:
        return bpf.map_holds(self.raw, self.value.encode(value))
