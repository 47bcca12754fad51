"""Events whose last field is as long as what is in it: writing the field, and how much of the event is sent.

Invariant: the field begins with its length, never more than its capacity, and what stands behind that length is
neither read nor sent.
"""

from __future__ import annotations

import ast

from beespace.compiler import ir, rules
from beespace.compiler.expressions.texts import as_bytes, as_text, copied, write_constant
from beespace.compiler.frame import Frame
from beespace.compiler.types import U32, U64, Bytes, Text, TextLiteral, of_kind
from beespace.compiler.values import Value, number, offset
from beespace.schema import Struct, TextKind, VariableKind
from beespace.schema.kinds import LENGTH_SIZE, kind_size

__all__ = ["fill_variable", "sent_size"]

# Kernels before 6.3 hand only initialised stack to helpers (commit 6715df8d5d24), whatever part of it is sent; what is
# larger than this is never on the stack.
_ON_STACK = 400


def fill_variable(
    frame: Frame, target: ir.Expression, kind: VariableKind, value: Value, node: ast.AST, place: str
) -> ir.Block:
    """Store ``value`` and its length at ``target``."""
    is_text = isinstance(kind.of, TextKind)
    value = as_text(frame, value) if is_text else as_bytes(frame, value)
    type_, capacity, data = value.type, kind.capacity, offset(target, LENGTH_SIZE)
    if isinstance(type_, TextLiteral) and type_.raw != is_text:
        size = len(type_.value)
        if size > capacity:
            raise frame.error(rules.TextTooLong, node, found=type_, size=capacity, length=size)
        return (
            *_cleared(target, kind),
            ir.Store(target, number(size, U32)),
            *write_constant(data, type_.value, LENGTH_SIZE),
        )
    if not isinstance(type_, Text if is_text else Bytes):
        raise frame.error(rules.TypeMismatch, node, place=place, expected=of_kind(kind), found=type_)
    block = _cleared(target, kind)
    if value.recipe is not None and value.recipe.measured is not None:
        filling, length = value.recipe.measured(data, capacity)
        return (*block, *value.recipe.prepare, *filling, ir.Store(target, length))
    assert isinstance(type_, (Text, Bytes))
    taken = type_.size if type_.size is not None else capacity
    if taken > capacity:
        raise frame.error(rules.TextTooLong, node, found=type_, size=capacity, length=taken)
    if value.recipe is not None:
        block += value.recipe.prepare + value.recipe.fill(data, taken, LENGTH_SIZE)
    else:
        before, source = frame.bind_address(value.expression)
        block += before + copied(data, taken, LENGTH_SIZE, source, taken, value.align)
    if isinstance(type_, Bytes):
        return (*block, ir.Store(target, number(taken, U32)))
    return (*block, *_measured_text(frame, target, taken))


def _cleared(target: ir.Expression, kind: VariableKind) -> ir.Block:
    return (ir.Zero(target, kind.size, LENGTH_SIZE),) if kind_size(kind) <= _ON_STACK else ()


def _measured_text(frame: Frame, target: ir.Expression, size: int) -> ir.Block:
    """Store how many of ``size`` bytes stand before the first zero."""
    from beespace.compiler.expressions.text_search import length  # which stores texts itself

    data = offset(target, LENGTH_SIZE)
    before, count = frame.bind(length(frame, Value(Text(size), data), ast.Constant(0)).expression)
    return (*before, ir.Store(target, count))


def sent_size(frame: Frame, event: type[Struct], data: ir.Expression) -> tuple[ir.Block, ir.Expression]:
    """How many bytes of the event at ``data`` are sent, as the verifier can follow it."""
    field = event.layout.variable
    if field is None:
        return (), number(kind_size(event), U64)
    assert isinstance(field.kind, VariableKind)
    # What is read back is what is compared, so that the verifier sees its bound.
    read = ir.Convert(ir.Load(offset(data, field.offset), ir.U32, volatile=True), ir.U64)
    before, length = frame.bind(read)
    most = number(field.kind.capacity, U64)
    used = ir.Select(ir.Compare(ir.CompareOp.LT, length, most), length, most)
    size = ir.Binary(ir.BinaryOp.ADD, used, number(field.offset + LENGTH_SIZE, U64))
    between, name = frame.bind(size)
    return (*before, *between), name
