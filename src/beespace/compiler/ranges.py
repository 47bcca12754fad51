"""``range(...)``: the numbers that a loop counts through, with bounds that are known while compiling.

Invariant: counting is done in a type that holds the first and the last number without wrapping.
"""

from __future__ import annotations

import ast

from beespace.compiler import ir, rules
from beespace.compiler.expressions.numbers import fit, known
from beespace.compiler.frame import Frame
from beespace.compiler.statements.rounds import MAX_CALLED, Item, Rounds
from beespace.compiler.types import Int, Literal, Type
from beespace.compiler.values import Bounds, Value, number
from beespace.record import dataclass

__all__ = ["range_rounds"]


@dataclass(frozen=True, slots=True)
class _Counted:
    """``start + index * step``, while below ``stop`` (above it, if ``step`` is negative) if there is one."""

    start: int
    step: int
    limit: int
    type: Int
    bounds: Bounds
    before: ir.Block = ()
    stop: ir.Expression | None = None

    def begin(self, frame: Frame, index: ir.Expression, target: ast.expr) -> tuple[ir.Block, Item]:
        """The number of this round."""
        counted = self._number(index)
        opening: ir.Block = ()
        if self.stop is not None:
            opening, counted = frame.bind(counted)
            past = ir.CompareOp.GE if self.step > 0 else ir.CompareOp.LE
            opening += (ir.If(ir.Compare(past, counted, self.stop), (ir.Break(),)),)
        variable = frame.scope.variables.get(target.id) if isinstance(target, ast.Name) else None
        type_ = _counter_type(self.bounds, variable.type if variable is not None else None)
        code = counted if type_.code == counted.type else ir.Convert(counted, type_.code)
        return opening, Value(type_, code, self.bounds)

    def _number(self, index: ir.Expression) -> ir.Expression:
        code = index
        if self.type.code != ir.U32:
            code = ir.Convert(code, self.type.code)
        if self.step != 1:
            code = ir.Binary(ir.BinaryOp.MUL, code, number(self.step, self.type))
        if self.start != 0:
            code = ir.Binary(ir.BinaryOp.ADD, code, number(self.start, self.type))
        return code

    def count(self) -> ir.Expression | None:
        """How many numbers there are, as a u32; ``None`` if that is not computed."""
        if self.stop is None:
            return ir.Const(self.limit, ir.U32)
        if self.step != 1:
            return None
        start = number(self.start, self.type)
        left = ir.Convert(ir.Binary(ir.BinaryOp.SUB, self.stop, start), ir.U32)
        return ir.Select(ir.Compare(ir.CompareOp.GT, self.stop, start), left, ir.Const(0, ir.U32))


def _counter_type(bounds: Bounds, declared: Type | None) -> Int:
    """What the loop's name is: what it was before if the numbers fit, else u32, or i32 for negative ones."""
    signed = bounds.low < 0
    for type_ in (declared, Int(32, signed), Int(64, signed)):
        if isinstance(type_, Int) and type_.minimum <= bounds.low and bounds.high <= type_.maximum:
            return type_
    return Int(64, signed)


def range_rounds(frame: Frame, call: ast.Call) -> Rounds:
    """The rounds of a loop over ``range(...)``."""
    counted = _counted(frame, call)
    return Rounds(counted.limit, counted.begin, counted.before, counted.count(), certain=counted.stop is None)


def _counted(frame: Frame, call: ast.Call) -> _Counted:
    if call.keywords or not 1 <= len(call.args) <= 3:
        raise frame.error(
            rules.ArgumentCount, call, function="range()", expected="1 to 3 numbers", found=len(call.args)
        )
    values = [known(frame, frame.value(argument), argument, "range()") for argument in call.args]
    start = Value(Literal(0)) if len(values) == 1 else values[0]
    stop = values[0] if len(values) == 1 else values[1]
    stop_node = call.args[0] if len(values) == 1 else call.args[1]
    step = values[2] if len(values) == 3 else Value(Literal(1))
    for value, what in ((start, "the start"), (step, "the step")):
        if not isinstance(value.type, Literal):
            raise frame.error(
                rules.NotConstant, call.args[0] if value is start else call.args[2], what=what,
                suggestion="count from 0 by 1, and work the number out inside: `start + i * step`",
            )  # fmt: skip
    assert isinstance(start.type, Literal) and isinstance(step.type, Literal)
    if step.type.value == 0:
        raise frame.error(rules.LoopUnbounded, call.args[2], what="a range with a step of 0", suggestion="")
    first, by = start.type.value, step.type.value
    if isinstance(stop.type, Literal):
        return _constant(frame, call, first, stop.type.value, by)
    return _dynamic(frame, call, first, stop, stop_node, by)


def _count(first: int, stop: int, by: int) -> int:
    """How many numbers ``range(first, stop, by)`` has, however many."""
    return max(0, -(-(stop - first) // by))


def _constant(frame: Frame, call: ast.Call, first: int, stop: int, by: int) -> _Counted:
    count = _count(first, stop, by)
    if count > MAX_CALLED:
        raise frame.error(
            rules.LoopTooLong, call, count=count, limit=MAX_CALLED,
            suggestion="split the work over several events, or count in user space",
        )  # fmt: skip
    ends = [first, first + (count - 1) * by] if count else [0, 0]
    low, high = min(ends), max(ends)
    bounds = Bounds(low, high)
    return _Counted(first, by, count, _counter_type(bounds, None), bounds)


def _dynamic(frame: Frame, call: ast.Call, first: int, stop: Value, node: ast.expr, by: int) -> _Counted:
    assert isinstance(stop.type, Int)
    most = stop.range.high if by > 0 else stop.range.low
    limit = _count(first, most, by)
    if limit > MAX_CALLED or by < 0:
        text = ast.unparse(node)
        raise frame.error(
            rules.LoopUnbounded, node, what=f"`range({text})`", suggestion=f"give it one: `range(min({text}, 64))`"
        )
    type_ = stop.type if stop.type.bits >= 32 else Int(32, stop.type.signed)
    if first < 0 and not type_.signed:
        raise frame.error(rules.MixedSigns, call, left=Int(64, signed=True), right=type_)
    before, code = frame.bind(fit(frame, stop, type_, node, "range()"))
    return _Counted(first, by, limit, type_, Bounds(first, max(first, most - 1)), before, code)
