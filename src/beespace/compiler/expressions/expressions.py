"""Expressions: one function for each kind of node.

Invariant: closed by default; a node that has no entry in :data:`NODES` is refused with its place and
what to write instead.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from beespace.compiler import ir, resources, rules
from beespace.compiler.constants import table
from beespace.compiler.contexts import fields as contexts
from beespace.compiler.expressions.calls import call
from beespace.compiler.expressions.choices import conditional, either
from beespace.compiler.expressions.conditions import condition
from beespace.compiler.expressions.elements import array_element, element_at
from beespace.compiler.expressions.numbers import binary, check_index, known, plain, present, unary
from beespace.compiler.expressions.slices import sliced
from beespace.compiler.expressions.texts import as_bytes, as_text
from beespace.compiler.frame import Frame
from beespace.compiler.kernel import elements as kernel_elements
from beespace.compiler.kernel import externs, views
from beespace.compiler.kernel import types as kernel_types
from beespace.compiler.maps import attribute as map_attribute
from beespace.compiler.maps import read_item, unknown_word, words_of
from beespace.compiler.memory import in_memory, load, read_field
from beespace.compiler.names import attribute, captured, local, read_name, self_attribute
from beespace.compiler.results import item
from beespace.compiler.statements.assignments import assign_local
from beespace.compiler.structs import display, materialise
from beespace.compiler.types import (
    BOOL,
    U8,
    U32,
    Array,
    Bytes,
    Context,
    Int,
    KernelObject,
    KernelPointer,
    Literal,
    MapObject,
    MapWord,
    Program,
    Resource,
    Socket,
    Static,
    StructType,
    Text,
    Tuple,
    Type,
)
from beespace.compiler.values import Bounds, Value, sequence
from beespace.lang import KernelVariable
from beespace.lang.kernel_variables import KernelConfig
from beespace.record import replace
from beespace.schema import IntKind
from beespace.schema.kinds import kind_align

__all__ = ["value"]


def value(frame: Frame, node: ast.expr, expected: Type | None) -> Value:
    """Lower an expression."""
    lower = NODES.get(type(node))
    if lower is None:
        what, suggestion = _REFUSED.get(type(node), (f"a {type(node).__name__}", ""))
        raise frame.error(rules.NotSupported, node, what=what, suggestion=suggestion)
    return lower(frame, node, expected)


def _constant(frame: Frame, node: ast.Constant, expected: Type | None) -> Value:
    if isinstance(node.value, float | complex):
        raise frame.error(
            rules.NotSupported, node, what="a number with a fraction",
            suggestion="the kernel has no floating point; count in a smaller unit",
        )  # fmt: skip
    if node.value is Ellipsis:
        raise frame.error(rules.NotSupported, node, what="`...`", suggestion="write `pass` for an empty body")
    return captured(frame, node.value, node, "this")


def _name(frame: Frame, node: ast.Name, expected: Type | None) -> Value:
    return read_name(frame, node)


def _attribute(frame: Frame, node: ast.Attribute, expected: Type | None) -> Value:
    owner = frame.value(node.value)
    type_ = owner.type
    if isinstance(type_, Program):
        found = self_attribute(frame, node)
        named = found.type.value if isinstance(found.type, Static) else None
        return externs.config(frame, named, node.attr, node) if isinstance(named, KernelConfig) else found
    if isinstance(type_, Static) and isinstance(type_.value, KernelVariable) and node.attr == "value":
        return externs.value(frame, type_.value, node)
    if isinstance(type_, Static):
        return attribute(frame, type_.value, node)
    if isinstance(type_, (Int, Literal)) and type_.enum is not None and node.attr in ("name", "value"):
        return _of_member(frame, owner, node)
    if isinstance(type_, MapObject):
        return _map_attribute(frame, owner, type_, node)
    if isinstance(type_, Resource):
        return resources.attribute(frame, owner, node)
    owner = present(frame, owner, node.value)
    if isinstance(type_, StructType):
        return read_field(frame, materialise(frame, owner, type_.cls, node.value), node.attr, node)
    if isinstance(type_, KernelPointer) and type_.view is not None:
        return views.field(frame, owner, node.attr, node)
    if isinstance(type_, KernelPointer) and node.attr == "value" and kernel_types.is_plain(frame, type_):
        return kernel_elements.pointed(frame, owner, node)
    if isinstance(type_, (KernelPointer, KernelObject)):
        return kernel_types.field(frame, owner, node.attr, node)
    if isinstance(type_, Context):
        return contexts.field(frame, owner, node.attr, node)
    if isinstance(type_, Socket):
        return contexts.socket_field(frame, owner, node.attr, node)
    help = "of a text these work: == and .startswith(...)" if isinstance(type_, Text) else ""
    raise frame.error(
        rules.NoAttribute, node, owner=f"{ast.unparse(node.value)}, which is {type_},", name=node.attr, suggestion=help
    )


def _of_member(frame: Frame, member: Value, node: ast.Attribute) -> Value:
    """``.value`` and ``.name`` of a member of an enumeration."""
    assert isinstance(member.type, (Int, Literal)) and member.type.enum is not None
    if node.attr == "value":
        return plain(member)
    if isinstance(member.type, Literal):
        return captured(frame, member.type.enum(member.type.value).name, node, ast.unparse(node))
    raise frame.error(
        rules.NotConstant, node, what="the name of a member",
        suggestion="send the member in an event; outside it has its name",
    )  # fmt: skip


def _map_attribute(frame: Frame, owner: Value, map: MapObject, node: ast.Attribute) -> Value:
    place = map_attribute(frame, owner, node.attr)
    if place is not None:
        block, pointer, kind = place
        found = load(pointer, kind, kind_align(kind))
        return replace(found, code=sequence(block, found.expression))
    if node.attr in words_of(map.map):
        return Value(MapWord(map, node.attr), owner.code)
    raise unknown_word(frame, map, node.attr, node)


def _subscript(frame: Frame, node: ast.Subscript, expected: Type | None) -> Value:
    owner = frame.value(node.value)
    if isinstance(node.slice, ast.Slice):
        return _slice(frame, owner, node, node.slice)
    if isinstance(owner.type, MapObject):
        return read_item(frame, owner, node)
    owner = present(frame, owner, node.value)
    if isinstance(owner.type, Static) and isinstance(owner.type.value, tuple):
        return _tuple_element(frame, owner.type.value, node)
    if isinstance(owner.type, Tuple):
        return _result_item(frame, owner, owner.type, node)
    if isinstance(owner.type, Bytes) and owner.type.size is not None:
        return _byte(frame, owner, node)
    if isinstance(owner.type, Text):
        raise frame.error(
            rules.NotSupported, node, what="a single character of a text",
            suggestion="Python would raise past the end; a slice is empty there: `text[2:3]`",
        )  # fmt: skip
    if isinstance(owner.type, Array):
        pointer, kind = array_element(frame, owner, node)
        return load(pointer, kind, kind_align(kind))
    if contexts.is_element(owner):
        return contexts.element(frame, owner, node)
    if isinstance(owner.type, (KernelObject, KernelPointer)):
        return kernel_elements.subscript(frame, owner, node)
    raise frame.error(
        rules.NotSupported, node, what=f"an element of {owner.type}", suggestion="only arrays and maps have elements"
    )


def _slice(frame: Frame, owner: Value, node: ast.Subscript, slice: ast.Slice) -> Value:
    owner = as_text(frame, present(frame, owner, node.value))
    if isinstance(owner.type, KernelObject):
        owner = as_bytes(frame, owner)
    if not isinstance(owner.type, (Text, Bytes)):
        raise frame.error(
            rules.NotSupported, slice, what=f"a slice of {owner.type}", suggestion="take single elements in a `for`"
        )
    return sliced(frame, owner, slice)


def _byte(frame: Frame, owner: Value, node: ast.Subscript) -> Value:
    """``raw[i]``: a number."""
    assert isinstance(owner.type, Bytes)
    size = owner.type.size or 0
    before, pointer, _ = in_memory(frame, owner, size)
    value = known(frame, frame.value(node.slice, U32), node.slice, "an index")
    if isinstance(value.type, Literal) and -size <= value.type.value < 0:
        value = Value(Literal(value.type.value + size))
    check_index(frame, value, size, node.slice)
    return Value(U8, sequence(before, ir.Load(element_at(pointer, IntKind("u8", 8), size, frame, value), ir.U8)))


def _tuple_element(frame: Frame, values: tuple[Any, ...], node: ast.Subscript) -> Value:
    """``WEIGHTS[i]`` of a tuple of the author's module: itself, or out of a table in the object."""
    index = frame.value(node.slice)
    if isinstance(index.type, Literal):
        if not -len(values) <= index.type.value < len(values):
            found = f"the index is {index.type.value}"
            raise frame.error(rules.IndexOutOfRange, node.slice, found=found, length=len(values))
        return captured(frame, values[index.type.value], node, ast.unparse(node))
    owner = table(frame, values)
    if owner is None or not isinstance(owner.type, Array):
        raise frame.error(
            rules.NotConstant, node.slice, what="the index of a tuple of different things",
            suggestion="make its elements all numbers, all texts or all of one struct",
        )  # fmt: skip
    pointer, kind = array_element(frame, owner, node)
    element = load(pointer, kind, kind_align(kind))
    if type(kind) is not IntKind:
        return element
    return replace(element, bounds=Bounds(min(values), max(values)), literal=True)


