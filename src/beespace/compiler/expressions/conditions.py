"""Truth: comparisons, and/or/not, and what each side of a condition knows.

Invariant: a check narrows what it checks on both sides: None and not None, zero and not zero, below
and above a bound; and nothing else is ever assumed.
"""

from __future__ import annotations

import ast

from beespace.compiler import ir, rules
from beespace.compiler.diagnostics import Failure
from beespace.compiler.expressions.membership import contained
from beespace.compiler.expressions.numbers import default_type, fit, plain, present, unify
from beespace.compiler.flow import State
from beespace.compiler.frame import Condition, Frame
from beespace.compiler.memory import ARENA, compared, load
from beespace.compiler.types import (
    POISON,
    Address,
    Array,
    Bool,
    Bytes,
    Context,
    Int,
    KernelObject,
    KernelPointer,
    Literal,
    NoneType,
    Optional,
    Poison,
    Socket,
    StructType,
    Text,
    TextLiteral,
    Tuple,
    Type,
)
from beespace.compiler.values import Bounds, Value, is_null, not_null, sequence
from beespace.record import replace

__all__ = ["condition", "truth"]

_CODES = {
    ast.Eq: ir.CompareOp.EQ,
    ast.NotEq: ir.CompareOp.NE,
    ast.Lt: ir.CompareOp.LT,
    ast.LtE: ir.CompareOp.LE,
    ast.Gt: ir.CompareOp.GT,
    ast.GtE: ir.CompareOp.GE,
}
_MIRRORED = {
    ir.CompareOp.LT: ir.CompareOp.GT,
    ir.CompareOp.GT: ir.CompareOp.LT,
    ir.CompareOp.LE: ir.CompareOp.GE,
    ir.CompareOp.GE: ir.CompareOp.LE,
}
_OPPOSITE = {
    ir.CompareOp.EQ: ir.CompareOp.NE,
    ir.CompareOp.NE: ir.CompareOp.EQ,
    ir.CompareOp.LT: ir.CompareOp.GE,
    ir.CompareOp.GE: ir.CompareOp.LT,
    ir.CompareOp.GT: ir.CompareOp.LE,
    ir.CompareOp.LE: ir.CompareOp.GT,
}
_SYMBOLS = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Is: "is",
    ast.IsNot: "is not", ast.In: "in", ast.NotIn: "not in",
}  # fmt: skip


def condition(frame: Frame, node: ast.expr) -> Condition:
    """``node`` as a truth value, with the state on either side of it."""
    if isinstance(node, ast.BoolOp):
        return _bool_op(frame, node)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        inner = frame.condition(node.operand)
        return Condition(ir.Not(inner.code), inner.when_false, inner.when_true)
    if isinstance(node, ast.Compare):
        return _compare(frame, node)
    return truth(frame, frame.value(node), node)


def _bool_op(frame: Frame, node: ast.BoolOp) -> Condition:
    result = frame.condition(node.values[0])
    for operand in node.values[1:]:
        if not (result.when_true if isinstance(node.op, ast.And) else result.when_false).reachable:
            return result  # settled by the types that were compiled with: what follows is never evaluated
        if isinstance(node.op, ast.And):
            frame.state = result.when_true
            right = frame.condition(operand)
            result = Condition(
                ir.And(result.code, right.code), right.when_true, result.when_false.join(right.when_false)
            )
        else:
            frame.state = result.when_false
            right = frame.condition(operand)
            result = Condition(ir.Or(result.code, right.code), result.when_true.join(right.when_true), right.when_false)
    return result


def truth(frame: Frame, value: Value, node: ast.AST) -> Condition:
    """Python's ``bool(value)``."""
    state = frame.state
    type_ = value.type
    if isinstance(type_, Poison):
        raise Failure(None)
    if isinstance(type_, Bool):
        if value.settled is not None:
            return Condition(value.expression, *((state, state.dead()) if value.settled else (state.dead(), state)))
        return Condition(value.expression, state, state.copy())
    if isinstance(type_, Literal):
        return Condition(ir.Const(int(type_.value != 0), ir.BOOL), state, state.copy())
    if isinstance(type_, Int):
        return Condition(ir.Convert(value.expression, ir.BOOL), *_split(state, value, ir.CompareOp.NE, Bounds(0, 0)))
    if isinstance(type_, NoneType):
        return Condition(ir.Const(0, ir.BOOL), state, state.copy())
    if isinstance(type_, Optional):
        return _optional_truth(frame, value, type_, node)
    if isinstance(type_, KernelPointer):
        return Condition(not_null(value.expression), state, state.copy())
    if isinstance(type_, TextLiteral):
        return Condition(ir.Const(int(bool(type_.value)), ir.BOOL), state, state.copy())
    if isinstance(type_, Text) and value.recipe is None:
        first = ir.Load(value.expression, ir.U8)
        return Condition(ir.Compare(ir.CompareOp.NE, first, ir.Const(0, ir.U8)), state, state.copy())
    if isinstance(type_, (StructType, Tuple, Socket, Context, Address, Array)):
        raise frame.error(rules.NeverNone, node, what=ast.unparse(node), found=f"a {type_}")
    what = f"{type_} as a condition"
    raise frame.error(rules.NotSupported, node, what=what, suggestion="compare it with something")


