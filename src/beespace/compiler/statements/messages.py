"""f-strings: texts with values in them, taken apart into what is known while compiling and what is not.

Invariant: a format that Python would not take of such a value is refused here; user space formats the values with
Python's own ``format()``.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any, TypeAlias

from beespace.compiler import ir, rules
from beespace.compiler.expressions.numbers import present
from beespace.compiler.expressions.texts import as_bytes, as_text
from beespace.compiler.frame import Frame
from beespace.compiler.memory import SLOT_ALIGN, store
from beespace.compiler.types import (
    Address,
    Bool,
    Bytes,
    Int,
    KernelObject,
    KernelPointer,
    Literal,
    NoneType,
    Text,
    TextLiteral,
)
from beespace.compiler.values import Value
from beespace.record import dataclass
from beespace.schema import AddressKind, BytesKind, Kind, TextKind
from beespace.schema.kinds import kind_size

__all__ = ["Hole", "Part", "kind_of", "located_hole", "parts_of"]

_UNSIZED = 64  # bytes of a text of the kernel that has no size of its own


@dataclass(frozen=True, slots=True)
class Hole:
    """A value in a text, with the format that is asked for."""

    value: Value
    node: ast.expr
    conversion: str
    format: str


Part: TypeAlias = "str | Hole"


def parts_of(frame: Frame, node: ast.expr) -> list[Part]:
    """The parts of an f-string, a plain text, or of a single value."""
    if not isinstance(node, ast.JoinedStr):
        value = frame.value(node)
        if isinstance(value.type, NoneType):
            return ["None"]
        return _literal(value, "", "") or [_hole(frame, node, "", "")]
    parts: list[Part] = []
    for item in node.values:
        if isinstance(item, ast.Constant):
            parts.append(str(item.value))
            continue
        assert isinstance(item, ast.FormattedValue)
        conversion = chr(item.conversion) if item.conversion >= 0 else ""
        spec = item.format_spec
        pieces = spec.values if isinstance(spec, ast.JoinedStr) else []
        texts = [part.value for part in pieces if isinstance(part, ast.Constant)]
        if len(texts) != len(pieces):
            raise frame.error(rules.NotConstant, item, what="a format", suggestion="write the width out")
        parts.append(_hole(frame, item.value, conversion, "".join(map(str, texts))))
    return parts


def _literal(value: Value, conversion: str, format: str) -> list[Part]:
    """What is known while compiling is formatted now."""
    found: object = None
    if isinstance(value.type, Literal):
        found = value.type.value
    elif isinstance(value.type, TextLiteral):
        found = value.type.value if value.type.raw else value.type.value.decode()
    else:
        return []
    return [f"{_CONVERSIONS[conversion](found):{format}}"]


_CONVERSIONS: dict[str, Callable[[Any], object]] = {"": lambda found: found, "s": str, "r": repr, "a": ascii}


_SAMPLES = {Int: 0, Literal: 0, Bool: False, Text: "", TextLiteral: "", Address: "", Bytes: b""}


def _hole(frame: Frame, node: ast.expr, conversion: str, format: str) -> Part:
    value = present(frame, frame.value(node), node)
    if isinstance(value.type, (KernelObject, KernelPointer)):
        value = as_text(frame, value)
    if isinstance(value.type, KernelObject):
        value = as_bytes(frame, value)
    if type(value.type) not in _SAMPLES:
        suggestion = "numbers, bools, texts, raw bytes and addresses have a text; name single fields"
        if isinstance(value.type, KernelPointer):
            suggestion = "name single fields; u64(...) of a pointer is its address"
        raise frame.error(rules.NotSupported, node, what=f"{value.type} in an f-string", suggestion=suggestion)
    sample = _SAMPLES[type(value.type)]
    try:
        f"{_CONVERSIONS[conversion](sample):{format}}"
    except (ValueError, TypeError) as error:
        raise frame.error(rules.FormatMismatch, node, format=format, found=value.type, why=str(error)) from None
    known = _literal(value, conversion, format)
    return known[0] if known else Hole(value, node, conversion, format)


def kind_of(value: Value) -> Kind | None:
    """The kind of a hole that has bytes; ``None`` for numbers and bools."""
    type_ = value.type
    if isinstance(type_, Text):
        return TextKind(type_.size or _UNSIZED)
    if isinstance(type_, Bytes):
        return BytesKind(type_.size or _UNSIZED)
    return AddressKind() if isinstance(type_, Address) else None


def located_hole(frame: Frame, hole: Hole) -> tuple[ir.Block, Value]:
    """The hole's value evaluated: a number in a register, bytes in memory of their own."""
    kind = kind_of(hole.value)
    if kind is None:
        block, code = frame.bind(hole.value.expression)
        return block, Value(hole.value.type, code)
    slot = frame.scope.slot(kind_size(kind))
    return store(frame, slot, SLOT_ALIGN, kind, hole.value, hole.node, "the text"), Value(
        hole.value.type, slot, align=SLOT_ALIGN
    )
