"""Elements of array fields: ``stats.slots[i]``.

Invariant: the index is certainly within the array, and the code shows the verifier why.
"""

from __future__ import annotations

import ast

from beespace.compiler import ir
from beespace.compiler.expressions.numbers import check_index, known
from beespace.compiler.frame import Frame
from beespace.compiler.types import U32, Array, Int, Literal
from beespace.compiler.values import Value, number, offset, sequence
from beespace.schema import Kind
from beespace.schema.kinds import kind_size

__all__ = ["array_element", "element_at"]


def array_element(frame: Frame, owner: Value, node: ast.Subscript) -> tuple[ir.Expression, Kind]:
    """The address and kind of one element."""
    assert isinstance(owner.type, Array)
    kind = owner.type.kind
    value = known(frame, frame.value(node.slice, U32), node.slice, "an index")
    if isinstance(value.type, Literal) and -kind.length <= value.type.value < 0:
        value = Value(Literal(value.type.value + kind.length))  # counted from the end
    check_index(frame, value, kind.length, node.slice)
    return element_at(owner.expression, kind.element, kind.length, frame, value), kind.element


def element_at(pointer: ir.Expression, element: Kind, length: int, frame: Frame, value: Value) -> ir.Expression:
    """The address of the element of that index, which is certainly within."""
    size = kind_size(element)
    if isinstance(value.type, Literal):
        return offset(pointer, value.type.value * size)
    assert isinstance(value.type, Int)
    index = value.expression if value.type.bits == 32 else ir.Convert(value.expression, ir.U32)
    if index.type != ir.U32:
        index = ir.Convert(index, ir.U32)
    at = ir.Binary(ir.BinaryOp.MUL, index, number(size, U32)) if size != 1 else index
    # The comparison is for the verifier, which cannot follow how we know.
    block, at_bytes = frame.opaque(at)
    within = ir.Compare(ir.CompareOp.LE, at_bytes, number((length - 1) * size, U32))
    bounded = ir.Select(within, at_bytes, number(0, U32))
    return ir.Offset(pointer, sequence(block, bounded))