def _optional_truth(frame: Frame, value: Value, type_: Optional, node: ast.AST) -> Condition:
    state = frame.state
    is_set, is_none = state.narrowed(value.path, none=False), state.narrowed(value.path, none=True)
    if type_.kind is None:
        return Condition(not_null(value.expression), is_set, is_none)
    # A number or text that is there is still false when it is zero or empty.
    before, pointer = frame.bind(value.expression)
    inside = load(pointer, type_.kind, value.align)
    frame.state = is_set
    inner = truth(frame, inside, node)
    frame.state = state
    return Condition(sequence(before, ir.And(not_null(pointer), inner.code)), inner.when_true, state.copy())


# --- comparisons ---------------------------------------------------------------------------------


def _compare(frame: Frame, node: ast.Compare) -> Condition:
    """A comparison; a chain evaluates what stands between two operators once."""
    if len(node.ops) == 1:
        return _single(frame, node, node.ops[0], node.left, node.comparators[0])
    left = present(frame, frame.value(node.left), node.left)
    before = frame.state.copy()
    prefix: ir.Block = ()
    codes: list[tuple[ir.Block, ir.Expression]] = []
    for op, right_node in zip(node.ops, node.comparators, strict=True):
        right = present(frame, frame.value(right_node), right_node)
        if not codes:
            before = frame.state.copy()  # the first two operands are evaluated whatever comes of it
        if not isinstance(left.type, (Int, Literal)) or not isinstance(right.type, (Int, Literal)):
            raise frame.error(
                rules.NotSupported, node, what="a chain of comparisons of something that is no number",
                suggestion="join two comparisons with `and`",
            )  # fmt: skip
        block: ir.Block = ()
        if isinstance(left.type, Int) and not codes:
            prefix, code = frame.bind(left.expression)
            left = replace(left, code=code)
        if isinstance(right.type, Int):
            block, code = frame.bind(right.expression)
            right = replace(right, code=code)
        result = _numbers(frame, node, _CODES.get(type(op)), op, left, right)
        frame.state = result.when_true
        codes.append((block, result.code))
        left = right
    # a < b < c: b is in a sequence around the comparison with c, which and evaluates only if needed.
    result_code: ir.Expression | None = None
    for block, code in reversed(codes):
        result_code = sequence(block, code if result_code is None else ir.And(code, result_code))
    assert result_code is not None
    # After a chain that is false it is not known which part was, nor how much of it has run.
    failed = before.join(frame.state)
    return Condition(sequence(prefix, result_code), frame.state, failed)


def _single(frame: Frame, node: ast.Compare, op: ast.cmpop, left_node: ast.expr, right_node: ast.expr) -> Condition:
    if isinstance(op, (ast.Is, ast.IsNot)):
        if not _is_none_literal(left_node) and not _is_none_literal(right_node):
            return _is_same(frame, node, left_node, right_node, positive=isinstance(op, ast.Is))
        return _is_none(frame, node, left_node, right_node, positive=isinstance(op, ast.Is))
    if isinstance(op, (ast.In, ast.NotIn)):
        return contained(frame, node, left_node, right_node, positive=isinstance(op, ast.In))
    if isinstance(op, (ast.Eq, ast.NotEq)) and _is_none_literal(right_node):
        return _is_none(frame, node, left_node, right_node, positive=isinstance(op, ast.Eq))
    left = present(frame, frame.value(left_node), left_node)
    right = present(frame, frame.value(right_node), right_node)
    if isinstance(left.type, (Int, Literal)) and isinstance(right.type, (Int, Literal)):
        return _numbers(frame, node, _CODES[type(op)], op, left, right)
    code: ir.Expression | None = None
    if isinstance(op, (ast.Eq, ast.NotEq)):
        pairs = ((left.type, right.type, cls) for cls in (Bool, KernelPointer))
        if any(isinstance(ours, cls) and isinstance(theirs, cls) for ours, theirs, cls in pairs):
            code = ir.Compare(_CODES[type(op)], left.expression, right.expression)
        else:
            same = compared(frame, left, right, node, _SYMBOLS[type(op)])
            code = same if same is None or isinstance(op, ast.Eq) else ir.Not(same)
    if code is None:
        raise frame.error(
            rules.Comparison, node, left=left.type, right=right.type, operator=_SYMBOLS[type(op)],
            suggestion=_comparison_help(left.type, right.type),
        )  # fmt: skip
    return Condition(code, frame.state, frame.state.copy())


def _comparison_help(left: Type, right: Type) -> str:
    types = (left, right)
    if any(isinstance(type_, Bool) for type_ in types) and any(isinstance(type_, (Int, Literal)) for type_ in types):
        return "compare a bool with True or False, or use it as it is"
    if any(isinstance(type_, (Text, TextLiteral, Bytes)) for type_ in types):
        return "texts and raw bytes have == and != only"
    if any(isinstance(type_, KernelObject) for type_ in types):
        return "compare its fields"
    return ""