def _result_item(frame: Frame, owner: Value, type_: Tuple, node: ast.Subscript) -> Value:
    """``pair[0]`` of what a function returned."""
    index, length = frame.value(node.slice), len(type_.items)
    if not isinstance(index.type, Literal):
        raise frame.error(rules.NotConstant, node.slice, what="the index of a tuple", suggestion="write a number")
    if not -length <= index.type.value < length:
        raise frame.error(rules.IndexOutOfRange, node.slice, found=f"the index is {index.type.value}", length=length)
    return item(owner, index.type.value % length)


def _display(frame: Frame, node: ast.List, expected: Type | None) -> Value:
    """``[1, 2]``, where it is known what array is wanted."""
    if isinstance(expected, Array):
        return display(frame, node, expected.kind)
    raise frame.error(
        rules.NotSupported, node, what="a list",
        suggestion="use an Array map, a local `values = array(u64, 8)`, or a field `list[u64] = array(u64, 8)`",
    )  # fmt: skip


def _bin_op(frame: Frame, node: ast.BinOp, expected: Type | None) -> Value:
    left = frame.value(node.left, expected)
    wanted = left.type if not isinstance(left.type, Literal) else expected
    return binary(frame, node.op, left, frame.value(node.right, wanted), node, expected)


def _unary_op(frame: Frame, node: ast.UnaryOp, expected: Type | None) -> Value:
    if isinstance(node.op, ast.Not):
        return _truth(frame, node, expected)
    return unary(frame, node.op, frame.value(node.operand, expected), node)


