"""Going through the IR: every node of a tree, and trees with some nodes replaced.

Invariant: knows no node by name; what is a child follows from the fields of its class, so a new node
needs no line here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from beespace.compiler import ir
from beespace.record import replace

# What fields of nodes hold that is no node, by how they are declared; nothing of interest is inside.
_LEAVES = frozenset((
    "str", "int", "bool", "str | None", "int | None", "Span | None", "Type", "IntType", "CoreAccess", "CorePrototype",
    "CoreQuestion", "BinaryOp", "CompareOp", "AtomicOp", "tuple[Parameter, ...]",
))  # fmt: skip


@cache
def _children(kind: Any) -> tuple[str, ...] | None:
    """The fields of a class of nodes that may hold nodes; ``None``: it is none."""
    if not hasattr(kind, "__match_args__") or kind in _NO_NODES:
        return None
    declared = kind.__annotations__
    return tuple(name for name in kind.__match_args__ if declared.get(name) not in _LEAVES)


# Records that stand in fields which may hold nodes, too.
_NO_NODES = frozenset((
    ir.Span, ir.IntType, ir.BoolType, ir.PointerType, ir.VoidType, ir.CoreAccess, ir.CorePrototype, ir.Parameter,
))  # fmt: skip


def walk(tree: Any) -> Iterator[Any]:
    """Every statement and expression in ``tree`` (a node or a tuple of them), parents first."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if node.__class__ is tuple:
            waiting.extend(reversed(node))
            continue
        names = _children(node.__class__)
        if names is None:
            continue
        yield node
        if names:
            waiting.extend([getattr(node, name) for name in reversed(names)])


def children(node: Any) -> Iterator[Any]:
    """What may be or hold nodes right inside a node."""
    for name in _children(node.__class__) or ():
        child = getattr(node, name)
        if not isinstance(child, str | int):
            yield child


def placed(tree: Any, span: ir.Span | None = None) -> Iterator[tuple[Any, ir.Span | None]]:
    """The same with the place of each node: its own, or that of the nearest node around it which has one."""
    if isinstance(tree, tuple):
        for node in tree:
            yield from placed(node, span)
    elif (names := _children(tree.__class__)) is not None:
        span = getattr(tree, "span", None) or span
        yield tree, span
        for name in names:
            yield from placed(getattr(tree, name), span)


def rewrite(tree: Any, change: Callable[[Any], Any]) -> Any:
    """``tree`` with ``change`` applied to every node, children first; the very same one if nothing changes.

    ``change`` gives the node itself, another node, or (for a statement of a block) a tuple of statements.
    """
    if tree.__class__ is tuple:
        result: list[Any] = []
        same = True
        for node in tree:
            new = rewrite(node, change)
            same = same and new is node
            if new.__class__ is tuple:
                result.extend(new)
            else:
                result.append(new)
        return tree if same else tuple(result)
    names = _children(tree.__class__)
    if names is None:
        return tree
    changed = {}
    for name in names:
        child = getattr(tree, name)
        new = rewrite(child, change)
        if new is not child:
            changed[name] = new
    return change(replace(tree, **changed) if changed else tree)
