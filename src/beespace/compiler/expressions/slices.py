"""Slices of texts and raw bytes: ``text[2:6]``, ``raw[:4]``, ``text[start : start + 16]``.

Invariant: as in Python, a slice is a copy, bounds count from the end if they are negative, and those that lie outside
mean the end; how many bytes it has at most is known while compiling.
"""

from __future__ import annotations

import ast

from beespace.compiler import ir, rules
from beespace.compiler.expressions.numbers import known
from beespace.compiler.expressions.text_search import length
from beespace.compiler.expressions.texts import copied
from beespace.compiler.frame import Frame
from beespace.compiler.kernel.calls import call
from beespace.compiler.memory import in_memory
from beespace.compiler.types import U32, Bytes, Int, Literal, Text, Type
from beespace.compiler.values import Recipe, Value, number, offset
from beespace.record import dataclass, replace

__all__ = ["sliced"]

_MOST = 4096  # bytes of a text without a size of its own: PATH_MAX in include/uapi/linux/limits.h
_SKIPPED = ir.Const(0, ir.U32)


def sliced(frame: Frame, owner: Value, node: ast.Slice) -> Value:
    """A copy of a part."""
    assert isinstance(owner.type, (Text, Bytes))
    if node.step is not None:
        raise frame.error(rules.NotSupported, node.step, what="the step of a slice", suggestion="take single elements")
    lower, upper = _bound(frame, node.lower), _bound(frame, node.upper)
    written = all(found is None or _is_written(found) for found in (lower, upper))
    if written:
        return _written_out(frame, owner, node, lower, upper)
    if isinstance(owner.type, Bytes):
        place = node.lower if lower is not None and not _is_written(lower) else node.upper
        assert place is not None
        raise frame.error(
            rules.NotConstant, place, what="the bound of a slice of raw bytes",
            suggestion="write a number, not below 0: so many bytes are then taken",
        )  # fmt: skip
    return _computed(frame, owner, node, lower, upper)


def _bound(frame: Frame, node: ast.expr | None) -> Value | None:
    return None if node is None else known(frame, frame.value(node), node, "the bound of a slice")


def _is_written(value: Value) -> bool:
    return isinstance(value.type, Literal) and value.type.value >= 0


def _literal(value: Value | None, missing: int | None) -> int | None:
    if value is None:
        return missing
    assert isinstance(value.type, Literal)
    return value.type.value


def _written_out(frame: Frame, owner: Value, node: ast.Slice, lower: Value | None, upper: Value | None) -> Value:
    """Bounds that are written out, not below 0."""
    assert isinstance(owner.type, (Text, Bytes))
    size = owner.type.size
    low, high = _literal(lower, 0), _literal(upper, size)
    if high is None:
        raise frame.error(rules.TextUnsized, node, what="this text", name="name")
    assert low is not None
    if size is not None:
        low, high = min(low, size), min(high, size)
    taken = max(high - low, 0)
    if taken == 0 and isinstance(owner.type, Bytes):
        raise frame.error(rules.NotSupported, node, what="an empty slice", suggestion="take at least one byte")
    # The kernel puts a zero byte behind what it reads: one byte more than is wanted of a text without a size.
    before, pointer, align = in_memory(frame, owner, size if size is not None else high + 1)
    source, source_align = offset(pointer, low), align if low == 0 else 1

    def fill(target: ir.Expression, room: int, target_align: int) -> ir.Block:
        if taken == 0:
            return (ir.Zero(target, room, target_align),)
        return copied(target, room, target_align, source, taken, source_align)

    type_ = Text(max(taken, 1)) if isinstance(owner.type, Text) else Bytes(taken)
    return Value(type_, recipe=Recipe(fill, before, reads=True))


# --- bounds that are computed --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Bound:
    """Where a slice begins or ends: a u32 of at most the text's size."""

    code: ir.Expression
    low: int
    high: int


