"""Hash tables that get memory for each entry when it is made (``BPF_F_NO_PREALLOC``), and tracing programs.

A program may run inside the kernel's allocator, or interrupt it.  Until Linux 6.1 had an allocator for that
(commit 34dd3bad1a6f) the kernel refused such tables to perf event programs, and warned in its log of other tracing
programs that used them.  There, tables of tracing programs get all of their memory at the start.
"""

from __future__ import annotations

import struct
from collections.abc import Collection
from functools import cache
from types import MappingProxyType

from beespace.errors import KernelError, VerifierError
from beespace.isa import ProgramType
from beespace.isa.constants import MapFlag, MapType
from beespace.record import replace
from beespace.spec import MapSpec, ObjectSpec, Pinning, SymbolKind
from beespace.syscall import bpf

__all__ = ["allocated_early", "preallocated"]

# is_tracing_prog_type() in kernel/bpf/verifier.c, and the tables that check_map_prealloc() there looks at.
_TRACING = {
    ProgramType.KPROBE, ProgramType.TRACEPOINT, ProgramType.PERF_EVENT, ProgramType.RAW_TRACEPOINT,
    ProgramType.RAW_TRACEPOINT_WRITABLE,
}  # fmt: skip
_TABLES = {MapType.HASH, MapType.PERCPU_HASH, MapType.HASH_OF_MAPS}


def preallocated(spec: ObjectSpec, programs: Collection[str]) -> tuple[ObjectSpec, tuple[str, ...]]:
    """``spec`` with tables that ``programs`` may use on this kernel, and the names of those that had to change.

    Maps that are shared by pinning stay as they are: others have said what they are.
    """
    if not any(_late(each) for each in spec.maps.values()):
        return spec, ()
    from beespace.hooks import resolve

    tracing = [
        spec.programs[name] for name in programs if resolve(spec.programs[name].section).hook.program_type in _TRACING
    ]
    functions = [function for program in tracing for function in spec.reached(program.entry)]
    used = {each.symbol for function in functions for each in function.symbols if each.kind is SymbolKind.MAP}
    changed = tuple(name for name, each in spec.maps.items() if name in used and _late(each))
    if not changed or _allocates_anywhere():
        return spec, ()
    maps = {name: _early(each) if name in changed else each for name, each in spec.maps.items()}
    return replace(spec, maps=MappingProxyType(maps)), changed


def allocated_early(name: str) -> str:
    """What is to be said about a map that had to change."""
    return f"map {name!r}: all of its memory is taken at once (tracing programs can ask for more since Linux 6.1)"


def _late(spec: MapSpec) -> bool:
    here = spec.type in _TABLES and bool(spec.flags & MapFlag.NO_PREALLOC) and spec.pinning is Pinning.NONE
    return here or (spec.inner is not None and _late(spec.inner))


def _early(spec: MapSpec) -> MapSpec:
    flags = spec.flags & ~MapFlag.NO_PREALLOC if spec.type in _TABLES else spec.flags
    return replace(spec, flags=flags, inner=None if spec.inner is None else _early(spec.inner))


@cache
def _allocates_anywhere() -> bool:
    """Whether the kernel lets a perf event program have such a table: no, before it could allocate there."""
    with bpf.map_create(MapType.HASH, 4, 4, 1, name="bee_allocation", map_flags=MapFlag.NO_PREALLOC) as table:
        code = struct.pack("=BBhiBBhi", 0x18, 0x11, 0, table.fileno(), 0, 0, 0, 0)  # r1 = the table
        code += struct.pack("=BBhi", 0xB7, 0, 0, 0) + b"\x95" + bytes(7)  # r0 = 0; exit
        try:
            bpf.prog_load(ProgramType.PERF_EVENT, code, name="bee_allocation")[0].close()
        except VerifierError as error:
            return "preallocated" not in error.log
        except KernelError:
            return True  # for another reason, which whoever loads the program hears
    return True
