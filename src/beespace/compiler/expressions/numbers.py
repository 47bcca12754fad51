"""Integers: which types go together, and what each operator does.

Invariant: results wrap to their type's width and nothing else differs from Python; where Python would
raise, the code is refused unless the bounds of the operands rule it out.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from enum import IntFlag

from beespace.compiler import ir, rules
from beespace.compiler.diagnostics import Failure, did_you_mean
from beespace.compiler.frame import Frame
from beespace.compiler.types import (
    BOOL,
    I64,
    U64,
    Bool,
    Enumeration,
    Int,
    KernelPointer,
    Literal,
    Manager,
    NoneType,
    Optional,
    Poison,
    Resource,
    Type,
    of_int,
)
from beespace.compiler.values import Bounds, Value, number, sequence
from beespace.record import replace
from beespace.schema import EnumKind, IntKind
from beespace.schema.kinds import enum_kind

__all__ = [
    "SYMBOLS",
    "check_index",
    "binary",
    "convert",
    "default_type",
    "fit",
    "is_member",
    "known",
    "literal_type",
    "plain",
    "present",
    "swapped",
    "unary",
    "unify",
    "within",
]

_CODES = {
    ast.Add: ir.BinaryOp.ADD,
    ast.Sub: ir.BinaryOp.SUB,
    ast.Mult: ir.BinaryOp.MUL,
    ast.BitAnd: ir.BinaryOp.AND,
    ast.BitOr: ir.BinaryOp.OR,
    ast.BitXor: ir.BinaryOp.XOR,
}
_FOLD: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.BitXor: operator.xor,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
    ast.Pow: operator.pow,
}
_MAX_EXPONENT = 64
_MAX_FOLD = 1 << 128  # literals stay small: no constant needs more than an Address


def present(frame: Frame, value: Value, node: ast.AST) -> Value:
    """``value`` itself; a mistake if it is, or may be, None."""
    if isinstance(value.type, Poison):
        raise Failure(None)
    if isinstance(value.type, (Optional, NoneType)):
        text = ast.unparse(node)
        if value.path is None and isinstance(node, ast.Attribute):
            raise frame.error(rules.UncheckedField, node, what=text, name=node.attr)
        if isinstance(node, ast.Constant):
            raise frame.error(rules.TypeMismatch, node, place="this place", expected="a value", found="None")
        raise frame.error(rules.MayBeNone, node, what=text, found=value.type)
    if isinstance(value.type, (Resource, Manager)):
        raise not_a_value(frame, value.type, node)
    return value


def not_a_value(frame: Frame, type_: Resource | Manager, node: ast.AST) -> Exception:
    """The mistake of using what the kernel keeps, or what only a ``with`` takes, as a value."""
    if isinstance(type_, Manager):
        return frame.error(rules.OnlyInWith, node, what=type_, text=ast.unparse(node))
    return frame.error(rules.ResourceValue, node, what=type_)


def known(frame: Frame, value: Value, node: ast.AST, what: str) -> Value:
    """``value`` if it is a number."""
    present(frame, value, node)
    if isinstance(value.type, Bool):
        raise frame.error(rules.BoolAsNumber, node, suggestion="u32")
    if not isinstance(value.type, (Int, Literal)):
        raise frame.error(rules.NotANumber, node, what=what, found=value.type)
    return value


def default_type(value: int) -> Int:
    """What a literal is when nothing asks for a type."""
    return U64 if value >= 0 else I64


def literal_type(literal: Literal) -> Int:
    """The same, of a member its enumeration."""
    return of_int(enum_kind(literal.enum)) if literal.enum is not None else default_type(literal.value)


def check_index(frame: Frame, value: Value, length: int, node: ast.AST) -> None:
    """A mistake unless ``value`` is certainly an index of ``length`` elements."""
    low, high = value.range.low, value.range.high
    if low >= 0 and high < length:
        return
    if isinstance(value.type, Literal):
        raise frame.error(rules.IndexOutOfRange, node, found=f"the index is {low}", length=length)
    text = ast.unparse(node)
    check = f"{text} < {length}" if low >= 0 else f"0 <= {text} < {length}"
    suggestion = f"check it first (`if {check}:`), or use `{text} % {length}` or `min({text}, {length - 1})`"
    if value.path is None:
        suggestion = f"use `{text} % {length}` or `min({text}, {length - 1})`, or keep it in a local and check that"
    found = f"this {value.type} may be {high}" if high >= length else f"this {value.type} may be {low}"
    raise frame.error(rules.IndexOutOfRange, node, found=found, length=length, suggestion=suggestion)


def plain(value: Value) -> Value:
    """``value`` as a number like any other."""
    if isinstance(value.type, (Int, Literal)) and value.type.enum is not None:
        return replace(value, type=replace(value.type, enum=None))
    return value


def _check_member(frame: Frame, value: Value, target: Int, node: ast.AST, place: str) -> None:
    """A mistake if a place for members of one enumeration gets one of another, or a number that none has."""
    if target.enum is None or not isinstance(value.type, (Int, Literal)) or value.type.enum is target.enum:
        return
    known = list(target.enum.__members__)
    if value.type.enum is not None:
        near = did_you_mean(str(value.type).rpartition(".")[2], known)
        suggestion = near or f"its members are {', '.join(known)}; {target}(...) takes the number of any other"
        raise frame.error(
            rules.EnumMismatch, node, place=place or "this", expected=target, found=value.type.enum.__name__,
            suggestion=suggestion,
        )  # fmt: skip
    if isinstance(value.type, Literal) and not is_member(target.enum, value.type.value):
        numbers = ", ".join(f"{name} ({int(each)})" for name, each in target.enum.__members__.items())
        raise frame.error(
            rules.EnumMismatch, node, place=place or "this", expected=target, found=value.type.value,
            suggestion=f"its members are {numbers}",
        )  # fmt: skip


def is_member(enum: Enumeration, number: int) -> bool:
    """Whether ``enum`` has a member, or flags, of that number."""
    assert enum is not None
    members = [int(member) for member in enum.__members__.values()]
    if number in members:
        return True
    mask = 0
    for each in members:
        mask |= each
    return issubclass(enum, IntFlag) and number >= 0 and number & ~mask == 0


def fit(frame: Frame, value: Value, target: Type, node: ast.AST, place: str) -> ir.Expression:
    """``value`` as ``target`` (an integer or bool), without any loss, or a mistake."""
    present(frame, value, node)
    if isinstance(target, Bool):
        if isinstance(value.type, Bool):
            return value.expression
        if isinstance(value.type, (Int, Literal)):
            raise frame.error(rules.NumberAsBool, node, found=value.type)
    elif isinstance(target, Int):
        _check_member(frame, value, target, node, place)
        if isinstance(value.type, Literal):
            return _literal(frame, value.type.value, target, node)
        if isinstance(value.type, Int):
            if value.type.enum is not None and value.type.enum is target.enum:
                return _recast(
                    value.expression, target
                )  # every member fits every size that its enumeration is stored in
            if value.literal and within(value.range, target):
                return _recast(value.expression, target)
            if value.type.signed != target.signed:
                raise frame.error(rules.WrongSign, node, expected=target, found=value.type)
            if value.type.bits > target.bits:
                raise frame.error(rules.Narrowing, node, expected=target, found=value.type)
            return widened(value.expression, target)
        if isinstance(value.type, Bool):
            raise frame.error(rules.BoolAsNumber, node, suggestion=target)
    raise frame.error(rules.TypeMismatch, node, place=place, expected=target, found=value.type)


def widened(code: ir.Expression, target: Int) -> ir.Expression:
    return code if code.type == target.code else ir.Convert(code, target.code)


def _literal(frame: Frame, value: int, target: Int, node: ast.AST) -> ir.Const:
    if not target.minimum <= value <= target.maximum:
        raise frame.error(
            rules.LiteralOutOfRange, node, value=value, expected=target, low=target.minimum, high=target.maximum
        )
    return ir.Const(value, target.code)


def unify(
    frame: Frame, left: Value, right: Value, node: ast.AST, expected: Type | None = None
) -> tuple[ir.Expression, ir.Expression, Int]:
    """Two numbers as one type: the wider of the two, or what a literal is asked to be."""
    if isinstance(left.type, Literal) and isinstance(right.type, Literal):
        target = expected if isinstance(expected, Int) else default_type(min(left.type.value, right.type.value))
    elif isinstance(left.type, Literal) or (left.literal and not right.literal and isinstance(right.type, Int)):
        assert isinstance(right.type, Int)
        target = right.type
    elif isinstance(right.type, Literal) or (right.literal and not left.literal):
        assert isinstance(left.type, Int)
        target = left.type
    else:
        assert isinstance(left.type, Int) and isinstance(right.type, Int)
        if left.type.signed != right.type.signed:
            raise frame.error(rules.MixedSigns, node, left=left.type, right=right.type)
        target = left.type if left.type.bits >= right.type.bits else right.type
    target = replace(target, enum=None)
    return fit(frame, left, target, node, ""), fit(frame, right, target, node, ""), target


def within(bounds: Bounds, type: Int) -> Bounds | None:
    """``bounds`` if no value in them wraps."""
    return bounds if type.minimum <= bounds.low and bounds.high <= type.maximum else None


def binary(
    frame: Frame, op: ast.operator, left: Value, right: Value, node: ast.BinOp | ast.AugAssign, expected: Type | None
) -> Value:
    """``left op right`` of two numbers."""
    symbol = _SYMBOLS[type(op)]
    left_node, right_node = (node.left, node.right) if isinstance(node, ast.BinOp) else (node.target, node.value)
    if isinstance(op, (ast.Div, ast.MatMult)):
        help = "write // for whole numbers; the kernel has no floating point" if isinstance(op, ast.Div) else ""
        raise frame.error(rules.NotSupported, node, what=f"`{symbol}`", suggestion=help)
    left = known(frame, left, left_node, f"`{symbol}`")
    right = known(frame, right, right_node, f"`{symbol}`")
    assert isinstance(left.type, (Int, Literal)) and isinstance(right.type, (Int, Literal))
    flags = left.type.enum if left.type.enum is right.type.enum and _joins_flags(op, left.type.enum) else None
    left, right = plain(left), plain(right)
    if isinstance(left.type, Literal) and isinstance(right.type, Literal):
        folded = _folded(frame, op, left.type.value, right.type.value, node, right_node)
        assert isinstance(folded.type, Literal)
        return replace(folded, type=replace(folded.type, enum=flags))
    if isinstance(op, ast.Pow):
        return _power(frame, left, right, node)
    if isinstance(op, (ast.LShift, ast.RShift)):
        return _shift(frame, op, left, right, right_node, expected)
    if isinstance(op, (ast.FloorDiv, ast.Mod)):
        return _divide(frame, op, left, right, node, right_node, expected)
    if isinstance(op, ast.BitAnd):
        left, right = _masks(left, right), _masks(right, left)
    left_code, right_code, type_ = unify(frame, left, right, node, expected)
    bounds = within(_BOUNDS[type(op)](left.range, right.range), type_) if type(op) in _BOUNDS else None
    type_ = replace(type_, enum=flags)
    return Value(type_, ir.Binary(_CODES[type(op)], left_code, right_code), bounds)


def _joins_flags(op: ast.operator, enum: Enumeration) -> bool:
    """Whether ``op`` makes flags of flags."""
    return enum is not None and issubclass(enum, IntFlag) and isinstance(op, (ast.BitOr, ast.BitAnd, ast.BitXor))


def _power(frame: Frame, base: Value, exponent: Value, node: ast.AST) -> Value:
    """``x ** 5``: multiplied out by squaring; what wraps on the way is what wraps at the end."""
    if isinstance(exponent.type, Literal) and exponent.type.value < 0:
        raise frame.error(
            rules.NotSupported, node, what="a negative power", suggestion="it is a fraction; divide with // instead"
        )
    if not isinstance(exponent.type, Literal) or not 0 <= exponent.type.value <= _MAX_EXPONENT:
        raise frame.error(
            rules.NotConstant, node, what="the exponent of `**`",
            suggestion=f"write a number from 0 to {_MAX_EXPONENT}, or shift: 2 ** n is 1 << n",
        )  # fmt: skip
    assert isinstance(base.type, Int)
    rest = exponent.type.value
    block, square = frame.bind(base.expression)
    result: ir.Expression = number(1, base.type)
    while rest:
        if rest & 1:
            made, result = frame.bind(ir.Binary(ir.BinaryOp.MUL, result, square))
            block += made
        rest >>= 1
        if rest:
            made, square = frame.bind(ir.Binary(ir.BinaryOp.MUL, square, square))
            block += made
    ends = [base.range.low**exponent.type.value, base.range.high**exponent.type.value]
    low = 0 if exponent.type.value % 2 == 0 and base.range.low < 0 else min(ends)
    return Value(base.type, sequence(block, result), within(Bounds(low, max(ends)), base.type))


def _masks(value: Value, other: Value) -> Value:
    """In ``flags & ~7`` the literal -8 has all the high bits set, as many as the other side has."""
    if not isinstance(value.type, Literal) or not isinstance(other.type, Int) or other.type.signed:
        return value
    masks = -(1 << other.type.bits) <= value.type.value < 0
    return Value(Literal(value.type.value & other.type.maximum)) if masks else value


def _folded(frame: Frame, op: ast.operator, left: int, right: int, node: ast.AST, right_node: ast.AST) -> Value:
    if isinstance(op, (ast.FloorDiv, ast.Mod)) and right == 0:
        raise frame.error(rules.DivisorMayBeZero, right_node, why="this is 0", suggestion="")
    if isinstance(op, (ast.LShift, ast.RShift)) and right < 0:
        raise frame.error(rules.ShiftMayBeNegative, right_node, found=right, text="n")
    too_big = isinstance(op, (ast.LShift, ast.Pow)) and (right < 0 or right > 128)
    result = 0 if too_big else _FOLD[type(op)](left, right)
    if too_big or abs(result) > _MAX_FOLD:
        raise frame.error(
            rules.LiteralOutOfRange, node, value=f"{left} {_SYMBOLS[type(op)]} {right}", expected="u64", low=0,
            high=U64.maximum,
        )  # fmt: skip
    return Value(Literal(result))


def _operand_type(left: Value, expected: Type | None) -> Int:
    if isinstance(left.type, Int):
        return left.type
    assert isinstance(left.type, Literal)
    return expected if isinstance(expected, Int) else default_type(left.type.value)


def _shift(
    frame: Frame, op: ast.operator, left: Value, count: Value, count_node: ast.AST, expected: Type | None
) -> Value:
    """Python's shift: a count past the width leaves nothing (or the sign), it does not start again at 0."""
    type_ = _operand_type(left, expected)
    value = fit(frame, left, type_, count_node, "")
    code = ir.BinaryOp.SHL if isinstance(op, ast.LShift) else ir.BinaryOp.SHR
    if count.range.low < 0:
        raise frame.error(rules.ShiftMayBeNegative, count_node, found=count.type, text=ast.unparse(count_node))
    if isinstance(count.type, Literal):
        steps = count.type.value
        bounds = None
        if steps < type_.bits:
            low, high = left.range.low, left.range.high
            moved = (low << steps, high << steps) if code is ir.BinaryOp.SHL else (low >> steps, high >> steps)
            bounds = within(Bounds(*moved), type_)
            return Value(type_, ir.Binary(code, value, number(steps, type_)), bounds)
        if code is ir.BinaryOp.SHR and type_.signed:
            return Value(type_, ir.Binary(code, value, number(type_.bits - 1, type_)))
        return Value(type_, ir.Binary(ir.BinaryOp.AND, value, number(0, type_)), Bounds(0, 0))
    assert isinstance(count.type, Int)
    if count.range.high < type_.bits:
        return Value(type_, ir.Binary(code, value, _recast(count.expression, type_)))
    before, value = frame.bind(value)
    between, steps_code = frame.bind(count.expression)
    moved_code = ir.Binary(code, value, _recast(steps_code, type_))
    if code is ir.BinaryOp.SHR and type_.signed:
        otherwise: ir.Expression = ir.Binary(code, value, number(type_.bits - 1, type_))
    else:
        otherwise = number(0, type_)
    fits = ir.Compare(ir.CompareOp.LT, steps_code, number(type_.bits, count.type))
    return Value(type_, sequence(before + between, ir.Select(fits, moved_code, otherwise)))


