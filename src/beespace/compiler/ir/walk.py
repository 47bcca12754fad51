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

# Records that are no nodes: nothing of interest is inside.
_LEAVES = (ir.Span, ir.IntType, ir.BoolType, ir.PointerType, ir.VoidType, ir.CoreAccess, ir.CorePrototype)


def _is_record(thing: Any) -> bool:
    return hasattr(thing, "__match_args__")


@cache
def _names(node: Any) -> tuple[str, ...]:
    return tuple(name for name in node.__match_args__ if name not in ("span", "type"))


@cache
def _children(kind: Any) -> tuple[str, ...] | None:
    """The fields of a class of nodes that may hold nodes, the last first; ``None``: it is none."""
    if not hasattr(kind, "__match_args__") or issubclass(kind, _LEAVES):
        return None
    return tuple(reversed(_names(kind)))


def walk(tree: Any) -> Iterator[Any]:
    """Every statement and expression in ``tree`` (a node or a tuple of them), parents first."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, tuple):
            waiting.extend(reversed(node))
            continue
        names = _children(node.__class__)
        if names is None:
            continue
        yield node
        for name in names:
            child = getattr(node, name)
            if not isinstance(child, str | int):
                waiting.append(child)


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
    elif _is_record(tree) and not isinstance(tree, _LEAVES):
        span = getattr(tree, "span", None) or span
        yield tree, span
        for name in _names(tree.__class__):
            child = getattr(tree, name)
            if isinstance(child, tuple) or _is_record(child):
                yield from placed(child, span)


def rewrite(tree: Any, change: Callable[[Any], Any]) -> Any:
    """``tree`` with ``change`` applied to every node, children first.

    ``change`` gives the node itself, another node, or (for a statement of a block) a tuple of statements.
    """
    if isinstance(tree, tuple):
        result: list[Any] = []
        for node in tree:
            new = rewrite(node, change)
            result.extend(new if isinstance(new, tuple) else (new,))
        return tuple(result)
    if not _is_record(tree) or isinstance(tree, (*_LEAVES, type)):
        return tree
    changed = {}
    for name in _names(tree.__class__):
        child = getattr(tree, name)
        if isinstance(child, tuple) or _is_record(child):
            new = rewrite(child, change)
            if new is not child and new != child:
                changed[name] = new
    return change(replace(tree, **changed) if changed else tree)
