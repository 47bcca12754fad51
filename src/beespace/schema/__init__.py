"""Event classes, structs and semantic types: one declaration, every shape.

May import: ``errors`` (and rows below ``spec``).  Invariant: pure data; a layout is computed once,
here, and the compiler, the streams and the store read it instead of writing their own.

A class body of sized fields becomes a :class:`Layout` with the C rules (natural alignment,
declaration order); compiler, NumPy, Arrow and SQL shapes all derive from it.
"""

from beespace.schema.kinds import (
    AddressKind,
    ArrayKind,
    BoolKind,
    BytesKind,
    EnumKind,
    IntKind,
    Kind,
    PointerKind,
    ResourceKind,
    TextKind,
    VariableKind,
)
from beespace.schema.struct import Event, Field, Layout, Struct, layout_of
from beespace.schema.union import Union

__all__ = [
    "AddressKind",
    "ArrayKind",
    "BoolKind",
    "BytesKind",
    "EnumKind",
    "Event",
    "Field",
    "IntKind",
    "Kind",
    "Layout",
    "PointerKind",
    "ResourceKind",
    "Struct",
    "TextKind",
    "Union",
    "VariableKind",
    "layout_of",
]
