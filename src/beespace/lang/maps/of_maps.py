"""Maps of maps: an inner map for each key."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Generic, TypeVar, overload

from beespace.lang.maps.bloom_filter import BloomFilter
from beespace.lang.maps.declaration import Map, checked_kind, entries, plain
from beespace.lang.maps.keyed import Keyed
from beespace.lang.maps.lpm_trie import LpmTrie
from beespace.lang.maps.queue import Queue
from beespace.schema import IntKind
from beespace.schema.codec import pack, unpack

__all__ = ["ArrayOfMaps", "HashOfMaps"]

K = TypeVar("K")
M = TypeVar("M", bound=Map)


class HashOfMaps(Map, Generic[K, M]):
    """Maps by key, all shaped as the template ``inner``.  Linux 4.12.

    In the kernel ``.get(key)`` gives the inner map or None.  Outside, :meth:`create` makes an empty one and puts it in;
    ``probe.outer[key]`` is an inner map as the template's class has it.
    """

    map_type = 13  # BPF_MAP_TYPE_HASH_OF_MAPS

    @overload
    def __init__(self, key: type[K], inner: M, *, max_entries: int = ...) -> None: ...
    @overload
    def __init__(self, key: K, inner: M, *, max_entries: int = ...) -> None: ...
    def __init__(self, key: Any, inner: M, *, max_entries: int = 1024) -> None:
        super().__init__(checked_kind(key, "key"), IntKind("u32", 32), entries(max_entries))
        if not isinstance(inner, Keyed | LpmTrie | Queue | BloomFilter):
            known = "hash tables, arrays, tries, queues, stacks and bloom filters"
            raise TypeError(f"maps of maps hold {known}, not a {type(inner).__name__}")
        self.inner = inner

    def get(self, key: K) -> M | None:
        """The inner map of ``key``, or None."""
        data = self.backend.get(self._pack(key))
        return None if data is None else self._open(data)

    def __getitem__(self, key: K) -> M:
        """The inner map of ``key``; :class:`KeyError` if there is none."""
        found = self.get(key)
        if found is None:
            raise KeyError(key)
        return found

    def create(self, key: K) -> M:
        """Make an empty inner map and put it in, in place of another."""
        backend = self.backend.new_inner()
        self.backend.update(self._pack(key), backend.fileno().to_bytes(4, "little"))
        return self._bound(backend)

    def __delitem__(self, key: K) -> None:
        if not self.backend.delete(self._pack(key)):
            raise KeyError(key)

    def __contains__(self, key: object) -> bool:
        return self.backend.get(self._pack(key)) is not None

    def __iter__(self) -> Iterator[K]:
        assert self.key is not None
        for data in self.backend.keys():  # noqa: SIM118 - a RawMap is no container
            if self.backend.get(data) is not None:  # an array has all keys
                yield unpack(self.key, data)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def items(self) -> Iterator[tuple[K, M]]:
        """Every key with its inner map."""
        for key in self:
            found = self.get(key)
            if found is not None:
                yield key, found

    @property
    def lost(self) -> int:
        """Insertions into inner maps that found no room."""
        return int(self.backend.lost())

    def plain(self) -> Any:
        return [[plain(key), inner.plain()] for key, inner in self.items()]

    def _pack(self, key: Any) -> bytes:
        assert self.key is not None
        return pack(self.key, key)

    def _open(self, data: bytes) -> M:
        return self._bound(self.backend.open_inner(int.from_bytes(data, "little")))

    def _bound(self, backend: Any) -> M:
        made = self.inner.bound(f"{self.name}[...]")
        made.attach_backend(backend)
        return made


class ArrayOfMaps(HashOfMaps[int, M]):
    """Maps by index, all shaped as the template ``inner``.  Linux 4.12."""

    map_type = 12  # BPF_MAP_TYPE_ARRAY_OF_MAPS

    def __init__(self, inner: M, length: int) -> None:
        super().__init__(IntKind("u32", 32), inner, max_entries=length)  # type: ignore[call-overload]