def _recast(code: ir.Expression, type_: Int) -> ir.Expression:
    return code if code.type == type_.code else ir.Convert(code, type_.code)


def _divide(
    frame: Frame,
    op: ast.operator,
    left: Value,
    right: Value,
    node: ast.AST,
    right_node: ast.AST,
    expected: Type | None,
) -> Value:
    """Division that rounds down, as Python's."""
    divisor = right.range
    if not divisor.excludes_zero:
        if isinstance(right.type, Literal):
            raise frame.error(rules.DivisorMayBeZero, right_node, why="this is 0", suggestion="")
        raise frame.error(
            rules.DivisorMayBeZero, right_node, why=f"nothing says that this {right.type} is not 0",
            suggestion=_divisor_help(right, right_node),
        )  # fmt: skip
    left_code, right_code, type_ = unify(frame, left, right, node, expected)
    code = ir.BinaryOp.DIV if isinstance(op, ast.FloorDiv) else ir.BinaryOp.MOD
    bounds = _division_bounds(op, left.range, divisor)
    if not type_.signed:
        return Value(type_, ir.Binary(code, left_code, right_code), bounds)
    if divisor.low <= 0:
        return Value(type_, _floored(frame, code, left_code, right_code, type_))
    # Rounding down with unsigned division alone: for x < 0, x // d is ~(~x // d) and x % d is d - 1 - ~x % d.
    plain = Int(type_.bits)
    before, value = frame.bind(left_code)
    between, by = frame.bind(right_code)
    ones = number(-1, type_)
    inverted = ir.Binary(ir.BinaryOp.XOR, value, ones)

    def divided(operand: ir.Expression) -> ir.Expression:
        result = ir.Binary(code, ir.Convert(operand, plain.code), ir.Convert(by, plain.code))
        return ir.Convert(result, type_.code)

    if code is ir.BinaryOp.DIV:
        negative: ir.Expression = ir.Binary(ir.BinaryOp.XOR, divided(inverted), ones)
    else:
        last = ir.Binary(ir.BinaryOp.SUB, by, number(1, type_))
        negative = ir.Binary(ir.BinaryOp.SUB, last, divided(inverted))
    is_negative = ir.Compare(ir.CompareOp.LT, value, number(0, type_))
    return Value(type_, sequence(before + between, ir.Select(is_negative, negative, divided(value))), bounds)