def _numbers(
    frame: Frame, node: ast.Compare, code: ir.CompareOp | None, op: ast.cmpop, left: Value, right: Value
) -> Condition:
    if code is None:
        raise frame.error(
            rules.Comparison, node, left=left.type, right=right.type, operator=_SYMBOLS[type(op)],
            suggestion="use == or != for numbers",
        )  # fmt: skip
    assert isinstance(left.type, (Int, Literal)) and isinstance(right.type, (Int, Literal))
    if left.type.enum is not None and right.type.enum is not None and left.type.enum is not right.type.enum:
        raise frame.error(
            rules.Comparison, node, left=left.type, right=right.type, operator=_SYMBOLS[type(op)],
            suggestion="members of two enumerations; if their numbers are meant, write .value after each",
        )  # fmt: skip
    left, right = plain(left), plain(right)
    if isinstance(left.type, Literal) and isinstance(right.type, Literal):
        type_ = default_type(min(left.type.value, right.type.value))
        codes = fit(frame, left, type_, node, ""), fit(frame, right, type_, node, "")
    else:
        *codes, _ = unify(frame, left, right, node)  # type: ignore[assignment]
    yes, no = _split(frame.state, left, code, right.range)
    mirrored = _MIRRORED.get(code, code)
    when_true, _ = _split(yes, right, mirrored, left.range)
    _, when_false = _split(no, right, mirrored, left.range)
    return Condition(ir.Compare(code, codes[0], codes[1]), when_true, when_false)


def _split(state: State, value: Value, code: ir.CompareOp, other: Bounds) -> tuple[State, State]:
    """The states in which ``value code other`` holds and does not."""
    if value.path is None or not isinstance(value.type, Int):
        return state.copy(), state.copy()
    known = state.bounds.get(value.path, value.range)
    return (
        state.bounded(value.path, _bounded(known, code, other)),
        state.bounded(value.path, _bounded(known, _OPPOSITE[code], other)),
    )


def _bounded(bounds: Bounds, code: ir.CompareOp, other: Bounds) -> Bounds:
    match code:
        case ir.CompareOp.EQ:
            result = bounds.cut(other.low, other.high)
            return replace(result, nonzero=result.nonzero or other.excludes_zero)
        case ir.CompareOp.NE:
            if other.low != other.high:
                return bounds
            if other.low == bounds.low:
                bounds = bounds.cut(low=other.low + 1)
            elif other.low == bounds.high:
                bounds = bounds.cut(high=other.low - 1)
            return replace(bounds, nonzero=bounds.nonzero or other.low == 0)
        case ir.CompareOp.LT:
            return bounds.cut(high=other.high - 1)
        case ir.CompareOp.LE:
            return bounds.cut(high=other.high)
        case ir.CompareOp.GT:
            return bounds.cut(low=other.low + 1)
        case ir.CompareOp.GE:
            return bounds.cut(low=other.low)


def _is_none_literal(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _is_none(
    frame: Frame, node: ast.Compare, left_node: ast.expr, right_node: ast.expr, *, positive: bool
) -> Condition:
    if _is_none_literal(left_node):
        left_node, right_node = right_node, left_node
    try:
        value = frame.value(left_node)
    except Failure as failure:
        if failure.diagnostic is not None:
            raise
        value = Value(POISON)
    type_ = value.type
    state = frame.state
    if isinstance(type_, Poison):
        # The mistake was said; what else is asked here is known all the same.
        return Condition(ir.Const(0, ir.BOOL), state, state.copy())
    if isinstance(type_, Optional):
        none, is_set = state.narrowed(value.path, none=True), state.narrowed(value.path, none=False)
    elif isinstance(type_, (KernelPointer, NoneType)):
        none, is_set = state, state.copy()
    else:
        frame.unit.diagnostics.add(frame.error(rules.NeverNone, node, what=ast.unparse(left_node), found=type_))
        return Condition(ir.Const(0, ir.BOOL), state, state.copy())
    if isinstance(type_, NoneType):
        code: ir.Expression = ir.Const(1, ir.BOOL)
    else:
        code = is_null(value.expression)
    return Condition(code, none, is_set) if positive else Condition(ir.Not(code), is_set, none)


def _is_same(
    frame: Frame, node: ast.Compare, left_node: ast.expr, right_node: ast.expr, *, positive: bool
) -> Condition:
    """Whether two references into the arena are to the same struct."""
    left, right = frame.value(left_node).code, frame.value(right_node).code
    if left is None or right is None or (left.type, right.type) != (ARENA, ARENA):
        raise frame.error(
            rules.NotSupported, node, what="`is` between two values", suggestion="`is` works with None; use == else"
        )
    operator = ir.CompareOp.EQ if positive else ir.CompareOp.NE
    return Condition(ir.Compare(operator, left, right), frame.state, frame.state.copy())
