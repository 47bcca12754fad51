"""Methods of values: texts and numbers.

Invariant: what a method gives is what Python's gives of the same value.
"""

from __future__ import annotations

import ast

from beespace.compiler import ir, rules
from beespace.compiler.bits import bit_count, bit_length
from beespace.compiler.call_arguments import arguments_of
from beespace.compiler.frame import Frame
from beespace.compiler.memory import SLOT_ALIGN
from beespace.compiler.seq_file import write
from beespace.compiler.texts import as_text, equal_bytes
from beespace.compiler.types import BOOL, Context, Int, Literal, Text, TextLiteral
from beespace.compiler.values import Value, sequence

__all__ = ["method"]

_NUMBERS = {"bit_length": bit_length, "bit_count": bit_count}


def method(frame: Frame, node: ast.Call, function: ast.Attribute) -> Value | None:
    """``value.name(...)``; ``None`` if this is no method of a number or text."""
    if function.attr in _NUMBERS:
        owner = frame.value(function.value)
        if isinstance(owner.type, (Int, Literal)):
            arguments_of(frame, node, function.attr, 0)
            return _NUMBERS[function.attr](frame, owner)
        return None
    if function.attr == "write":
        owner = frame.value(function.value)
        if isinstance(owner.type, Context):
            return write(frame, owner, node)
    return _text_method(frame, node, function)


def _text_method(frame: Frame, node: ast.Call, function: ast.Attribute) -> Value | None:
    """``text.startswith("/proc/")``; ``None`` if this is no method of a text."""
    if not hasattr(str, function.attr):
        return None
    owner = as_text(frame, frame.value(function.value))
    if not isinstance(owner.type, (Text, TextLiteral)):
        return None
    if function.attr != "startswith" or isinstance(owner.type, TextLiteral):
        raise frame.error(
            rules.NotSupported, node, what=f"{function.attr}() of a text",
            suggestion="send the text in an event, and work on it outside",
        )  # fmt: skip
    (argument,) = arguments_of(frame, node, "startswith", 1)
    prefix = frame.value(argument)
    if not isinstance(prefix.type, TextLiteral) or prefix.type.raw:
        raise frame.error(
            rules.NotConstant, argument, what="the start that is looked for", suggestion="write the text out"
        )
    length = len(prefix.type.value)
    size = owner.type.size if owner.type.size is not None else length + 1
    if length > size:
        raise frame.error(rules.TextTooLong, argument, found=prefix.type, size=size, length=length)
    if length == 0:
        return Value(BOOL, ir.Const(1, ir.BOOL))
    if owner.recipe is not None:
        slot = frame.scope.slot(size)
        before: ir.Block = owner.recipe.prepare + owner.recipe.fill(slot, size, SLOT_ALIGN)
        pointer: ir.Expression = slot
        align = SLOT_ALIGN
    else:
        before, pointer = frame.bind_address(owner.expression)
        align = owner.align
    return Value(BOOL, sequence(before, equal_bytes(pointer, prefix.type.value, length, align)))
