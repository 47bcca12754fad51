"""Values of the author's module that are more than one number or text: constant structs, tuples, records.

Invariant: what is captured is what Python would find when the program is compiled; nothing of it can change in the
kernel.
"""

from __future__ import annotations

from enum import Enum, IntEnum, IntFlag
from types import SimpleNamespace
from typing import Any

from beespace.compiler import ir
from beespace.compiler.expressions.texts import write_constant
from beespace.compiler.frame import Frame
from beespace.compiler.types import Array, StructType
from beespace.compiler.values import Recipe, Value
from beespace.schema import ArrayKind, BoolKind, BytesKind, IntKind, Kind, Struct, TextKind
from beespace.schema.codec import pack
from beespace.schema.kinds import enum_kind, kind_align

__all__ = ["constant_struct", "is_constant", "table", "zeroes"]


def is_constant(found: Any) -> bool:
    """Whether ``found`` holds constants that its attributes or indexes name: a tuple, a record, a member."""
    return isinstance(found, tuple | SimpleNamespace | Enum) or hasattr(type(found), "__dataclass_fields__")


def constant_struct(found: Struct) -> Value:
    """A struct that was made outside, as it is now."""
    data = pack(type(found), found)
    return Value(
        StructType(type(found)),
        recipe=Recipe(lambda target, size, align: write_constant(target, data, align)),
        align=type(found).layout.align,
    )


def table(frame: Frame, values: tuple[Any, ...]) -> Value | None:
    """``values`` as an array in the object's constant data, for an index not known yet; ``None``: they are mixed."""
    element = _element(values)
    if element is None:
        return None
    kind = ArrayKind(element, len(values))
    name = _constant(frame, kind, pack(kind, values))
    return Value(Array(kind), ir.GlobalAddress(name), align=kind_align(element))


def zeroes(frame: Frame, size: int) -> ir.Expression:
    """The address of at least ``size`` zero bytes in the object's constant data."""
    kind = ArrayKind(IntKind("u64", 64), -(-size // 8))
    return ir.GlobalAddress(_constant(frame, kind, bytes(kind.length * 8)))


def _constant(frame: Frame, kind: ArrayKind, data: bytes) -> str:
    """The name under which the object has ``data``."""
    return frame.unit.constants.setdefault((kind, data), f"beespace_table_{len(frame.unit.constants)}")


def _element(values: tuple[Any, ...]) -> Kind | None:
    """The kind that all ``values`` are of."""
    first = type(values[0]) if values else None
    if first is None or any(type(value) is not first for value in values):
        return None
    if issubclass(first, IntEnum | IntFlag):
        return enum_kind(first)
    if first is bool:
        return BoolKind()
    if first is int:
        signed = min(values) < 0
        kind = IntKind("i64", 64, signed=True) if signed else IntKind("u64", 64)
        return kind if kind.minimum <= min(values) and max(values) <= kind.maximum else None
    if first is str:
        return TextKind(max(1, *(len(value.encode()) for value in values)))
    if first is bytes and len({len(value) for value in values}) == 1 and values[0]:
        return BytesKind(len(values[0]))
    return first if issubclass(first, Struct) else None
