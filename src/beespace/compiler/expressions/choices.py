"""Values that depend on a condition: ``a if c else b``, and/or as values.

Invariant: only the side that is chosen is evaluated; both have one type, or one of them is None.
"""

from __future__ import annotations

import ast

from beespace.compiler import ir, rules
from beespace.compiler.diagnostics import Failure
from beespace.compiler.expressions.conditions import truth
from beespace.compiler.expressions.numbers import default_type, present, unify, within
from beespace.compiler.expressions.texts import as_bytes, as_text
from beespace.compiler.frame import Condition, Frame
from beespace.compiler.memory import load, store
from beespace.compiler.structs import materialise
from beespace.compiler.types import (
    ADDRESS,
    BOOL,
    Address,
    Bool,
    Bytes,
    Int,
    Literal,
    NoneType,
    Optional,
    Poison,
    StructType,
    Text,
    TextLiteral,
    Type,
)
from beespace.compiler.values import Bounds, Recipe, Value, number, place_of, sequence
from beespace.record import replace
from beespace.schema import AddressKind, BytesKind, Kind, TextKind

__all__ = ["conditional", "either"]


def conditional(frame: Frame, node: ast.IfExp, expected: Type | None) -> Value:
    """``a if condition else b``."""
    test = frame.condition(node.test)
    if not test.when_true.reachable or not test.when_false.reachable:
        frame.state = test.when_true if test.when_true.reachable else test.when_false
        return frame.value(node.body if test.when_true.reachable else node.orelse, expected)
    frame.state = test.when_true
    then = frame.value(node.body, expected)
    after_then = frame.state
    frame.state = test.when_false
    otherwise = frame.value(node.orelse, expected)
    frame.state = after_then.join(frame.state)
    return _joined(frame, test.code, then, otherwise, node, expected)


def _joined(
    frame: Frame, test: ir.Expression, then: Value, otherwise: Value, node: ast.IfExp, expected: Type | None
) -> Value:
    if isinstance(then.type, Poison) or isinstance(otherwise.type, Poison):
        raise Failure(None)
    if isinstance(then.type, (Int, Literal)) and isinstance(otherwise.type, (Int, Literal)):
        left, right, type_ = unify(frame, then, otherwise, node, expected)
        literal = all(value.literal or isinstance(value.type, Literal) for value in (then, otherwise))
        return Value(type_, ir.Select(test, left, right), then.range.union(otherwise.range), literal=literal)
    if isinstance(then.type, Bool) and isinstance(otherwise.type, Bool):
        return Value(BOOL, ir.Select(test, then.expression, otherwise.expression))
    then, otherwise = _plain(frame, then), _plain(frame, otherwise)
    bytes_type = _bytes_type(then.type, otherwise.type)
    if bytes_type is not None:
        return _copied(frame, test, then, otherwise, node, bytes_type)
    return _referred(frame, test, then, otherwise, node)


def _plain(frame: Frame, value: Value) -> Value:
    value = as_text(frame, value)
    return as_bytes(frame, value)


def _bytes_type(left: Type, right: Type) -> Text | Bytes | Address | None:
    """The type of two texts, raw bytes or addresses together."""
    for cls in (Text, Bytes):
        sizes = [type_.size for type_ in (left, right) if isinstance(type_, cls)]
        sizes += [len(t.value) for t in (left, right) if isinstance(t, TextLiteral) and t.raw == (cls is Bytes)]
        both_literal = isinstance(left, TextLiteral) and isinstance(right, TextLiteral)
        if len(sizes) == 2 and (both_literal or isinstance(left, cls) or isinstance(right, cls)):
            known = [max(size, 1) for size in sizes if size is not None]
            return cls(max(known) if len(known) == 2 else None)
    if Address() in (left, right) and all(isinstance(t, (Address, TextLiteral)) for t in (left, right)):
        return ADDRESS
    return None


def _copied(
    frame: Frame, test: ir.Expression, then: Value, otherwise: Value, node: ast.IfExp, type_: Text | Bytes | Address
) -> Value:
    """The chosen bytes are copied to where they are wanted."""
    before, chosen = frame.bind(test)

    def fill(target: ir.Expression, size: int, align: int) -> ir.Block:
        kind: Kind = AddressKind()
        if not isinstance(type_, Address):
            kind = TextKind(size) if isinstance(type_, Text) else BytesKind(size)
        return (
            ir.If(
                chosen,
                store(frame, target, align, kind, then, node.body, "this text"),
                store(frame, target, align, kind, otherwise, node.orelse, "this text"),
            ),
        )

    return Value(type_, recipe=Recipe(fill, before, reads=True))


