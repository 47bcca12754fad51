"""Live objects in Linux: maps, programs, links, ring buffers, and what makes them from a spec.

May import: ``spec``, ``elf``, ``reloc`` and rows below; the standard library.  Invariant: whatever is
made here has one owner that closes it, and nothing outlives the process unless it was pinned: an error leaves no map,
program or attachment behind, and so does ``kill -9``.

What not every program needs is imported when it is asked for.
"""

from importlib import import_module
from importlib.machinery import PathFinder

from beespace.kernel.loader import load
from beespace.kernel.maps import Entries, Map
from beespace.kernel.object import LoadedObject
from beespace.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import beespace.lang.kernel_structs as kernel_structs
    from beespace.kernel.create import create_map
    from beespace.kernel.kernel_program import KernelProgram, Run, Statistics, open_program, statistics
    from beespace.kernel.links import Link, Where
    from beespace.kernel.links.iterator import IteratorLink
    from beespace.kernel.overwritable_ring import OverwritableRing
    from beespace.kernel.perf_buffer import PerfBuffer
    from beespace.kernel.program import LoadedProgram
    from beespace.kernel.ring import RingBuffer
    from beespace.kernel.swapped import SwappedMap
    from beespace.kernel.variables import Variable
    from beespace.kernel.vmlinux import cache_directory, vmlinux_btf
    from beespace.lang.kernel_structs import *  # noqa: F403 - the common ones, with their fields

__all__ = [
    "load", "LoadedObject", "LoadedProgram", "Variable",
    "KernelProgram", "Run", "open_program", "statistics", "Statistics",
    "create_map", "Map", "Entries", "SwappedMap", "RingBuffer", "OverwritableRing", "PerfBuffer",
    "Link", "IteratorLink", "Where",
    "vmlinux_btf", "cache_directory",
]  # fmt: skip

if TYPE_CHECKING:
    __all__ += kernel_structs.__all__

_HOMES = {
    "create": ("create_map",),
    "kernel_program": ("KernelProgram", "Run", "Statistics", "open_program", "statistics"),
    "links": ("Link", "Where"),
    "links.iterator": ("IteratorLink",),
    "perf_buffer": ("PerfBuffer",),
    "program": ("LoadedProgram",),
    "overwritable_ring": ("OverwritableRing",),
    "ring": ("RingBuffer",),
    "swapped": ("SwappedMap",),
    "variables": ("Variable",),
    "vmlinux": ("cache_directory", "vmlinux_btf"),
}


def __getattr__(name: str) -> Any:
    """What is imported when it is asked for; any other name is that of a type of the kernel, ``task_struct``."""
    for home, names in _HOMES.items():
        if name in names:
            found = globals()[name] = getattr(import_module(f"{__name__}.{home}"), name)
            return found
    path = __path__  # noqa: F405
    if (name.startswith("__") and name.endswith("__")) or PathFinder.find_spec(f"{__name__}.{name}", path):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module("beespace.lang.kernel_structs").__getattr__(name)
