"""Global variables in an arena: section ``.addr_space.1``, which the object's one arena begins with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from beespace.elf.sections import SHT_PROGBITS, Section
from beespace.errors import FormatError
from beespace.isa import MapType
from beespace.spec import MapSpec

__all__ = ["ARENA", "find_arena"]

ARENA = ".addr_space.1"


def find_arena(sections: Sequence[Section], maps: Mapping[str, MapSpec]) -> tuple[Section, str] | None:
    """The section of arena variables and the name of their map, if there are any.

    Raises FormatError for two arenas (the verifier allows one a program), or for variables without one.
    """
    arenas = [each for each in maps.values() if each.type == MapType.ARENA]
    if len(arenas) > 1:
        raise FormatError(f"maps {arenas[0].name!r} and {arenas[1].name!r} are both arenas; an object has one")
    found = [each for each in sections if each.name == ARENA and each.type == SHT_PROGBITS and each.size]
    if len(found) > 1:
        raise FormatError(f"two sections are called {ARENA!r}", offset=found[1].offset)
    if not found:
        return None
    if not arenas:
        raise FormatError(
            "the object has variables in an arena, but no arena",
            offset=found[0].offset,
            help='struct { __uint(type, BPF_MAP_TYPE_ARENA); ... } arena SEC(".maps");',
        )
    return found[0], arenas[0].name
