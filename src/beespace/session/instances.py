"""What an instance of a program class says before its object is loaded: its options, and how large its maps are."""

from __future__ import annotations

from beespace.lang import Declaration, Program
from beespace.schema.codec import pack
from beespace.spec import ObjectSpec

__all__ = ["changed_sizes", "packed_options"]


def packed_options(program: Program, declaration: Declaration) -> dict[str, bytes]:
    """The bytes of each option."""
    return {name: pack(declaration.options[name].kind, value) for name, value in program.options.items()}


def changed_sizes(program: Program, spec: ObjectSpec) -> dict[str, int]:
    """Entries of the maps that are to have others than in ``spec``; of maps of maps those of the tables in them."""
    return {
        name: live.max_entries
        for name, live in program.live_maps()
        if name in spec.maps and live.max_entries != (spec.maps[name].inner or spec.maps[name]).max_entries
    }