def _truth(frame: Frame, node: ast.expr, expected: Type | None) -> Value:
    result = condition(frame, node)
    frame.state = result.when_true.join(result.when_false)
    return Value(BOOL, result.code)


def _named(frame: Frame, node: ast.NamedExpr, expected: Type | None) -> Value:
    block = assign_local(frame, node.target, frame.value(node.value, expected), node.value)
    found = local(frame, node.target)
    return found if found.code is None else replace(found, code=sequence(block, found.code))


# Statically checked by what the table is indexed with, hence Any.
NODES: dict[type[ast.expr], Callable[[Frame, Any, Type | None], Value]] = {
    ast.Constant: _constant,
    ast.Name: _name,
    ast.Attribute: _attribute,
    ast.Subscript: _subscript,
    ast.List: _display,
    ast.BinOp: _bin_op,
    ast.UnaryOp: _unary_op,
    ast.BoolOp: either,
    ast.Compare: _truth,
    ast.IfExp: conditional,
    ast.NamedExpr: _named,
    ast.Call: call,
}

_REFUSED: dict[type[ast.expr], tuple[str, str]] = {
    ast.JoinedStr: ("an f-string", "give it to bpf.log(...) or print(...), or send the parts as fields of an event"),
    ast.Lambda: ("a lambda", "write a method and mark it with @function"),
    ast.ListComp: ("a comprehension", "write a `for` over range(...)"),
    ast.SetComp: ("a comprehension", "write a `for` over range(...)"),
    ast.DictComp: ("a comprehension", "write a `for` over range(...)"),
    ast.GeneratorExp: ("a generator", "write a `for` over range(...)"),
    ast.Dict: ("a dict", "use a Hash map"),
    ast.Set: ("a set", "use a Hash map with u8 values, or compare with each: `x in (1, 2)`"),
    ast.Tuple: ("a tuple", "use a Struct; `a, b = b, a` and `x in (1, 2)` work"),
    ast.Await: ("await", "the kernel side runs to its end at once"),
    ast.Yield: ("yield", "send events with self.ring.emit(...)"),
    ast.YieldFrom: ("yield", "send events with self.ring.emit(...)"),
    ast.Starred: ("`*`", "write the values out"),
    ast.Slice: ("a slice", "take single elements"),
}