def _floored(frame: Frame, code: ir.BinaryOp, left: ir.Expression, right: ir.Expression, type_: Int) -> ir.Expression:
    """Division by a number of either sign, rounded down, with unsigned division alone."""
    before, left = frame.bind(left)
    between, right = frame.bind(right)
    block, zero, plain = before + between, number(0, type_), Int(type_.bits)

    def bound(code: ir.Expression) -> ir.Expression:
        nonlocal block
        made, result = frame.bind(code)
        block += made
        return result

    def magnitude(code: ir.Expression) -> ir.Expression:
        negative = ir.Compare(ir.CompareOp.LT, code, zero)
        return bound(ir.Convert(ir.Select(negative, ir.Binary(ir.BinaryOp.SUB, zero, code), code), plain.code))

    dividend, divisor = magnitude(left), magnitude(right)
    signs = ir.Binary(ir.BinaryOp.XOR, left, right)
    differ = bound(ir.Compare(ir.CompareOp.LT, signs, zero))
    if code is ir.BinaryOp.DIV:
        # Away from zero where the signs differ: -(x // d), and one less if there is a remainder.
        whole = bound(ir.Convert(ir.Binary(ir.BinaryOp.DIV, dividend, divisor), type_.code))
        rest = ir.Binary(ir.BinaryOp.MOD, dividend, divisor)
        uneven = ir.Convert(ir.Compare(ir.CompareOp.NE, rest, number(0, plain)), type_.code)
        below = ir.Binary(ir.BinaryOp.SUB, ir.Binary(ir.BinaryOp.SUB, zero, whole), uneven)
        return sequence(block, ir.Select(differ, below, whole))
    # The remainder has the divisor's sign; where the signs differ it is counted from the other end.
    left_over = bound(ir.Binary(ir.BinaryOp.MOD, dividend, divisor))
    other = ir.Binary(ir.BinaryOp.SUB, divisor, left_over)
    nothing = ir.Compare(ir.CompareOp.EQ, left_over, number(0, plain))
    size = bound(ir.Convert(ir.Select(differ, ir.Select(nothing, left_over, other), left_over), type_.code))
    negative = ir.Compare(ir.CompareOp.LT, right, zero)
    return sequence(block, ir.Select(negative, ir.Binary(ir.BinaryOp.SUB, zero, size), size))


