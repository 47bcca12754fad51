"""``n.bit_length()`` and ``n.bit_count()``: found with shifts and sums, which every kernel has.

Invariant: of a negative number both speak of its absolute value, as Python's do.
"""

from __future__ import annotations

from beespace.compiler import ir
from beespace.compiler.frame import Frame
from beespace.compiler.types import U32, U64, Int, Literal
from beespace.compiler.values import Bounds, Value, number, sequence

__all__ = ["bit_count", "bit_length"]


def _shifted(code: ir.Expression, op: ir.BinaryOp, steps: int) -> ir.Expression:
    return ir.Binary(op, code, ir.Const(steps, code.type))


def _magnitude(frame: Frame, value: Value) -> tuple[ir.Block, ir.Expression]:
    """The absolute value as a u64; that of the lowest number fits, too."""
    assert isinstance(value.type, Int)
    code = value.expression
    if value.type.bits < 64:
        code = ir.Convert(code, ir.IntType(64, value.type.signed))
    if not value.type.signed:
        return frame.bind(code)
    before, code = frame.bind(code)
    wide = Int(64, signed=True)
    negative = ir.Compare(ir.CompareOp.LT, code, number(0, wide))
    absolute = ir.Select(negative, ir.Binary(ir.BinaryOp.SUB, number(0, wide), code), code)
    between, code = frame.bind(ir.Convert(absolute, ir.U64))
    return before + between, code


_PAIRS = ((1, 0x5555555555555555), (2, 0x3333333333333333))
_NIBBLES, _BYTES = 0x0F0F0F0F0F0F0F0F, 0x0101010101010101


def _ones(frame: Frame, code: ir.Expression) -> tuple[ir.Block, ir.Expression]:
    """How many bits of a u64 are 1, without a branch."""
    block: ir.Block = ()
    for steps, mask in _PAIRS:
        half = ir.Binary(ir.BinaryOp.AND, code, number(mask, U64))
        other = ir.Binary(ir.BinaryOp.AND, _shifted(code, ir.BinaryOp.SHR, steps), number(mask, U64))
        before, code = frame.bind(ir.Binary(ir.BinaryOp.ADD, half, other))
        block += before
    folded = ir.Binary(ir.BinaryOp.ADD, code, _shifted(code, ir.BinaryOp.SHR, 4))
    nibbles = ir.Binary(ir.BinaryOp.AND, folded, number(_NIBBLES, U64))
    return block, _shifted(ir.Binary(ir.BinaryOp.MUL, nibbles, number(_BYTES, U64)), ir.BinaryOp.SHR, 56)


def bit_count(frame: Frame, value: Value) -> Value:
    """How many bits are 1; a u32."""
    if isinstance(value.type, Literal):
        return Value(Literal(value.type.value.bit_count()))
    assert isinstance(value.type, Int)
    before, code = _magnitude(frame, value)
    block, total = _ones(frame, code)
    return Value(U32, sequence(before + block, ir.Convert(total, ir.U32)), Bounds(0, value.type.bits))


def bit_length(frame: Frame, value: Value) -> Value:
    """The bits that a number needs: 0 for 0, 8 for 255; a u32."""
    if isinstance(value.type, Literal):
        return Value(Literal(value.type.value.bit_length()))
    assert isinstance(value.type, Int)
    block, code = _magnitude(frame, value)
    steps = 1
    while steps < value.type.bits:  # every bit below the highest one becomes 1; then they are counted
        before, code = frame.bind(ir.Binary(ir.BinaryOp.OR, code, _shifted(code, ir.BinaryOp.SHR, steps)))
        block += before
        steps *= 2
    between, total = _ones(frame, code)
    return Value(U32, sequence(block + between, ir.Convert(total, ir.U32)), Bounds(0, value.type.bits))
