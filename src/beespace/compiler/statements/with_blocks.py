"""``with``: locks, sections of the kernel, records and references that must be given back.

Invariant: what began ends, however its block is left; a name that the `with` gave is gone after it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from beespace.compiler import ir, marks, rules
from beespace.compiler.frame import Frame
from beespace.compiler.owned import forget_lent
from beespace.compiler.resources import lock as held_lock
from beespace.compiler.statements.assignments import assign_local
from beespace.compiler.types import Manager, Optional, Resource, Type
from beespace.compiler.values import Value

__all__ = ["with_block"]

_KNOWN = "bpf.rcu(), bpf.preempt_disabled(), bpf.irqs_disabled() or a ring's .reserve()"
# Kernel functions that are there for the sake of what they do under a lock (kernel/bpf/helpers.c).
_UNDER_LOCK = ("bpf_list_", "bpf_rbtree_", "bpf_refcount_acquire")
_BY_CALL = {ir.Region.KERNEL_UNTRUSTED: "bpf_probe_read_kernel()", ir.Region.USER: "bpf_probe_read_user()"}


def with_block(frame: Frame, node: ast.With) -> ir.Block:
    """Lower a ``with``."""
    block = _items(frame, node, node.items)
    return (*block, *marks.mark(frame, node)) if frame.state.reachable else block


def _items(frame: Frame, node: ast.With, items: list[ast.withitem]) -> ir.Block:
    if not items:
        return frame.block(node.body)
    (item, *rest) = items
    manager = _manager(frame, item.context_expr)
    opening = manager.enter
    known = set(frame.state.names)
    if item.optional_vars is not None:
        opening += _named(frame, manager, item.optional_vars)
    frame.scope.release(keep=frame.keep_slots)
    lock = ast.unparse(item.context_expr)
    if manager.atomic:
        frame.locked.append(lock)
    body = _items(frame, node, rest)
    if manager.atomic:
        frame.locked.remove(lock)
        forget_lent(frame, "its lock has been given back")
        _check_no_calls(frame, manager, node, body)
    _end(frame, manager, known)
    return (*opening, ir.Guard(body, manager.exit, manager.early))


def _manager(frame: Frame, node: ast.expr) -> Manager:
    value = frame.value(node)
    if isinstance(value.type, Resource):
        return held_lock(frame, value, node)
    if not isinstance(value.type, Manager):
        raise frame.error(rules.NotAManager, node, found=value.type, known=_KNOWN)
    return value.type


def _named(frame: Frame, manager: Manager, target: ast.expr) -> ir.Block:
    if manager.held is None:
        raise frame.error(rules.NothingHeld, target, what=manager, name=ast.unparse(target))
    if not isinstance(target, ast.Name):
        raise frame.error(rules.AssignTarget, target, what="this", suggestion="give it one name")
    if frame.ended.pop(target.id, None) is not None:
        frame.scope.retire(target.id)
    if manager.discard is not None:
        frame.records[target.id] = manager.discard
    return assign_local(frame, target, Value(manager.held, manager.code, align=manager.align), target)


def _end(frame: Frame, manager: Manager, known: set[str]) -> None:
    """Forget the names that refer to what is no longer there."""
    if manager.held is None or manager.code is None:
        return
    inner = _inner(manager.held)
    for name, type_ in list(frame.state.names.items()):
        variable = frame.scope.variables.get(name)
        same = variable is not None and variable.code_type == manager.code.type and variable.type == inner
        if same and name not in known and _inner(type_) == inner:
            del frame.state.names[name]
            frame.ended[name] = manager.what
            frame.records.pop(name, None)


def _inner(type_: Type) -> Type:
    return type_.inner if isinstance(type_, Optional) else type_


# --- what may not happen inside ------------------------------------------------------------------


def _check_no_calls(frame: Frame, manager: Manager, node: ast.With, body: ir.Block) -> None:
    for found, span in _with_spans(body, None):
        what = _called(found)
        if what is not None:
            raise frame.error(rules.CallWhileHeld, _place(frame, node, span), what=what, held=manager)


def _called(node: Any) -> str | None:
    match node:
        case ir.Helper(number=marks.MARK):
            return None
        case ir.Helper() | ir.Each():
            return f"bpf_{node.name}()"
        case ir.KernelFunction() if not node.name.startswith(_UNDER_LOCK):
            return f"{node.name}()"
        case ir.Call():
            return f"{node.function}()"
        case ir.Load() if isinstance(node.pointer.type, ir.PointerType):
            return _BY_CALL.get(node.pointer.type.region)
        case ir.Copy() if isinstance(node.source.type, ir.PointerType):
            region = node.source.type.region
            return _BY_CALL[ir.Region.KERNEL_UNTRUSTED] if region is ir.Region.KERNEL_TRUSTED else _BY_CALL.get(region)
        case ir.KernelBitfield():
            return _BY_CALL[ir.Region.KERNEL_UNTRUSTED]
        case _:
            return None


def _with_spans(tree: Any, span: ir.Span | None) -> Iterator[tuple[Any, ir.Span | None]]:
    """Every node in ``tree`` with where it came from."""
    if isinstance(tree, tuple):
        for node in tree:
            yield from _with_spans(node, span)
    elif hasattr(tree, "span"):
        span = tree.span or span
        yield tree, span
        for name in tree.__match_args__:
            yield from _with_spans(getattr(tree, name), span)


def _place(frame: Frame, node: ast.With, span: ir.Span | None) -> ast.AST:
    """The author's node at ``span``: a call if there is just one in it."""
    parts = (*(item.context_expr for item in node.items), *node.body)
    inside = [found for part in parts for found in ast.walk(part) if hasattr(found, "lineno")]
    place = next((found for found in inside if frame.code_span(found) == span), None)
    if place is None:
        return node.items[0].context_expr
    calls = [found for found in ast.walk(place) if isinstance(found, ast.Call)]
    return calls[0] if isinstance(place, ast.stmt) and len(calls) == 1 else place