def _divisor_help(right: Value, node: ast.AST) -> str:
    text = ast.unparse(node)
    if right.path is not None:
        return f"check it first: `if {text} != 0:`"
    return f"keep it in a local, and check that: `divisor = {text}`, then `if divisor != 0:`"


def _division_bounds(op: ast.operator, left: Bounds, right: Bounds) -> Bounds | None:
    if right.low <= 0:
        return Bounds(0, left.high) if left.low >= 0 and right.low == 0 else None
    if isinstance(op, ast.Mod):
        return Bounds(0, min(right.high - 1, left.high) if left.low >= 0 else right.high - 1)
    ends = [left.low // right.low, left.low // right.high, left.high // right.low, left.high // right.high]
    return Bounds(min(ends), max(ends))


def unary(frame: Frame, op: ast.unaryop, value: Value, node: ast.UnaryOp) -> Value:
    """``-x``, ``+x``, ``~x``."""
    symbol = {ast.USub: "-", ast.UAdd: "+", ast.Invert: "~"}[type(op)]
    known(frame, value, node.operand, f"`{symbol}`")
    enum = value.type.enum if isinstance(value.type, (Int, Literal)) else None
    if symbol == "~" and enum is not None and issubclass(enum, IntFlag):
        return _other_flags(value, enum)
    if isinstance(value.type, Literal):
        folded = {"-": -value.type.value, "+": value.type.value, "~": ~value.type.value}[symbol]
        return Value(Literal(folded))
    assert isinstance(value.type, Int)
    value = plain(value)
    assert isinstance(value.type, Int)
    if symbol == "+":
        return value
    if symbol == "-":
        bounds = within(Bounds(-value.range.high, -value.range.low), value.type)
        return Value(value.type, ir.Binary(ir.BinaryOp.SUB, number(0, value.type), value.expression), bounds)
    return Value(value.type, ir.Binary(ir.BinaryOp.XOR, value.expression, number(-1, value.type)))


def _other_flags(value: Value, enum: type[IntFlag]) -> Value:
    """``~flags``: all the flags that are not among them, as Python has it."""
    if isinstance(value.type, Literal):
        return Value(Literal(int(~enum(value.type.value)), enum))
    assert isinstance(value.type, Int)
    every = int(~enum(0))
    return Value(value.type, ir.Binary(ir.BinaryOp.XOR, value.expression, number(every, value.type)))


def convert(frame: Frame, value: Value, kind: IntKind, node: ast.AST) -> Value:
    """``u32(x)``: cut or extended as the machine does it."""
    present(frame, value, node)
    target = of_int(kind)
    if isinstance(kind, EnumKind) and isinstance(value.type, Literal):
        fit(frame, plain(value), target, node, f"{kind.name}()")
        return Value(Literal(value.type.value, kind.enum))
    if isinstance(value.type, Literal):
        wrapped = number(value.type.value, target)
        return Value(target, wrapped, Bounds(wrapped.value, wrapped.value))
    if isinstance(value.type, Int):
        return Value(target, _recast(value.expression, target), within(value.range, target))
    if value.type == BOOL:
        return Value(target, ir.Convert(value.expression, target.code), Bounds(0, 1))
    if isinstance(value.type, KernelPointer):
        address = ir.Convert(value.expression, ir.U64)
        return Value(target, _recast(address, target))
    raise frame.error(rules.NotANumber, node, what=f"{kind.name}()", found=value.type)


def swapped(code: ir.Expression, kind: IntKind) -> ir.Expression:
    """A number of ``kind`` between its order in memory and host order."""
    return ir.ByteSwap(code) if kind.big_endian and kind.bits > 8 else code


def _or_bounds(left: Bounds, right: Bounds) -> Bounds:
    if left.low < 0 or right.low < 0:
        return Bounds(-(1 << 200), 1 << 200)
    return Bounds(max(left.low, right.low), (1 << max(left.high, right.high).bit_length()) - 1)


def _xor_bounds(left: Bounds, right: Bounds) -> Bounds:
    if left.low < 0 or right.low < 0:
        return Bounds(-(1 << 200), 1 << 200)
    return Bounds(0, (1 << max(left.high, right.high).bit_length()) - 1)


def _and_bounds(left: Bounds, right: Bounds) -> Bounds:
    highs = [side.high for side in (left, right) if side.low >= 0]
    return Bounds(0, min(highs)) if highs else Bounds(-(1 << 200), 1 << 200)


def _product_bounds(left: Bounds, right: Bounds) -> Bounds:
    ends = [a * b for a in (left.low, left.high) for b in (right.low, right.high)]
    return Bounds(min(ends), max(ends))


_BOUNDS: dict[type[ast.operator], Callable[[Bounds, Bounds], Bounds]] = {
    ast.Add: lambda a, b: Bounds(a.low + b.low, a.high + b.high),
    ast.Sub: lambda a, b: Bounds(a.low - b.high, a.high - b.low),
    ast.Mult: _product_bounds,
    ast.BitAnd: _and_bounds,
    ast.BitOr: _or_bounds,
    ast.BitXor: _xor_bounds,
}
_SYMBOLS = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//", ast.Mod: "%", ast.Pow: "**",
    ast.LShift: "<<", ast.RShift: ">>", ast.BitAnd: "&", ast.BitOr: "|", ast.BitXor: "^", ast.MatMult: "@",
}  # fmt: skip
SYMBOLS = _SYMBOLS
