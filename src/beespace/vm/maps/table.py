"""Map type -> class."""

from __future__ import annotations

from collections.abc import Mapping

from beespace.errors import UsageError
from beespace.isa.constants import MapType
from beespace.spec import MapSpec
from beespace.vm.maps.arena import Arena
from beespace.vm.maps.array import Array, PerCpuArray, ProgramArray
from beespace.vm.maps.hash import Hash, LruHash, LruPerCpuHash, PerCpuHash
from beespace.vm.maps.map import Map
from beespace.vm.maps.of_maps import ArrayOfMaps, HashOfMaps
from beespace.vm.maps.queue import BloomFilter, Queue, Stack
from beespace.vm.maps.redirect import CpuMap, DeviceHash, DeviceMap, SocketMap
from beespace.vm.maps.ring import PerfEventArray, Ring, UserRing
from beespace.vm.maps.stack_traces import StackTraces
from beespace.vm.maps.storage import CgroupStorage, PerCpuCgroupStorage, Storage
from beespace.vm.maps.trie import Trie

__all__ = ["TYPES", "has_type", "make"]

TYPES: Mapping[int, type[Map]] = {
    MapType.ARRAY: Array,
    MapType.PERCPU_ARRAY: PerCpuArray,
    MapType.PROG_ARRAY: ProgramArray,
    MapType.HASH: Hash,
    MapType.PERCPU_HASH: PerCpuHash,
    MapType.LRU_HASH: LruHash,
    MapType.LRU_PERCPU_HASH: LruPerCpuHash,
    MapType.LPM_TRIE: Trie,
    MapType.QUEUE: Queue,
    MapType.STACK: Stack,
    MapType.BLOOM_FILTER: BloomFilter,
    MapType.RINGBUF: Ring,
    MapType.PERF_EVENT_ARRAY: PerfEventArray,
    MapType.ARRAY_OF_MAPS: ArrayOfMaps,
    MapType.HASH_OF_MAPS: HashOfMaps,
    MapType.STACK_TRACE: StackTraces,
    MapType.TASK_STORAGE: Storage,
    MapType.SK_STORAGE: Storage,
    MapType.INODE_STORAGE: Storage,
    MapType.CGRP_STORAGE: Storage,
    MapType.ARENA: Arena,
    MapType.CGROUP_STORAGE: CgroupStorage,
    MapType.PERCPU_CGROUP_STORAGE: PerCpuCgroupStorage,
    MapType.USER_RINGBUF: UserRing,
    MapType.DEVMAP: DeviceMap,
    MapType.DEVMAP_HASH: DeviceHash,
    MapType.CPUMAP: CpuMap,
    MapType.XSKMAP: SocketMap,
    MapType.SOCKMAP: SocketMap,
    MapType.REUSEPORT_SOCKARRAY: SocketMap,
}


def has_type(number: int) -> bool:
    """Whether there are maps of that type."""
    return number in TYPES


def make(spec: MapSpec, cpus: int) -> Map:
    """A map; :class:`UsageError` for a type that this machine does not have, and sizes that the type cannot have."""
    kind = TYPES.get(spec.type)
    if kind is None:
        known = ", ".join(MapType(number).name.lower() for number in TYPES)
        name = MapType(spec.type).name.lower() if spec.type in set(MapType) else str(spec.type)
        raise UsageError(f"map {spec.name!r} is of type {name}, which the machine lacks", help=f"it has {known}")
    return kind(spec, cpus)
