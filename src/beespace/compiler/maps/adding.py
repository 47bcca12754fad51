"""``+=`` on what other CPUs see: one atomic step, or a mistake."""

from __future__ import annotations

import ast

from beespace.compiler import ir, rules
from beespace.compiler.expressions.numbers import SYMBOLS, fit, present
from beespace.compiler.frame import Frame
from beespace.compiler.types import Int, Literal, of_kind
from beespace.compiler.values import Value, number
from beespace.schema import IntKind, Kind

__all__ = ["addable", "amount", "atomic_add"]


def atomic_add(op: ast.operator, pointer: ir.Expression, amount: ir.Expression) -> ir.Block:
    """``place += amount`` where other CPUs may be at the same place; see :func:`addable` for the checks."""
    if isinstance(op, ast.Sub):
        assert isinstance(amount.type, ir.IntType)
        amount = ir.Binary(ir.BinaryOp.SUB, ir.Const(0, amount.type), amount)
    return (ir.AtomicAdd(pointer, amount),)


def addable(frame: Frame, op: ast.operator, kind: Kind | None, what: str, node: ast.AST) -> Int:
    """The type of a place that += can change in one step; a mistake if it can not."""
    symbol = SYMBOLS[type(op)]
    if not isinstance(kind, IntKind):
        found = "nothing" if kind is None else of_kind(kind)
        raise frame.error(rules.NoIncrement, node, what=what, operator=f"{symbol}=", found=found,
                          suggestion="only whole numbers can")  # fmt: skip
    if not isinstance(op, (ast.Add, ast.Sub)):
        raise frame.error(rules.NotAtomic, node, operator=f"{symbol}=", what=what, plain=symbol)
    if kind.bits < 32 or kind.big_endian:
        raise frame.error(rules.AtomicWidth, node, what=what, bits=kind.bits)
    return Int(kind.bits, kind.signed)


def amount(frame: Frame, node: ast.AugAssign, type_: Int) -> tuple[ir.Block, ir.Expression]:
    """What is added, bound."""
    value = present(frame, frame.value(node.value, type_), node.value)
    if isinstance(value.type, Literal) and value.type.value < 0 and not type_.signed:
        value = Value(type_, number(value.type.value, type_))  # += -1 counts down, as -= 1 does
    return frame.bind(fit(frame, value, type_, node.value, "the amount"))