def _referred(frame: Frame, test: ir.Expression, then: Value, otherwise: Value, node: ast.IfExp) -> Value:
    """A reference to one thing or another, or None."""
    then, otherwise = _located(frame, then, node.body), _located(frame, otherwise, node.orelse)
    if isinstance(then.type, NoneType) and _is_reference(otherwise):
        then = replace(otherwise, code=ir.Const(0, otherwise.expression.type), type=_maybe(otherwise.type))
    elif isinstance(otherwise.type, NoneType) and _is_reference(then):
        otherwise = replace(then, code=ir.Const(0, then.expression.type), type=_maybe(then.type))
    if not (_is_reference(then) and _is_reference(otherwise)) or _shape(then.type) != _shape(otherwise.type):
        raise frame.error(
            rules.TypeMismatch, node.orelse, place="the other side of this `if ... else`", expected=then.type,
            found=otherwise.type,
        )  # fmt: skip
    if then.expression.type != otherwise.expression.type:
        raise frame.error(
            rules.TypeMismatch, node, place="`if ... else`", expected="two things in one kind of memory",
            found=f"one {place_of(then.expression)} and one {place_of(otherwise.expression)}",
        )  # fmt: skip
    type_ = _maybe(then.type) if Optional in (type(then.type), type(otherwise.type)) else then.type
    code = ir.Select(test, then.expression, otherwise.expression)
    return Value(type_, code, align=min(then.align, otherwise.align))


def _is_reference(value: Value) -> bool:
    return value.code is not None and isinstance(value.code.type, ir.PointerType)


def _shape(type_: Type) -> tuple[Type, Kind | None]:
    return (type_.inner, type_.kind) if isinstance(type_, Optional) else (type_, None)


def _maybe(type_: Type) -> Optional:
    return type_ if isinstance(type_, Optional) else Optional(type_)


def _located(frame: Frame, value: Value, node: ast.expr) -> Value:
    if value.recipe is not None and isinstance(value.type, StructType):
        return materialise(frame, value, value.type.cls, node)
    return value


# --- and, or -------------------------------------------------------------------------------------


def either(frame: Frame, node: ast.BoolOp, expected: Type | None) -> Value:
    """``a and b``, ``a or b`` as values: of bools, of numbers, of a number that may be None."""
    first_node = node.values[0]
    if _is_truth(first_node):
        return _bools(frame, node, frame.condition(first_node))
    first = frame.value(first_node, expected)
    if isinstance(first.type, Bool):
        return _bools(frame, node, truth(frame, first, first_node))
    for previous, operand in zip(node.values, node.values[1:], strict=False):
        first = _either(frame, node, first, previous, operand, expected)
    return first


def _is_truth(node: ast.expr) -> bool:
    """Whether the form of an expression says that it is a bool."""
    return isinstance(node, ast.Compare) or (isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not))


def _bools(frame: Frame, node: ast.BoolOp, result: Condition) -> Value:
    conjunction = isinstance(node.op, ast.And)
    for operand in node.values[1:]:
        frame.state = result.when_true if conjunction else result.when_false
        if not frame.state.reachable:
            break  # settled by the types that were compiled with
        if _is_truth(operand):
            right = frame.condition(operand)
        else:
            value = present(frame, frame.value(operand, BOOL), operand)
            if not isinstance(value.type, Bool):
                word = "and" if conjunction else "or"
                raise frame.error(
                    rules.TypeMismatch, operand, place=f"`{word}` after a bool", expected="a bool", found=value.type
                )
            right = truth(frame, value, operand)
        if conjunction:
            code: ir.Expression = ir.And(result.code, right.code)
            result = Condition(code, right.when_true, result.when_false.join(right.when_false))
        else:
            code = ir.Or(result.code, right.code)
            result = Condition(code, result.when_true.join(right.when_true), right.when_false)
    frame.state = result.when_true.join(result.when_false)
    return Value(BOOL, result.code)


def _either(
    frame: Frame, node: ast.BoolOp, left: Value, left_node: ast.expr, right_node: ast.expr, expected: Type | None
) -> Value:
    keeps_left = isinstance(node.op, ast.Or)
    if isinstance(left.type, Literal):
        type_ = expected if isinstance(expected, Int) else default_type(left.type.value)
        left = Value(type_, number(left.type.value, type_))
    may_be_none = isinstance(left.type, Optional) and isinstance(left.type.inner, Int) and keeps_left
    if not isinstance(left.type, Int) and not may_be_none:
        raise frame.error(
            rules.NotSupported, node, what=f"`{'or' if keeps_left else 'and'}` of {left.type}",
            suggestion="write it as `a if condition else b`",
        )  # fmt: skip
    before, code = frame.bind(left.expression)
    left = replace(left, code=code)
    test = truth(frame, left, left_node)
    frame.state = test.when_false if keeps_left else test.when_true
    if isinstance(left.type, Optional):
        assert left.type.kind is not None
        left = load(code, left.type.kind, left.align)
    right = present(frame, frame.value(right_node, left.type), right_node)
    frame.state = (test.when_true if keeps_left else test.when_false).join(frame.state)
    if not isinstance(right.type, (Int, Literal)):
        raise frame.error(
            rules.TypeMismatch, right_node, place=f"the right side, after a {left.type},", expected="a number",
            found=right.type,
        )  # fmt: skip
    left_code, right_code, type_ = unify(frame, left, right, right_node, expected)
    first, second = (left_code, right_code) if keeps_left else (right_code, left_code)
    kept = replace(left.range, nonzero=True) if keeps_left else Bounds(0, 0)
    return Value(type_, sequence(before, ir.Select(test.code, first, second)), within(kept.union(right.range), type_))
