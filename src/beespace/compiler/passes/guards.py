"""Guards become plain code: what must run at the end of a block stands in front of every way out of it.

Invariant: inner guards end first; a returned value is evaluated before the first of them ends.
"""

from __future__ import annotations

from typing import Any

from beespace.compiler import ir
from beespace.compiler.ir.walk import rewrite, walk
from beespace.compiler.passes.blocks import each_function
from beespace.record import replace

__all__ = ["guards"]


def guards(module: ir.Module) -> ir.Module:
    """``module`` without :class:`~beespace.compiler.ir.Guard`."""
    return each_function(module, _without)


def _without(function: ir.Function) -> ir.Function:
    if not any(isinstance(node, ir.Guard) for node in walk(function.body)):
        return function
    results = iter(range(1 << 30))

    def change(node: Any) -> Any:
        # Children first: guards inside this one are plain code already, and end in front of its own end.
        return _ended(node, results) if isinstance(node, ir.Guard) else node

    return replace(function, body=rewrite(function.body, change))


def _ended(guard: ir.Guard, results: Any) -> ir.Block:
    early = guard.exit if guard.early is None else guard.early

    def change(node: Any) -> Any:
        if not isinstance(node, ir.Return):
            return node
        if node.value is None or isinstance(node.value, (ir.Const, ir.Local)):
            return (*early, node)
        name = f".given{next(results)}"
        given = ir.Declare(name, node.value.type, node.value, node.span)
        return (given, *early, ir.Return(ir.Local(name, node.value.type), node.span))

    body = rewrite(_jumping(guard.body, early), change)
    return (*body, *guard.exit)


def _jumping(body: ir.Block, early: ir.Block) -> ir.Block:
    """``body`` with ``early`` in front of each break and continue that leaves it."""
    result: list[ir.Statement] = []
    for node in body:
        if isinstance(node, (ir.Break, ir.Continue)):
            result.extend(early)
        if isinstance(node, ir.If):
            node = replace(node, then=_jumping(node.then, early), otherwise=_jumping(node.otherwise, early))
        result.append(node)
    return tuple(result)
