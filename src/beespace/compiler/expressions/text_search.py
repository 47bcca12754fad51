"""Looking into texts: length, what they start and end with, what is in them.

Invariant: lengths and places count bytes of UTF-8, which are Python's characters as long as the text is ASCII; what is
looked for is written out.
"""

from __future__ import annotations

import ast
from collections.abc import Callable

from beespace.compiler import ir, rules
from beespace.compiler.expressions.elements import element_at
from beespace.compiler.expressions.texts import as_text, equal_bytes
from beespace.compiler.frame import Frame
from beespace.compiler.memory import in_memory
from beespace.compiler.types import BOOL, I32, U32, Bytes, Text, TextLiteral
from beespace.compiler.values import Bounds, Value, offset, sequence
from beespace.schema import IntKind

__all__ = ["any_of", "ends_with", "find", "length", "search", "starts_with"]

_BYTE = IntKind("u8", 8)


def _wanted(frame: Frame, node: ast.expr, what: str) -> bytes:
    """The text that is looked for."""
    found = frame.value(node)
    if not isinstance(found.type, TextLiteral) or found.type.raw:
        raise frame.error(rules.NotConstant, node, what=what, suggestion="write the text out")
    return found.type.value


def _size(frame: Frame, owner: Value, node: ast.AST) -> int:
    assert isinstance(owner.type, (Text, Bytes))
    if owner.type.size is None:
        raise frame.error(rules.TextUnsized, node, what="this text", name="name")
    return owner.type.size


def any_of(rule: Callable[[Frame, Value, ast.expr], Value]) -> Callable[[Frame, Value, ast.expr], Value]:
    """``rule`` for a text, or for each text of a tuple that is written out: whether one of them is found."""

    def search_all(frame: Frame, owner: Value, node: ast.expr) -> Value:
        if not isinstance(node, ast.Tuple) or not node.elts:
            return rule(frame, owner, node)
        assert isinstance(owner.type, Text)
        size = owner.type.size
        if size is None:
            size = max(len(_wanted(frame, each, "the text that is looked for")) for each in node.elts) + 1
        before, pointer, align = in_memory(frame, owner, size)
        kept = Value(Text(size), pointer, align=align)
        found = rule(frame, kept, node.elts[0]).expression
        for each in node.elts[1:]:
            found = ir.Or(found, rule(frame, kept, each).expression)
        return Value(BOOL, sequence(before, found))

    return search_all


def starts_with(frame: Frame, owner: Value, node: ast.expr) -> Value:
    """``text.startswith("...")``."""
    assert isinstance(owner.type, Text)
    asked = as_text(frame, frame.value(node))
    if isinstance(asked.type, Text) and asked.type.size is not None:
        return _starts_as(frame, owner, asked, asked.type.size)
    wanted = _wanted(frame, node, "the start that is looked for")
    # Of an unsized text one byte more is read, for the zero that the kernel puts behind it.
    size = owner.type.size if owner.type.size is not None else len(wanted) + 1
    if len(wanted) > size:
        literal = TextLiteral(wanted)
        raise frame.error(rules.TextTooLong, node, found=literal, size=size, length=len(wanted))
    if not wanted:
        return Value(BOOL, ir.Const(1, ir.BOOL))
    before, pointer, align = in_memory(frame, owner, size)
    return Value(BOOL, sequence(before, equal_bytes(pointer, wanted, len(wanted), align)))


def _starts_as(frame: Frame, owner: Value, asked: Value, most: int) -> Value:
    """``path.startswith(self.prefix)``: byte by byte, up to the zero byte of what is looked for."""
    assert isinstance(owner.type, Text)
    size = owner.type.size if owner.type.size is not None else most + 1
    before, text, _ = in_memory(frame, owner, size)
    between, start, _ = in_memory(frame, asked, most)
    index, same = frame.scope.fresh("index"), frame.scope.fresh("same")
    at, zero = ir.Local(index, ir.U32), ir.Const(0, ir.U8)
    shared = min(size, most)
    byte = element_at(start, _BYTE, most, frame, Value(U32, at, Bounds(0, shared - 1)))
    here, wanted = frame.bind(ir.Load(byte, ir.U8))
    found = ir.Load(element_at(text, _BYTE, size, frame, Value(U32, at, Bounds(0, shared - 1))), ir.U8)
    ends = ir.If(ir.Compare(ir.CompareOp.EQ, wanted, zero), (ir.Break(),))
    differs = ir.If(ir.Compare(ir.CompareOp.NE, found, wanted), (ir.Assign(same, ir.Const(0, ir.BOOL)), ir.Break()))
    block: ir.Block = (*before, *between, ir.Declare(same, ir.BOOL, ir.Const(1, ir.BOOL)),
                       ir.Loop((*here, ends, differs), shared, index))  # fmt: skip
    if most > shared:  # longer than the text can be
        more = ir.Load(offset(start, shared), ir.U8)
        block += (ir.If(ir.Compare(ir.CompareOp.NE, more, zero), (ir.Assign(same, ir.Const(0, ir.BOOL)),)),)
    return Value(BOOL, ir.Sequence(block, ir.Local(same, ir.BOOL)))


