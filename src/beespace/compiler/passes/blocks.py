"""Every block of a function, for passes that look at statements beside each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from beespace.compiler import ir
from beespace.compiler.ir.walk import rewrite
from beespace.record import replace

__all__ = ["each_block"]


def each_block(body: ir.Block, change: Callable[[ir.Block], ir.Block]) -> ir.Block:
    """``body`` with ``change`` applied to it and to every block inside, the inner ones first."""

    def inside(node: Any) -> Any:
        changed = {
            name: change(block)
            for name in getattr(node, "__match_args__", ())
            if name in ("then", "otherwise", "body") and isinstance(block := getattr(node, name), tuple)
        }
        return replace(node, **changed) if changed else node

    return change(rewrite(body, inside))
