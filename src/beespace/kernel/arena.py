"""Where in an arena an object's variables go."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType

from beespace.errors import KernelError, UsageError, VerifierError
from beespace.isa.constants import MapType
from beespace.record import replace
from beespace.spec import FunctionSpec, ObjectSpec
from beespace.syscall import bpf

__all__ = ["place_arena"]

_SOCKET_FILTER = 1


def place_arena(spec: ObjectSpec, max_entries: Mapping[str, int]) -> tuple[ObjectSpec, int]:
    """``spec`` with the variables of its arena at the arena's end, and the byte offset where they begin there.

    At the beginning the first of them would be where a null pointer leads.  Kernels that let programs refer to the
    first half a GiB of a map alone (before commit 12a1fe6e12db) have them there, all the same.
    """
    for name in spec.data:
        arena = spec.maps[name]
        if arena.type == MapType.ARENA:
            break
    else:
        return spec, 0
    page = os.sysconf("SC_PAGE_SIZE")
    room = max_entries.get(name, arena.max_entries) * page
    start = room - -(-len(spec.data[name]) // page) * page
    if start < 0:
        raise UsageError(
            f"arena {name!r} has {room} bytes, and variables of {len(spec.data[name])}",
            help=f"give it more pages: max_entries={{{name!r}: ...}}",
        )
    if not start or not _reaches_far():
        return spec, 0
    moved = _mover(name, start)
    return replace(
        spec,
        programs=MappingProxyType({n: replace(p, entry=moved(p.entry)) for n, p in spec.programs.items()}),
        subprograms=MappingProxyType({n: moved(f) for n, f in spec.subprograms.items()}),
        variables=MappingProxyType({
            n: replace(v, offset=v.offset + start) if v.map == name else v for n, v in spec.variables.items()
        }),
    ), start  # fmt: skip


def _mover(name: str, start: int) -> Callable[[FunctionSpec], FunctionSpec]:
    def moved(function: FunctionSpec) -> FunctionSpec:
        if all(each.symbol != name for each in function.symbols):
            return function
        symbols = (replace(s, addend=s.addend + start) if s.symbol == name else s for s in function.symbols)
        return replace(function, symbols=tuple(symbols))

    return moved


@cache
def _reaches_far() -> bool:
    """Whether programs may refer to any byte of an arena: asked with an array that has not so many."""
    with bpf.map_create(MapType.ARRAY, 4, 1, 1, name="bee_offset") as array:
        code = struct.pack("=BBhiBBhi", 0x18, 0x21, 0, array.fileno(), 0, 0, 0, 1 << 30) + b"\x95" + bytes(7)
        try:
            bpf.prog_load(_SOCKET_FILTER, code, name="bee_offset")[0].close()
        except VerifierError as error:
            return "direct value offset of" not in error.log
        except KernelError:
            return False
    return False
