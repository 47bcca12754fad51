"""``BloomFilter``: was this value seen?"""

from __future__ import annotations

from typing import Any, Generic, TypeVar, overload

from beespace.lang.maps.declaration import Map, checked_kind, entries
from beespace.schema.codec import pack

__all__ = ["BloomFilter"]

V = TypeVar("V")


class BloomFilter(Map, Generic[V]):
    """Values that are added and asked for, and nothing else.  Linux 5.16.

    ``value in filter`` is True for every value that was added, and rarely for one that was not: about 1 in 50 with
    ``max_entries`` of them and 5 hash functions (``hashes``, 1 to 15; 0 is 5).
    """

    map_type = 30  # BPF_MAP_TYPE_BLOOM_FILTER

    @overload
    def __init__(self, value: type[V], max_entries: int = ..., *, hashes: int = ...) -> None: ...
    @overload
    def __init__(self, value: V, max_entries: int = ..., *, hashes: int = ...) -> None: ...
    def __init__(self, value: Any, max_entries: int = 10_240, *, hashes: int = 0) -> None:
        if not 0 <= hashes <= 15:
            raise TypeError(f"a bloom filter has 1 to 15 hash functions, not {hashes}")
        super().__init__(None, checked_kind(value, "value"), entries(max_entries))
        self.hashes = hashes

    def add(self, value: V) -> None:
        """Add a value."""
        assert self.value_kind is not None
        self.backend.update(b"", pack(self.value_kind, value))

    def __contains__(self, value: object) -> bool:
        assert self.value_kind is not None
        return bool(self.backend.holds(pack(self.value_kind, value)))
