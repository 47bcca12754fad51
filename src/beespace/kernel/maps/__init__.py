"""Live maps: raw bytes, and Python containers over them.

May import: ``spec``, ``btf``, ``isa``, ``syscall`` and rows below; nothing else of ``kernel``.  Invariant: a container
holds no entries of its own; whatever it says was read from the kernel at that moment.

:func:`container` picks the class for a map's type; the classes are imported when the first map of their type is
asked for.
"""

from __future__ import annotations

from importlib import import_module

from beespace.kernel.maps.batches import Entries
from beespace.kernel.maps.kinds import CLASSES, LiveMaps, container, open_id, open_pinned
from beespace.kernel.maps.map import BPF_F_MMAPABLE, BPF_F_RDONLY_PROG, Map
from beespace.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from beespace.kernel.maps.arena import Arena
    from beespace.kernel.maps.array import ArrayMap, ArrayMemory
    from beespace.kernel.maps.base import Container
    from beespace.kernel.maps.bloom_filter import BloomFilter
    from beespace.kernel.maps.cgroup_storage import AttachedCgroup, AttachedCgroupStorage
    from beespace.kernel.maps.hash import HashMap
    from beespace.kernel.maps.instruction_array import Instruction, InstructionArray
    from beespace.kernel.maps.lpm_trie import LpmTrie
    from beespace.kernel.maps.of_maps import ArrayOfMaps, HashOfMaps
    from beespace.kernel.maps.per_cpu import PerCpuArrayMap, PerCpuHashMap, merge
    from beespace.kernel.maps.queue import Queue, Stack
    from beespace.kernel.maps.redirect import CpuMap, CpuQueue, Device, DevMap
    from beespace.kernel.maps.rings import Ring, Sample, UserRing
    from beespace.kernel.maps.slots import CgroupArray, PerfEventArray, ProgramArray, XskMap
    from beespace.kernel.maps.sockets import SockMap
    from beespace.kernel.maps.stack_traces import BuildIdFrame, StackTraces
    from beespace.kernel.maps.storage import CgroupStorage, InodeStorage, SocketStorage, TaskStorage
    from beespace.kernel.maps.struct_ops import StructOps

__all__ = [
    "BPF_F_MMAPABLE", "BPF_F_RDONLY_PROG", "Entries", "Map",
    "container", "open_id", "open_pinned", "CLASSES", "LiveMaps", "Container",
    "HashMap", "PerCpuHashMap", "ArrayMap", "ArrayMemory", "PerCpuArrayMap", "merge", "LpmTrie",
    "Queue", "Stack", "BloomFilter", "ArrayOfMaps", "HashOfMaps",
    "ProgramArray", "PerfEventArray", "CgroupArray", "XskMap", "DevMap", "Device", "CpuMap", "CpuQueue", "SockMap",
    "StackTraces", "BuildIdFrame", "TaskStorage", "InodeStorage", "SocketStorage", "CgroupStorage",
    "AttachedCgroup", "AttachedCgroupStorage", "Ring", "UserRing", "Sample", "Arena", "StructOps",
    "Instruction", "InstructionArray",
]  # fmt: skip

_HOMES = {
    "arena": ("Arena",),
    "array": ("ArrayMap", "ArrayMemory"),
    "bloom_filter": ("BloomFilter",),
    "cgroup_storage": ("AttachedCgroup", "AttachedCgroupStorage"),
    "base": ("Container",),
    "hash": ("HashMap",),
    "instruction_array": ("Instruction", "InstructionArray"),
    "lpm_trie": ("LpmTrie",),
    "of_maps": ("ArrayOfMaps", "HashOfMaps"),
    "per_cpu": ("PerCpuArrayMap", "PerCpuHashMap", "merge"),
    "queue": ("Queue", "Stack"),
    "redirect": ("CpuMap", "CpuQueue", "DevMap", "Device"),
    "rings": ("Ring", "Sample", "UserRing"),
    "slots": ("CgroupArray", "PerfEventArray", "ProgramArray", "XskMap"),
    "sockets": ("SockMap",),
    "stack_traces": ("BuildIdFrame", "StackTraces"),
    "storage": ("CgroupStorage", "InodeStorage", "SocketStorage", "TaskStorage"),
    "struct_ops": ("StructOps",),
}


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
