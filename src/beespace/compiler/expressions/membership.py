"""``in``: a key in a map, a value in a tuple or array, a text in a text, a flag in flags, a number in a range.

Invariant: what Python evaluates is evaluated, once and in its order.
"""

from __future__ import annotations

import ast
import builtins
from enum import IntFlag

from beespace.compiler import ir, rules
from beespace.compiler.expressions.numbers import fit, present, unify
from beespace.compiler.expressions.text_search import search
from beespace.compiler.expressions.texts import as_text
from beespace.compiler.frame import Condition, Frame
from beespace.compiler.maps import contains
from beespace.compiler.memory import compared, in_memory
from beespace.compiler.names import constant_of
from beespace.compiler.types import Address, Array, Bytes, Int, Literal, MapObject, Static, Text, TextLiteral, of_int
from beespace.compiler.values import Value, sequence
from beespace.record import replace
from beespace.schema import AddressKind
from beespace.schema.kinds import enum_kind, kind_size

__all__ = ["contained"]

_MAX_SEARCHED = 64  # elements of an array that `in` compares one after another


def contained(
    frame: Frame, node: ast.Compare, left_node: ast.expr, right_node: ast.expr, *, positive: bool
) -> Condition:
    """``left in right``, or (not ``positive``) ``left not in right``."""
    if isinstance(right_node, ast.Call) and constant_of(frame, right_node.func) is builtins.range:
        return _in_range(frame, node, left_node, right_node, positive=positive)
    target: Value | None = None
    elements = right_node.elts if isinstance(right_node, (ast.Tuple, ast.List, ast.Set)) else []
    if not elements:
        target = present(frame, frame.value(right_node), right_node)
        if isinstance(target.type, Static) and isinstance(target.type.value, tuple):
            elements = [_item(right_node, index) for index in range(len(target.type.value))]
        if isinstance(target.type, Array) and target.type.kind.length <= _MAX_SEARCHED and target.recipe is None:
            elements = [_item(right_node, index) for index in range(target.type.kind.length)]
    if elements:
        before, value = (), frame.value(left_node)
        if isinstance(present(frame, value, left_node).type, Int):
            before, code = frame.bind(value.expression)  # type: ignore[assignment]
            value = replace(value, code=code)
        elif isinstance((text := as_text(frame, value)).type, (Text, Bytes)):
            size = text.type.size
            if size is None:
                raise frame.error(rules.TextUnsized, left_node, what="this text", name="name")
            before, pointer, align = in_memory(frame, text, size)  # type: ignore[assignment]
            value = Value(text.type, pointer, align=align)
        elif isinstance(value.type, Address):
            before, pointer, align = in_memory(frame, value, kind_size(AddressKind()))  # type: ignore[assignment]
            value = Value(value.type, pointer, align=align)
        result: ir.Expression | None = None
        for element in elements:
            other = present(frame, frame.value(element), element)
            if isinstance(other.type, Int) and not _without_effects(element):
                block, code = frame.bind(other.expression)  # Python evaluates all, also behind one that is equal
                before, other = before + block, replace(other, code=code)  # type: ignore[assignment]
            alike = isinstance(value.type, (Text, Bytes)) and isinstance(other.type, (Text, TextLiteral, Bytes))
            if alike or (isinstance(value.type, Address) and isinstance(other.type, (Address, TextLiteral))):
                equal = compared(frame, value, other, node, "==")
                assert equal is not None
                result = equal if result is None else ir.Or(result, equal)
                continue
            if not isinstance(value.type, (Int, Literal)) or not isinstance(other.type, (Int, Literal)):
                raise frame.error(
                    rules.Comparison, element, left=value.type, right=other.type, operator="in",
                    suggestion="numbers, texts and addresses are looked for in a tuple; join comparisons with `or`",
                )  # fmt: skip
            left, right, _ = unify(frame, value, other, element)
            same = ir.Compare(ir.CompareOp.EQ, left, right)
            result = same if result is None else ir.Or(result, same)
        assert result is not None
        found = sequence(before, result)
        return Condition(found if positive else ir.Not(found), frame.state, frame.state.copy())
    assert target is not None
    if isinstance(target.type, (Int, Literal)) and target.type.enum is not None:
        code = _has_flags(frame, target, left_node, right_node)
        return Condition(code if positive else ir.Not(code), frame.state, frame.state.copy())
    text = as_text(frame, target)
    if isinstance(text.type, Text):
        code = search(frame, text, left_node)
        return Condition(code if positive else ir.Not(code), frame.state, frame.state.copy())
    if not isinstance(target.type, MapObject):
        raise frame.error(
            rules.NotSupported, node, what=f"`in` with {target.type}",
            suggestion="it works with a map (`key in self.m`), a tuple (`x in (1, 2)`) and a text (`\"tmp\" in name`)",
        )  # fmt: skip
    code = contains(frame, target, left_node)
    return Condition(code if positive else ir.Not(code), frame.state, frame.state.copy())


def _in_range(
    frame: Frame, node: ast.Compare, left_node: ast.expr, right_node: ast.Call, *, positive: bool
) -> Condition:
    """``n in range(low, high)`` is ``low <= n < high``: so it is compared, and so it is known afterwards."""
    bounds = right_node.args
    if right_node.keywords or not 1 <= len(bounds) <= 2 or not all(_without_effects(each) for each in bounds):
        raise frame.error(
            rules.NotSupported, node, what="`in` with such a range",
            suggestion="it works with plain bounds and steps of 1: `n in range(low, high)`; write `low <= n < high`",
        )  # fmt: skip
    low = bounds[0] if len(bounds) == 2 else ast.copy_location(ast.Constant(0), right_node)
    chain = ast.Compare(low, [ast.LtE(), ast.Lt()], [left_node, bounds[-1]])
    found = frame.condition(ast.copy_location(chain, node))
    return found if positive else Condition(ir.Not(found.code), found.when_false, found.when_true)


def _without_effects(node: ast.expr) -> bool:
    """Whether it does not matter when ``node`` is evaluated, and whether it is."""
    return not any(isinstance(each, ast.Call | ast.NamedExpr) for each in ast.walk(node))


def _item(node: ast.expr, index: int) -> ast.expr:
    """``NAMES[index]``, at the place of ``NAMES``."""
    return ast.copy_location(ast.Subscript(node, ast.copy_location(ast.Constant(index), node), ast.Load()), node)


def _has_flags(frame: Frame, flags: Value, left_node: ast.expr, right_node: ast.expr) -> ir.Expression:
    """``Access.READ in access``: all flags on the left are among those on the right."""
    wanted = present(frame, frame.value(left_node), left_node)
    assert isinstance(flags.type, (Int, Literal))
    enum = flags.type.enum
    same = isinstance(wanted.type, (Int, Literal)) and wanted.type.enum is enum
    if enum is None or not issubclass(enum, IntFlag) or not same:
        raise frame.error(
            rules.Comparison, left_node, left=wanted.type, right=flags.type, operator="in",
            suggestion="flags are looked for in flags of the same IntFlag",
        )  # fmt: skip
    type_ = of_int(enum_kind(enum))
    first, asked = frame.bind(fit(frame, wanted, type_, left_node, ""))
    second, given = frame.bind(fit(frame, flags, type_, right_node, ""))
    common = ir.Binary(ir.BinaryOp.AND, given, asked)
    return sequence(first + second, ir.Compare(ir.CompareOp.EQ, common, asked))
