"""What a ``for`` and a generator go through: ranges, arrays, bytes, tuples, and these numbered, joined or turned round.

Invariant: how many elements there are is known while compiling; each is read when its round begins, as in Python.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from enum import EnumType
from typing import Any

from beespace.compiler import ir, rules
from beespace.compiler.constants import table
from beespace.compiler.expressions.call_arguments import arguments_of
from beespace.compiler.expressions.elements import element_at
from beespace.compiler.expressions.numbers import default_type, known, present, unify
from beespace.compiler.frame import Frame
from beespace.compiler.memory import load
from beespace.compiler.ranges import range_rounds
from beespace.compiler.statements.rounds import MAX_CALLED, Item, Rounds
from beespace.compiler.structs import materialise
from beespace.compiler.types import U32, Array, Bytes, Int, Literal, Range, Static, TextLiteral
from beespace.compiler.values import Bounds, Value, number
from beespace.record import replace
from beespace.schema import IntKind
from beespace.schema.kinds import kind_align

__all__ = ["rounds_of"]

_U8 = IntKind("u8", 8)


def rounds_of(frame: Frame, node: ast.expr) -> Rounds:
    """The rounds of a loop over ``node``."""
    if isinstance(node, ast.Tuple | ast.List) and node.elts:
        return _written_out(frame, node)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        target = frame.value(node.func).type
        rule = _CALLS.get(target.value) if isinstance(target, Static) and callable(target.value) else None
        if rule is not None:
            return rule(frame, node)
        if isinstance(target, Static) and target.value is range and isinstance(frame.value(node).type, Range):
            return range_rounds(frame, node)
    value = present(frame, frame.value(node), node)
    constants: tuple[Any, ...] = ()
    if isinstance(value.type, Static) and isinstance(value.type.value, tuple):
        constants = value.type.value
    elif (isinstance(value.type, Static) and isinstance(value.type.value, EnumType)) or (
        isinstance(value.type, TextLiteral) and value.type.raw
    ):
        constants = tuple(value.type.value)
    if constants:
        found = table(frame, constants)
        if found is not None:
            bounds = Bounds(min(constants), max(constants)) if type(constants[0]) is int else None
            return _elements(frame, found, node, bounds)
    if isinstance(value.type, Array) or (isinstance(value.type, Bytes) and value.type.size is not None):
        return _elements(frame, value, node)
    raise frame.error(
        rules.NotSupported, node, what=f"a `for` over {value.type}",
        suggestion="loops go over range(), array fields, raw bytes, and tuples of numbers or texts",
    )  # fmt: skip


def _elements(frame: Frame, value: Value, node: ast.expr, bounds: Bounds | None = None) -> Rounds:
    """The elements of an array or of raw bytes; ``bounds`` are those of literals."""
    if isinstance(value.type, Array):
        length, element = value.type.kind.length, value.type.kind.element
        value = materialise(frame, value, value.type.kind, node)
    else:
        assert isinstance(value.type, Bytes) and value.type.size is not None
        length, element = value.type.size, _U8
        if value.code is None:
            raise frame.error(rules.NotSupported, node, what=f"a `for` over {value.type} that has no place yet",
                              suggestion="keep the bytes in a local first")  # fmt: skip
    before, pointer = frame.bind_address(value.expression)

    def begin(frame: Frame, index: ir.Expression, target: ast.expr) -> tuple[ir.Block, Item]:
        place = Value(U32, index, Bounds(0, length - 1))
        found = load(element_at(pointer, element, length, frame, place), element, min(value.align, kind_align(element)))
        if bounds is not None:
            found = replace(found, bounds=bounds, literal=True)
        return (), found

    return Rounds(length, begin, before, ir.Const(length, ir.U32))


def _written_out(frame: Frame, node: ast.Tuple | ast.List) -> Rounds:
    """``for port in (80, 443, n)``: all are evaluated before the first round."""
    constants = tuple(item.value for item in node.elts if isinstance(item, ast.Constant))
    texts = len(constants) == len(node.elts) and all(type(item) in (str, bytes) for item in constants)
    found = table(frame, constants) if texts else None
    if found is not None:
        return _elements(frame, found, node)
    before: ir.Block = ()
    values = []
    for item in node.elts:
        value = known(frame, frame.value(item), item, "an element of a tuple that a loop goes over")
        if value.code is not None:
            block, code = frame.bind(value.code)
            before += block
            value = replace(value, code=code)
        values.append(value)
    type_, bounds = _meeting(frame, values, node)
    codes = [unify(frame, value, Value(type_, number(0, type_)), node)[0] for value in values]
    literal = all(isinstance(value.type, Literal) for value in values)

    def begin(frame: Frame, index: ir.Expression, target: ast.expr) -> tuple[ir.Block, Item]:
        chosen = codes[-1]
        for at, code in reversed([*enumerate(codes[:-1])]):
            chosen = ir.Select(ir.Compare(ir.CompareOp.EQ, index, ir.Const(at, ir.U32)), code, chosen)
        return (), Value(type_, chosen, bounds, literal=literal)

    return Rounds(len(codes), begin, before, ir.Const(len(codes), ir.U32))


def _meeting(frame: Frame, values: list[Value], node: ast.AST) -> tuple[Int, Bounds]:
    """The type that all ``values`` have together, and their bounds."""
    typed = [value for value in values if isinstance(value.type, Int)]
    bounds = values[0].range
    for value in values[1:]:
        bounds = bounds.union(value.range)
    if not typed:
        return default_type(bounds.low), bounds
    widest = typed[0]
    for value in typed[1:]:
        *_, type_ = unify(frame, widest, value, node)
        widest = Value(type_, number(0, type_))
    assert isinstance(widest.type, Int)
    return widest.type, bounds


# --- enumerate, zip, reversed --------------------------------------------------------------------


def _enumerate(frame: Frame, node: ast.Call) -> Rounds:
    """``enumerate(sequence, start=0)``."""
    start = next((keyword.value for keyword in node.keywords if keyword.arg == "start"), None)
    names = [keyword for keyword in node.keywords if keyword.arg != "start"]
    if names or not 1 <= len(node.args) + (start is not None) <= 2 or not node.args:
        raise frame.error(rules.ArgumentCount, node, function="enumerate()", expected="a sequence, and a start",
                          found=len(node.args) + len(node.keywords))  # fmt: skip
    start = node.args[1] if len(node.args) == 2 else start
    first = frame.value(start) if start is not None else Value(Literal(0))
    if not isinstance(first.type, Literal) or not 0 <= first.type.value <= U32.maximum - MAX_CALLED:
        raise frame.error(rules.NotConstant, start or node, what="the start", suggestion="write a number, not below 0")
    inner, at = rounds_of(frame, node.args[0]), first.type.value

    def begin(frame: Frame, index: ir.Expression, target: ast.expr) -> tuple[ir.Block, Item]:
        block, item = inner.begin(frame, index, _part(target, 1))
        code = ir.Binary(ir.BinaryOp.ADD, index, number(at, U32)) if at else index
        return block, (Value(U32, code, Bounds(at, at + max(inner.limit - 1, 0))), item)

    return replace(inner, begin=begin)


def _zip(frame: Frame, node: ast.Call) -> Rounds:
    """``zip(a, b)``: as many rounds as the shortest has."""
    strict = [keyword for keyword in node.keywords if keyword.arg == "strict"]
    if len(strict) != len(node.keywords) or len(node.args) < 2:
        raise frame.error(rules.ArgumentCount, node, function="zip()", expected="two or more sequences",
                          found=len(node.args) + len(node.keywords))  # fmt: skip
    parts = [rounds_of(frame, argument) for argument in node.args]
    loose = not strict or (isinstance(strict[0].value, ast.Constant) and strict[0].value.value is False)
    if not loose and (len({part.limit for part in parts}) > 1 or not all(part.certain for part in parts)):
        raise frame.error(rules.NotSupported, strict[0], what="`strict` with sequences that may differ in length",
                          suggestion="Python would raise; leave it out to stop at the end of the shortest")  # fmt: skip

    def begin(frame: Frame, index: ir.Expression, target: ast.expr) -> tuple[ir.Block, Item]:
        block: ir.Block = ()
        items: list[Item] = []
        for at, part in enumerate(parts):
            opening, item = part.begin(frame, index, _part(target, at))
            block += opening
            items.append(item)
        return block, tuple(items)

    before = tuple(statement for part in parts for statement in part.before)
    limit, certain = min(part.limit for part in parts), all(part.certain for part in parts)
    return Rounds(limit, begin, before, ir.Const(limit, ir.U32) if certain else None, certain)


def _reversed(frame: Frame, node: ast.Call) -> Rounds:
    """``reversed(sequence)``."""
    (argument,) = arguments_of(frame, node, "reversed", 1)
    inner = rounds_of(frame, argument)
    if inner.count is None or (isinstance(argument, ast.Call) and not _is_range(argument)):
        raise frame.error(rules.NotSupported, argument, what="this sequence, turned round,",
                          suggestion="reversed() takes arrays, tuples, and ranges by 1")  # fmt: skip
    before, count = frame.bind(inner.count)

    def begin(frame: Frame, index: ir.Expression, target: ast.expr) -> tuple[ir.Block, Item]:
        last = ir.Binary(ir.BinaryOp.SUB, count, ir.Const(1, ir.U32))
        block, place = frame.bind(ir.Binary(ir.BinaryOp.SUB, last, index))
        end = () if inner.certain else (ir.If(ir.Compare(ir.CompareOp.GE, index, count), (ir.Break(),)),)
        opening, item = inner.begin(frame, place, target)
        return (*end, *block, *opening), item

    return replace(inner, begin=begin, before=inner.before + before)


def _is_range(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Name) and node.func.id == "range"


def _part(target: ast.expr, number: int) -> ast.expr:
    """The part of a target that gets one of several items."""
    if isinstance(target, ast.Tuple | ast.List) and number < len(target.elts):
        return target.elts[number]
    return target


_CALLS: dict[object, Callable[[Frame, ast.Call], Rounds]] = {enumerate: _enumerate, zip: _zip, reversed: _reversed}
