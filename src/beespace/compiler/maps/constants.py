"""Arguments of map operations that are no keys and values: the context, and what must be known while compiling."""

from __future__ import annotations

import ast
from collections.abc import Mapping

from beespace.compiler import ir, rules
from beespace.compiler.frame import Frame
from beespace.compiler.maps.operations import Place
from beespace.compiler.types import Context, Literal

__all__ = ["constant", "context", "context_of", "flag"]


def constant(frame: Frame, node: ast.expr | None, what: str, *, default: int = 0, low: int = 0, high: int) -> int:
    """A number from ``low`` to ``high`` that is written out."""
    if node is None:
        return default
    value = frame.value(node)
    if not isinstance(value.type, Literal):
        raise frame.error(rules.NotConstant, node, what=what, suggestion="write a number")
    if not low <= value.type.value <= high:
        raise frame.error(rules.ArgumentRange, node, what=what, low=low, high=high, found=value.type)
    return value.type.value


def flag(frame: Frame, node: ast.expr | None, what: str) -> bool:
    """True or False, written out; what is not given is False."""
    if node is None:
        return False
    value = frame.value(node)
    if not isinstance(value.code, ir.Const) or not isinstance(value.code.type, ir.BoolType):
        raise frame.error(rules.NotConstant, node, what=what, suggestion="write True or False")
    return value.code.value != 0


def context(frame: Frame, place: Place, call: ast.Call, node: ast.expr) -> ir.Expression:
    """The program's context, as the kernel wants it."""
    return _context(frame, place, call, node, {})[0]


def context_of(
    frame: Frame, place: Place, call: ast.Call, node: ast.expr, hooks: Mapping[str, str]
) -> tuple[ir.Expression, str]:
    """The same of these structs alone, each with the hooks that have it; and which it is."""
    return _context(frame, place, call, node, hooks)


def _context(
    frame: Frame, place: Place, call: ast.Call, node: ast.expr, hooks: Mapping[str, str]
) -> tuple[ir.Expression, str]:
    value = frame.value(node)
    if not isinstance(value.type, Context) or (hooks and value.type.name not in hooks):
        assert isinstance(call.func, ast.Attribute)
        expected = f"the context of {' or '.join(hooks.values())}" if hooks else "the program's ctx"
        raise frame.error(
            rules.ContextOnly, node, word=f"{place.name}.{call.func.attr}()", expected=expected, found=value.type,
            suggestion="" if isinstance(value.type, Context) else "pass the ctx of the program as it is",
        )  # fmt: skip
    return value.expression, value.type.name
