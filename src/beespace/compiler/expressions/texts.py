"""Texts and raw bytes: literals, kernel and user strings, comparison.

Invariant: a text in memory is zero from its end to the end of its field, so that equal texts are
equal bytes.
"""

from __future__ import annotations

import ast

from beespace.btf import Int as BtfInt
from beespace.compiler import ir, rules
from beespace.compiler.frame import Frame
from beespace.compiler.kernel.calls import call
from beespace.compiler.kernel.types import address, char_array
from beespace.compiler.types import U64, Bytes, KernelObject, KernelPointer, Text, TextLiteral
from beespace.compiler.values import Recipe, Value, number, offset

__all__ = [
    "as_bytes", "as_text", "equal_bytes", "fill_bytes", "fill_text", "string_recipe", "without_end",
    "write_constant",
]  # fmt: skip

_WORDS = ((8, ir.U64), (4, ir.U32), (2, ir.U16), (1, ir.U8))


def write_constant(target: ir.Expression, data: bytes, align: int) -> ir.Block:
    """Store known bytes, as few words as the alignment allows."""
    stores: list[ir.Statement] = []
    at = 0
    while at < len(data):
        size, type_ = next(
            (size, type_) for size, type_ in _WORDS if at + size <= len(data) and at % size == 0 and size <= align
        )
        value = int.from_bytes(data[at : at + size], "little")
        stores.append(ir.Store(offset(target, at), ir.Const(value, type_)))
        at += size
    return tuple(stores)


def string_recipe(frame: Frame, source: ir.Expression, limit: int | None = None) -> Recipe:
    """The text that ends with a zero byte at ``source``, cut at ``limit`` and at where it is stored."""
    user = source.type == ir.PointerType(ir.Region.USER)
    helper = "probe_read_user_str" if user else "probe_read_kernel_str"

    def reading(target: ir.Expression, size: int) -> ir.Expression:
        return call(helper, ir.I64, target, number(size if limit is None else min(size, limit), U64), source)

    def fill(target: ir.Expression, size: int, align: int) -> ir.Block:
        return (ir.Zero(target, size, align), ir.Evaluate(reading(target, size)))

    def measured(target: ir.Expression, size: int) -> tuple[ir.Block, ir.Expression]:
        return without_end(frame, reading(target, size))

    return Recipe(fill, measured=measured)


def without_end(frame: Frame, writing: ir.Expression) -> tuple[ir.Block, ir.Expression]:
    """A text's length, from what a helper gives: how many bytes it wrote with the zero byte, or a negative error."""
    before, written = frame.bind(writing)
    length = ir.Binary(ir.BinaryOp.SUB, written, ir.Const(1, ir.I64))
    there = ir.Compare(ir.CompareOp.GT, written, ir.Const(0, ir.I64))
    return before, ir.Select(there, ir.Convert(length, ir.U32), ir.Const(0, ir.U32))


def as_text(frame: Frame, value: Value) -> Value:
    """A kernel string as a text; anything else as it is."""
    type_ = value.type
    if isinstance(type_, KernelPointer) and type_.target:
        target = frame.unit.btf.type(type_.target)
        if isinstance(target, BtfInt) and target.size == 1:
            return Value(Text(None), recipe=string_recipe(frame, value.expression))
    if isinstance(type_, KernelObject):
        length = char_array(frame, type_)
        if length is not None:
            limit = length or None  # a flexible array ends with its zero byte
            return Value(Text(limit), recipe=string_recipe(frame, address(value), limit))
    return value


def as_bytes(frame: Frame, value: Value) -> Value:
    """An array of bytes in the kernel as raw bytes; anything else as it is."""
    if isinstance(value.type, KernelObject):
        length = char_array(frame, value.type)
        if length:
            source = address(value)
            return Value(
                Bytes(length), recipe=Recipe(lambda to, size, align: copied(to, size, align, source, length, 1))
            )
    return value


def copied(
    target: ir.Expression, size: int, align: int, source: ir.Expression, length: int, source_align: int
) -> ir.Block:
    """``length`` bytes (at most ``size``), and zeroes up to ``size``."""
    take = min(size, length)
    block: ir.Block = (ir.Copy(target, source, take, min(align, source_align)),)
    if take < size:
        rest_align = next(width for width in (8, 4, 2, 1) if width <= align and take % width == 0)
        block += (ir.Zero(offset(target, take), size - take, rest_align),)
    return block


def fill_text(
    frame: Frame, target: ir.Expression, size: int, align: int, value: Value, node: ast.AST, place: str
) -> ir.Block:
    """Store ``value`` as a ``text(size)``."""
    value = as_text(frame, value)
    type_ = value.type
    if isinstance(type_, TextLiteral) and not type_.raw:
        if len(type_.value) > size:
            raise frame.error(rules.TextTooLong, node, found=type_, size=size, length=len(type_.value))
        return write_constant(target, type_.value.ljust(size, b"\0"), align)
    if not isinstance(type_, Text):
        raise frame.error(rules.TypeMismatch, node, place=place, expected=f"text({size})", found=type_)
    return _fill(frame, target, size, align, value, type_.size, node)


def fill_bytes(
    frame: Frame, target: ir.Expression, size: int, align: int, value: Value, node: ast.AST, place: str
) -> ir.Block:
    """Store ``value`` as a ``raw(size)``."""
    value = as_bytes(frame, value)
    type_ = value.type
    if isinstance(type_, TextLiteral) and type_.raw:
        if len(type_.value) > size:
            raise frame.error(rules.TextTooLong, node, found=type_, size=size, length=len(type_.value))
        return write_constant(target, type_.value.ljust(size, b"\0"), align)
    if not isinstance(type_, Bytes):
        raise frame.error(rules.TypeMismatch, node, place=place, expected=f"raw({size})", found=type_)
    return _fill(frame, target, size, align, value, type_.size, node)


def _fill(
    frame: Frame, target: ir.Expression, size: int, align: int, value: Value, length: int | None, node: ast.AST
) -> ir.Block:
    if value.recipe is not None and not (value.recipe.reads and length is not None and length > size):
        return value.recipe.prepare + value.recipe.fill(target, size, align)
    assert length is not None
    if length > size:
        raise frame.error(rules.TextTooLong, node, found=value.type, size=size, length=length)
    before, source = frame.bind_address(value.expression)
    return before + copied(target, size, align, source, length, value.align)


def equal_bytes(left: ir.Expression, right: ir.Expression | bytes, size: int, align: int) -> ir.Expression:
    """Whether two stretches of memory (or memory and known bytes) are the same, word by word."""
    result: ir.Expression | None = None
    at = 0
    while at < size:
        width, type_ = next((w, t) for w, t in _WORDS if at + w <= size and at % w == 0 and w <= align)
        ours: ir.Expression = ir.Load(offset(left, at), type_)
        if isinstance(right, bytes):
            theirs: ir.Expression = ir.Const(int.from_bytes(right[at : at + width], "little"), type_)
        else:
            theirs = ir.Load(offset(right, at), type_)
        same = ir.Compare(ir.CompareOp.EQ, ours, theirs)
        result = same if result is None else ir.And(result, same)
        at += width
    assert result is not None
    return result
