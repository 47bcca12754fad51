"""Live maps: raw bytes, and Python containers over them.

May import: ``spec``, ``btf``, ``isa``, ``syscall`` and rows below; nothing else of ``kernel``.  Invariant: a container
holds no entries of its own; whatever it says was read from the kernel at that moment.
"""

from beespace.kernel.maps.batches import Entries
from beespace.kernel.maps.map import BPF_F_MMAPABLE, BPF_F_RDONLY_PROG, Map

__all__ = ["BPF_F_MMAPABLE", "BPF_F_RDONLY_PROG", "Entries", "Map"]
