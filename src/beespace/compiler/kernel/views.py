"""Fields of kernel structs as the author declares them (``KernelStruct``).

Invariant: only names and types come from the declaration; where a field stands is found when the object is loaded.
"""

from __future__ import annotations

import ast

from beespace.compiler import ir, rules
from beespace.compiler.diagnostics import did_you_mean
from beespace.compiler.expressions.numbers import swapped
from beespace.compiler.expressions.texts import string_recipe
from beespace.compiler.frame import Frame
from beespace.compiler.kernel.names import Declared, is_kernel_type, pointer_to, root_of, view_members
from beespace.compiler.types import ADDRESS, BOOL, Array, Bytes, KernelPointer, Text, of_int
from beespace.compiler.values import Recipe, Value
from beespace.lang import KernelStruct, KernelType
from beespace.record import replace
from beespace.schema import AddressKind, ArrayKind, BoolKind, BytesKind, EnumKind, IntKind, TextKind
from beespace.schema.kinds import kind_size

__all__ = ["access", "field"]

_BYTE = ir.CoreInt(1)


def access(frame: Frame, view: type[KernelStruct], name: str, node: ast.AST) -> ir.CoreAccess:
    """The way to a declared field; a mistake if the view has none of that name."""
    kind = _declared(frame, view, name, node)
    return ir.CoreAccess(root_of(view), (ir.CoreMember(name, _core(frame, kind, view, name, node)),), view.is_union)


def field(frame: Frame, value: Value, name: str, node: ast.AST) -> Value:
    """``value.name`` of a pointer to a view."""
    assert isinstance(value.type, KernelPointer) and value.type.view is not None
    view, trusted = value.type.view, value.type.trusted
    kind = _declared(frame, view, name, node)
    place = ir.KernelField(value.expression, access(frame, view, name, node))
    if isinstance(kind, IntKind):
        type_ = of_int(kind)
        return Value(type_, swapped(ir.Load(place, type_.code, span=frame.code_span(node)), kind))
    if isinstance(kind, BoolKind):
        return Value(BOOL, ir.Convert(ir.Load(place, ir.U8), ir.BOOL))
    if isinstance(kind, KernelType) or (isinstance(kind, type) and issubclass(kind, KernelStruct)):
        pointer = replace(pointer_to(frame, kind, node), trusted=trusted)
        assert isinstance(value.expression.type, ir.PointerType)
        return Value(pointer, ir.Load(place, value.expression.type, span=frame.code_span(node)))
    size = kind_size(kind)
    if isinstance(kind, TextKind):
        return Value(Text(size), recipe=string_recipe(frame, place, size))
    copying = Recipe(lambda target, room, align: (ir.Copy(target, place, min(size, room)),))
    if isinstance(kind, BytesKind):
        return Value(Bytes(size), recipe=copying)
    if isinstance(kind, AddressKind):
        return Value(ADDRESS, recipe=copying)
    assert isinstance(kind, ArrayKind)
    return Value(Array(kind), recipe=copying)


def _declared(frame: Frame, view: type[KernelStruct], name: str, node: ast.AST) -> Declared:
    members = view_members(frame, view, node)
    if name not in members:
        raise frame.error(
            rules.NoField, node, type=view.__name__, name=name, known=", ".join(members),
            suggestion=did_you_mean(name, members) or f"declare it in {view.__name__}",
        )  # fmt: skip
    return members[name]


def _core(frame: Frame, kind: Declared, view: type[KernelStruct], name: str, node: ast.AST) -> ir.CoreKind:
    """What CO-RE compares a declared field with the kernel's by."""
    if is_kernel_type(kind):
        return ir.CorePointer()
    if isinstance(kind, EnumKind):
        return ir.CoreEnum("", kind.size)
    if isinstance(kind, IntKind):
        return ir.CoreInt(kind.size, kind.signed)
    if isinstance(kind, BoolKind):
        return _BYTE
    if isinstance(kind, (TextKind, BytesKind)):
        return ir.CoreArray(_BYTE, kind.size)
    if isinstance(kind, AddressKind):
        return ir.CoreStruct("in6_addr")
    if isinstance(kind, ArrayKind) and isinstance(kind.element, IntKind) and not kind.element.big_endian:
        return ir.CoreArray(_core(frame, kind.element, view, name, node), kind.length)
    raise frame.error(rules.ViewField, node, view=view.__name__, name=name, found=getattr(kind, "__name__", kind))
