"""Maps in memory, as programs and user space see the kernel's."""

from beespace.vm.maps.arena import Arena
from beespace.vm.maps.array import Array, PerCpuArray, ProgramArray
from beespace.vm.maps.hash import Hash, LruHash, LruPerCpuHash, PerCpuHash
from beespace.vm.maps.map import Element, Map
from beespace.vm.maps.of_maps import ArrayOfMaps, HashOfMaps, OfMaps
from beespace.vm.maps.queue import BloomFilter, Queue, Stack
from beespace.vm.maps.redirect import Redirect
from beespace.vm.maps.ring import PerfEventArray, Ring, UserRing
from beespace.vm.maps.storage import CgroupStorage, Storage
from beespace.vm.maps.table import has_type, make
from beespace.vm.maps.trie import Trie

__all__ = [
    "make", "has_type", "Map", "Element", "Array", "PerCpuArray", "ProgramArray", "Hash", "PerCpuHash", "LruHash",
    "LruPerCpuHash", "Trie", "Queue", "Stack", "BloomFilter", "Ring", "PerfEventArray", "OfMaps", "ArrayOfMaps",
    "HashOfMaps", "Storage", "Arena", "CgroupStorage", "Redirect", "UserRing",
]  # fmt: skip
