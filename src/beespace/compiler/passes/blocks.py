"""Every block of a function, for passes that look at statements beside each other."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from beespace.compiler import ir
from beespace.compiler.ir.walk import rewrite
from beespace.record import replace

__all__ = ["each_block", "each_function"]

_BLOCKS = ("then", "otherwise", "body")


def each_function(module: ir.Module, change: Callable[[ir.Function], ir.Function]) -> ir.Module:
    """``module`` with ``change`` applied to its functions; the very same one if nothing changes."""
    functions = tuple(map(change, module.functions))
    if all(new is old for new, old in zip(functions, module.functions, strict=True)):
        return module
    return replace(module, functions=functions)


def each_block(function: ir.Function, change: Callable[[ir.Block], ir.Block]) -> ir.Function:
    """``function`` with ``change`` applied to its body and to every block inside, the inner ones first."""

    def inside(node: Any) -> Any:
        changed = {}
        for name in _blocks(node.__class__):
            block = getattr(node, name)
            new = change(block)
            if new != block:
                changed[name] = new
        return replace(node, **changed) if changed else node

    body = change(rewrite(function.body, inside))
    return function if body == function.body else replace(function, body=body)


@cache
def _blocks(kind: Any) -> tuple[str, ...]:
    """The fields of a class of nodes that are blocks."""
    return tuple(name for name in _BLOCKS if "Block" in str(kind.__annotations__.get(name)))
