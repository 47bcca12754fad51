"""Hash tables."""

from __future__ import annotations

from typing import TypeVar

from beespace.lang.maps.declaration import BPF_F_NO_PREALLOC
from beespace.lang.maps.keyed import Keyed

__all__ = ["Hash", "LruHash", "LruPerCpuHash", "PerCpuHash"]

K = TypeVar("K")
V = TypeVar("V")


class Hash(Keyed[K, V]):
    """A hash table shared by all CPUs; ``+=`` on it is atomic.  Linux 3.19."""

    map_type = 1
    flags = BPF_F_NO_PREALLOC


class LruHash(Keyed[K, V]):
    """A hash table that drops its oldest entries when full.  Linux 4.10."""

    map_type = 9


class PerCpuHash(Keyed[K, V]):
    """A hash table with one value a CPU; integers are summed when read.  Linux 4.6."""

    map_type = 5
    per_cpu = True
    flags = BPF_F_NO_PREALLOC


class LruPerCpuHash(Keyed[K, V]):
    """A per-CPU hash table that drops its oldest entries when full.  Linux 4.10."""

    map_type = 10
    per_cpu = True
