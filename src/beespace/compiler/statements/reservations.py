"""``event.discard()``: the record of a ring's ``reserve()`` is not sent.

Invariant: it says what happens at the end of the record's ``with``; until then the record can be written.
"""

from __future__ import annotations

import ast

from beespace.compiler import ir
from beespace.compiler.expressions.call_arguments import arguments_of
from beespace.compiler.expressions.numbers import present
from beespace.compiler.frame import Frame
from beespace.compiler.types import VOID
from beespace.compiler.values import Value

__all__ = ["discard", "is_discard"]


def is_discard(frame: Frame, function: ast.Attribute) -> bool:
    """Whether this is ``discard`` of a record that a ``with`` has reserved."""
    owner = function.value
    return function.attr == "discard" and isinstance(owner, ast.Name) and owner.id in frame.records


def discard(frame: Frame, node: ast.Call, function: ast.Attribute) -> Value:
    """Note that the record is unwanted."""
    arguments_of(frame, node, "discard", 0)
    assert isinstance(function.value, ast.Name)
    present(frame, frame.value(function.value), function.value)
    unwanted = ir.Assign(frame.records[function.value.id], ir.Const(1, ir.BOOL))
    return Value(VOID, ir.Sequence((unwanted,), ir.Const(0, ir.U64)))
