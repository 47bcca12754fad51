"""Hash tables."""

from __future__ import annotations

from typing import Any, TypeVar

from beespace.lang.maps.declaration import BPF_F_NO_PREALLOC, plain
from beespace.lang.maps.keyed import Keyed, PerCpu
from beespace.schema import IntKind

__all__ = ["Hash", "LruHash", "LruPerCpuHash", "PerCpuHash"]

K = TypeVar("K")
V = TypeVar("V")
_NOEXIST, _EXIST = 1, 2  # BPF_NOEXIST, BPF_EXIST


class _Table(Keyed[K, V]):
    """Entries that come and go."""

    def setdefault(self, key: K, value: V) -> V | None:
        """The value of ``key``, which is ``value`` if it was missing; None if the map is full."""
        self.insert(key, value)
        return self.get(key)

    def insert(self, key: K, value: V) -> bool:
        """Write an entry only if there is none of that key; whether it was written."""
        return bool(self.backend.put(self._pack_key(key), self._pack_value(value), _NOEXIST))

    def replace(self, key: K, value: V) -> bool:
        """Write an entry only if there is one of that key; whether it was written."""
        return bool(self.backend.put(self._pack_key(key), self._pack_value(value), _EXIST))

    def pop(self, key: K) -> V | None:
        """Remove an entry and give its value; None if there was none."""
        data = self.backend.pop(self._pack_key(key))
        return None if data is None else self._unpack_value(data)

    def delete(self, key: K) -> bool:
        """Remove an entry; whether there was one."""
        return bool(self.backend.delete(self._pack_key(key)))

    def plain(self) -> Any:
        entries: Any = self.items()
        if isinstance(self.value_kind, IntKind):
            entries = sorted(entries, key=lambda entry: entry[1])  # the largest where the eye is
        return [[plain(key), plain(value)] for key, value in entries]

    def clear(self) -> None:
        """Remove every entry."""
        for key in list(self.backend.keys()):
            self.backend.delete(key)


class Hash(_Table[K, V]):
    """A hash table shared by all CPUs; ``+=`` on it is atomic.  Linux 3.19."""

    map_type = 1
    flags = BPF_F_NO_PREALLOC


class LruHash(_Table[K, V]):
    """A hash table that drops its oldest entries when full.  Linux 4.10."""

    map_type = 9


class PerCpuHash(PerCpu[K, V], _Table[K, V]):
    """A hash table with one value a CPU; integers are summed when read.  Linux 4.6."""

    map_type = 5
    per_cpu = True
    flags = BPF_F_NO_PREALLOC


class LruPerCpuHash(PerCpu[K, V], _Table[K, V]):
    """A per-CPU hash table that drops its oldest entries when full.  Linux 4.10."""

    map_type = 10
    per_cpu = True
