"""Elements of array fields: ``stats.slots[i]``.

Invariant: the index is certainly within the array, and the code shows the verifier why.
"""

from __future__ import annotations

import ast

from beespace.compiler import ir
from beespace.compiler.frame import Frame
from beespace.compiler.numbers import check_index, known
from beespace.compiler.types import U32, Array, Int, Literal
from beespace.compiler.values import Value, number, offset, sequence
from beespace.schema import Kind
from beespace.schema.kinds import kind_size

__all__ = ["array_element"]


def array_element(frame: Frame, owner: Value, node: ast.Subscript) -> tuple[ir.Expression, Kind]:
    """The address and kind of one element."""
    assert isinstance(owner.type, Array)
    kind = owner.type.kind
    size = kind_size(kind.element)
    value = known(frame, frame.value(node.slice, U32), node.slice, "an index")
    check_index(frame, value, kind.length, node.slice)
    if isinstance(value.type, Literal):
        return offset(owner.expression, value.type.value * size), kind.element
    assert isinstance(value.type, Int)
    index = value.expression if value.type.bits == 32 else ir.Convert(value.expression, ir.U32)
    if index.type != ir.U32:
        index = ir.Convert(index, ir.U32)
    if kind.length & (kind.length - 1) == 0:
        block: ir.Block = ()
        bounded: ir.Expression = ir.Binary(ir.BinaryOp.AND, index, number(kind.length - 1, U32))
    else:
        block, index = frame.bind(index)
        within = ir.Compare(ir.CompareOp.LT, index, number(kind.length, U32))
        bounded = ir.Select(within, index, number(0, U32))
    at = ir.Binary(ir.BinaryOp.MUL, bounded, number(size, U32)) if size != 1 else bounded
    return ir.Offset(owner.expression, sequence(block, at)), kind.element