def length(frame: Frame, owner: Value, node: ast.AST) -> Value:
    """``len(text)``: up to its zero byte."""
    size = _size(frame, owner, node)
    before, pointer, _ = in_memory(frame, owner, size)
    index, count = frame.scope.fresh("index"), frame.scope.fresh("length")
    at = element_at(pointer, _BYTE, size, frame, Value(U32, ir.Local(index, ir.U32), Bounds(0, size - 1)))
    ends = ir.Compare(ir.CompareOp.EQ, ir.Load(at, ir.U8), ir.Const(0, ir.U8))
    longer = ir.Binary(ir.BinaryOp.ADD, ir.Local(index, ir.U32), ir.Const(1, ir.U32))
    loop = ir.Loop((ir.If(ends, (ir.Break(),)), ir.Assign(count, longer)), size, index)
    return Value(U32, ir.Sequence((*before, ir.Declare(count, ir.U32), loop), ir.Local(count, ir.U32)), Bounds(0, size))


def _searched(frame: Frame, owner: Value, wanted: bytes, node: ast.AST, *, at_end: bool) -> tuple[ir.Block, str, int]:
    """Look for ``wanted`` at every place; the name of the local that holds the place or -1, and the last place."""
    size = _size(frame, owner, node)
    before, pointer, _ = in_memory(frame, owner, size)
    last = size - len(wanted)
    index, place = frame.scope.fresh("index"), frame.scope.fresh("place")
    start = ir.Declare(place, ir.I32, ir.Const(-1, ir.I32))
    if last < 0:
        return (*before, start), place, last
    base = element_at(pointer, _BYTE, last + 1, frame, Value(U32, ir.Local(index, ir.U32), Bounds(0, last)))
    here, at = frame.bind(base)
    same = equal_bytes(at, wanted, len(wanted), 1)
    if at_end:
        # What follows is the text's zero byte, unless the text fills its place.
        follows = ir.Compare(ir.CompareOp.EQ, ir.Load(offset(at, len(wanted)), ir.U8), ir.Const(0, ir.U8))
        full = ir.Compare(ir.CompareOp.EQ, ir.Local(index, ir.U32), ir.Const(last, ir.U32))
        same = ir.And(same, ir.Or(full, follows))
    found: ir.Block = (ir.Assign(place, ir.Convert(ir.Local(index, ir.U32), ir.I32)), ir.Break())
    return (*before, start, ir.Loop((*here, ir.If(same, found)), last + 1, index)), place, last


def ends_with(frame: Frame, owner: Value, node: ast.expr) -> Value:
    """``text.endswith("...")``."""
    wanted = _wanted(frame, node, "the end that is looked for")
    if not wanted:
        return Value(BOOL, ir.Const(1, ir.BOOL))
    block, place, _ = _searched(frame, owner, wanted, node, at_end=True)
    return Value(BOOL, ir.Sequence(block, _is_found(place)))


def find(frame: Frame, owner: Value, node: ast.expr) -> Value:
    """``text.find("...")``: the first place, or -1; an i32."""
    wanted = _wanted(frame, node, "what is looked for")
    if not wanted:
        return Value(I32, ir.Const(0, ir.I32), Bounds(0, 0))
    block, place, last = _searched(frame, owner, wanted, node, at_end=False)
    return Value(I32, ir.Sequence(block, ir.Local(place, ir.I32)), Bounds(-1, max(last, -1)))


def search(frame: Frame, owner: Value, node: ast.expr) -> ir.Expression:
    """``"..." in text``."""
    wanted = _wanted(frame, node, "what is looked for")
    if not wanted:
        return ir.Const(1, ir.BOOL)
    block, place, _ = _searched(frame, owner, wanted, node, at_end=False)
    return ir.Sequence(block, _is_found(place))


def _is_found(place: str) -> ir.Expression:
    return ir.Compare(ir.CompareOp.GE, ir.Local(place, ir.I32), ir.Const(0, ir.I32))
