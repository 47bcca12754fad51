"""Methods of values: texts and numbers.

Invariant: what a method gives is what Python's gives of the same value.
"""

from __future__ import annotations

import ast

from beespace.compiler import rules
from beespace.compiler.contexts.seq_file import write
from beespace.compiler.expressions.bits import bit_count, bit_length
from beespace.compiler.expressions.call_arguments import arguments_of
from beespace.compiler.expressions.text_search import any_of, ends_with, find, starts_with
from beespace.compiler.expressions.texts import as_text
from beespace.compiler.frame import Frame
from beespace.compiler.types import Context, Int, Literal, Text, TextLiteral
from beespace.compiler.values import Value

__all__ = ["method"]

_TEXTS = {"startswith": any_of(starts_with), "endswith": any_of(ends_with), "find": find}
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
    rule = _TEXTS.get(function.attr)
    if rule is None or isinstance(owner.type, TextLiteral):
        raise frame.error(
            rules.NotSupported, node, what=f"{function.attr}() of a text",
            suggestion="send the text in an event, and work on it outside",
        )  # fmt: skip
    (argument,) = arguments_of(frame, node, function.attr, 1)
    return rule(frame, owner, argument)
