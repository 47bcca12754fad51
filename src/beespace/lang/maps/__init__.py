"""Map declarations: the same names in the kernel and outside; one file for each family.

In a kernel-side method ``self.by_comm[key] += 1`` is compiled.  Outside, once the program runs, the
same object is a container over the live map.  Map types and sizes follow ``enum bpf_map_type``
(include/uapi/linux/bpf.h); each class says its minimum kernel.

Loss is never silent: a full ring, and a full hash in an insert-or-add, are counted by the
compiled code and shown as ``lost``.

Each class is imported when it is first asked for: a program has few of them, and is to start at once.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from beespace.lang.maps.declaration import Map, RawMap

if TYPE_CHECKING:
    from beespace.lang.maps.arena import Arena
    from beespace.lang.maps.array import Array, PerCpuArray
    from beespace.lang.maps.bloom_filter import BloomFilter
    from beespace.lang.maps.cgroup_array import CgroupArray
    from beespace.lang.maps.counter import Counter
    from beespace.lang.maps.events import Events, RawRing
    from beespace.lang.maps.hash import Hash, LruHash, LruPerCpuHash, PerCpuHash
    from beespace.lang.maps.histogram import Histogram, LinearHistogram
    from beespace.lang.maps.interval import Interval
    from beespace.lang.maps.lpm_trie import LpmTrie
    from beespace.lang.maps.of_maps import ArrayOfMaps, HashOfMaps
    from beespace.lang.maps.perf_events import PerfCounters, PerfEvents
    from beespace.lang.maps.program_array import ProgramArray
    from beespace.lang.maps.queue import Queue, Stack
    from beespace.lang.maps.rate import Rate
    from beespace.lang.maps.redirect import CpuMap, DevHash, DevMap, XskMap
    from beespace.lang.maps.ring import Ring
    from beespace.lang.maps.sockets import ReuseportArray, SockHash, SockMap
    from beespace.lang.maps.stack_traces import StackTraces
    from beespace.lang.maps.storage import CgroupStorage, InodeStorage, SocketStorage, TaskStorage
    from beespace.lang.maps.top_k import TopK
    from beespace.lang.maps.user_ring import UserRing
    from beespace.lang.maps.variable import Global

__all__ = [
    "Arena", "Array", "ArrayOfMaps", "BloomFilter", "CgroupArray", "CgroupStorage", "Counter", "CpuMap",
    "DevHash", "DevMap", "Events", "Global", "Hash", "HashOfMaps", "Histogram", "InodeStorage", "Interval",
    "LinearHistogram", "LpmTrie", "LruHash", "LruPerCpuHash", "Map", "PerCpuArray", "PerCpuHash",
    "PerfCounters", "PerfEvents", "ProgramArray", "Queue", "Rate", "RawMap", "RawRing", "ReuseportArray",
    "Ring", "SockHash", "SockMap", "SocketStorage", "Stack", "StackTraces", "TaskStorage", "TopK", "UserRing",
    "XskMap",
]  # fmt: skip

#: The module of this package that each class is in.
FAMILIES = {
    "Arena": "arena",
    "Array": "array",
    "ArrayOfMaps": "of_maps",
    "BloomFilter": "bloom_filter",
    "CgroupArray": "cgroup_array",
    "CgroupStorage": "storage",
    "Counter": "counter",
    "CpuMap": "redirect",
    "DevHash": "redirect",
    "DevMap": "redirect",
    "Events": "events",
    "Global": "variable",
    "Hash": "hash",
    "HashOfMaps": "of_maps",
    "Histogram": "histogram",
    "InodeStorage": "storage",
    "Interval": "interval",
    "LinearHistogram": "histogram",
    "LpmTrie": "lpm_trie",
    "LruHash": "hash",
    "LruPerCpuHash": "hash",
    "PerCpuArray": "array",
    "PerCpuHash": "hash",
    "PerfCounters": "perf_events",
    "PerfEvents": "perf_events",
    "ProgramArray": "program_array",
    "Queue": "queue",
    "Rate": "rate",
    "RawRing": "events",
    "ReuseportArray": "sockets",
    "Ring": "ring",
    "SockHash": "sockets",
    "SockMap": "sockets",
    "SocketStorage": "storage",
    "Stack": "queue",
    "StackTraces": "stack_traces",
    "TaskStorage": "storage",
    "TopK": "top_k",
    "UserRing": "user_ring",
    "XskMap": "redirect",
}


if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name not in FAMILIES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = globals()[name] = getattr(import_module(f"{__name__}.{FAMILIES[name]}"), name)
        return found
