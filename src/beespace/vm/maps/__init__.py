"""Maps in memory, as programs and user space see the kernel's."""

from beespace.vm.maps.array import Array, PerCpuArray, ProgramArray
from beespace.vm.maps.hash import Hash, LruHash, LruPerCpuHash, PerCpuHash
from beespace.vm.maps.map import Element, Map
from beespace.vm.maps.of_maps import ArrayOfMaps, HashOfMaps, OfMaps
from beespace.vm.maps.queue import BloomFilter, Queue, Stack
from beespace.vm.maps.ring import PerfEventArray, Ring
from beespace.vm.maps.storage import Storage
from beespace.vm.maps.table import make
from beespace.vm.maps.trie import Trie

__all__ = [
    "make", "Map", "Element", "Array", "PerCpuArray", "ProgramArray", "Hash", "PerCpuHash", "LruHash", "LruPerCpuHash",
    "Trie", "Queue", "Stack", "BloomFilter", "Ring", "PerfEventArray", "OfMaps", "ArrayOfMaps", "HashOfMaps", "Storage",
]  # fmt: skip