def _computed(frame: Frame, owner: Value, node: ast.Slice, lower: Value | None, upper: Value | None) -> Value:
    """Bounds that only the running program knows: bpf_probe_read_kernel() copies so many bytes from there."""
    assert isinstance(owner.type, Text)
    size = owner.type.size if owner.type.size is not None else _needed(frame, node, upper)
    before, pointer, align = in_memory(frame, owner, size if owner.type.size is not None else size + 1)
    text = Value(Text(size), pointer, align=align)
    opening, lower = _once(frame, lower)
    after, upper = _once(frame, upper)
    block, start = _clamped(frame, text, lower, 0, node)
    between, end = _clamped(frame, text, upper, size, node)
    most = max(1, min(end.high - start.low, _apart(node, lower, upper) or size))
    taken = ir.Binary(ir.BinaryOp.SUB, end.code, start.code)
    ends_later = ir.Compare(ir.CompareOp.GT, end.code, start.code)
    amount = ir.Select(ends_later, taken, _SKIPPED)

    def fill(target: ir.Expression, room: int, target_align: int) -> ir.Block:
        opening, at = _at_most(frame, start.code, size)
        reading, count = _at_most(frame, amount, min(most, room))
        copy = call("probe_read_kernel", ir.I64, target, ir.Convert(count, ir.U64), ir.Offset(pointer, at))
        return (ir.Zero(target, room, target_align), *opening, *reading, ir.Evaluate(copy))

    prepare = before + opening + after + block + between
    return Value(Text(most), recipe=Recipe(fill, prepare, reads=True))


def _once(frame: Frame, value: Value | None) -> tuple[ir.Block, Value | None]:
    if value is None or value.code is None:
        return (), value
    block, code = frame.bind(value.code)
    return block, replace(value, code=code)


def _needed(frame: Frame, node: ast.Slice, upper: Value | None) -> int:
    """How much must be read of a text without a size."""
    if upper is None or upper.range.low < 0 or upper.range.high > _MOST:
        raise frame.error(rules.TextUnsized, node, what="this text", name="name")
    return max(1, upper.range.high)


def _apart(node: ast.Slice, lower: Value | None, upper: Value | None) -> int | None:
    """How long ``text[start : start + 16]``, ``text[-8:]`` or ``text[-8:-4]`` is at most."""
    if lower is not None and isinstance(lower.type, Literal) and lower.type.value < 0:
        end = _literal(upper, 0) if upper is None or isinstance(upper.type, Literal) else None
        if end is not None and end <= 0 and (upper is None or end < 0):
            return max(1, end - lower.type.value)
    if node.lower is None or not isinstance(node.upper, ast.BinOp) or not isinstance(node.upper.op, ast.Add):
        return None
    added = node.upper.right
    same = isinstance(node.lower, ast.Name) and ast.unparse(node.lower) == ast.unparse(node.upper.left)
    if not same or not isinstance(added, ast.Constant) or not isinstance(added.value, int) or added.value < 1:
        return None
    return added.value


def _clamped(frame: Frame, text: Value, value: Value | None, missing: int, node: ast.AST) -> tuple[ir.Block, _Bound]:
    """A bound as Python takes it."""
    assert isinstance(text.type, Text) and text.type.size is not None
    size = text.type.size
    if value is None or _is_written(value):
        at = min(_literal(value, missing) or 0, size)
        return (), _Bound(ir.Const(at, ir.U32), at, at)
    bounds = value.range
    type_ = _wide(value.type)
    code: ir.Expression = ir.Const(value.type.value, type_) if isinstance(value.type, Literal) else value.expression
    block: ir.Block = ()
    if code.type != type_:
        block, code = frame.bind(ir.Convert(code, type_))
    zero = ir.Const(0, type_)
    if bounds.low < 0:
        counted = ir.Convert(length(frame, text, node).expression, type_)
        before, from_end = frame.bind(ir.Binary(ir.BinaryOp.ADD, code, counted))
        between, code = frame.bind(ir.Select(ir.Compare(ir.CompareOp.LT, code, zero), from_end, code))
        after, code = frame.bind(ir.Select(ir.Compare(ir.CompareOp.LT, code, zero), zero, code))
        block += before + between + after
    most = ir.Const(size, type_)
    within = ir.Select(ir.Compare(ir.CompareOp.GT, code, most), most, code)
    after, code = frame.bind(ir.Convert(within, ir.U32))
    low = max(0, min(bounds.low, size)) if bounds.low >= 0 else 0
    high = min(bounds.high, size) if bounds.low >= 0 else size
    return block + after, _Bound(code, low, high)


def _wide(type_: Type) -> ir.IntType:
    assert isinstance(type_, (Int, Literal))
    signed = type_.signed if isinstance(type_, Int) else True
    return ir.I64 if signed else ir.U64


def _at_most(frame: Frame, code: ir.Expression, most: int) -> tuple[ir.Block, ir.Expression]:
    """``code``, and no more than ``most``, as the verifier sees."""
    block, value = frame.opaque(code)
    within = ir.Compare(ir.CompareOp.LE, value, number(most, U32))
    between, bounded = frame.bind(ir.Select(within, value, number(most, U32)))
    return block + between, bounded
