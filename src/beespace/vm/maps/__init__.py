"""Maps in memory, as programs and user space see the kernel's."""

from beespace.vm.maps.array import Array, ProgramArray
from beespace.vm.maps.map import Element, Map
from beespace.vm.maps.table import make

__all__ = ["Map", "Element", "Array", "ProgramArray", "make"]
