"""Where a packet begins and ends is read once, as long as nothing that the function calls can move it.

``bpf.packet()`` reads both for every header.  A context field is read anew by each load, as the verifier asks; the
two pointers do not change unless a helper changes the packet.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from beespace.compiler import ir
from beespace.compiler.ir.walk import rewrite, walk
from beespace.compiler.passes.blocks import each_function
from beespace.record import replace

__all__ = ["packet_ends"]

_PACKET = ir.PointerType(ir.Region.PACKET)
# Helpers that may change a packet, so that its pointers are lost (bpf_helper_changes_pkt_data in net/core/filter.c).
_CHANGES = frozenset((
    9, 10, 11, 18, 19, 31, 32, 38, 39, 40, 43, 44, 50, 54, 62, 63, 65, 73, 74, 75, 76, 90, 91, 142, 143, 144, 188, 189,
    13, 51, 52, 60, 71, 72,
))  # fmt: skip


def packet_ends(module: ir.Module) -> ir.Module:
    """See the module."""
    if all(next(_ends(function.body), None) is None for function in module.functions):
        return module
    changed = {function.name: _changes(function) for function in module.functions}
    return each_function(
        module, lambda function: function if _may_change(module, function, changed) else _once(function)
    )


def _changes(function: ir.Function) -> bool:
    return any(
        isinstance(node, ir.KernelFunction) or (isinstance(node, ir.Helper) and node.number in _CHANGES)
        for node in walk(function.body)
    )


def _may_change(module: ir.Module, function: ir.Function, changed: dict[str, bool]) -> bool:
    """Whether ``function`` or anything that it reaches may change the packet."""
    bodies = {each.name: each.body for each in module.functions}
    seen: set[str] = set()
    waiting = [function.name]
    while waiting:
        name = waiting.pop()
        if name in seen or name not in bodies:
            continue
        seen.add(name)
        if changed[name]:
            return True
        for node in walk(bodies[name]):
            if isinstance(node, ir.Call):
                waiting.append(node.function)
            elif isinstance(node, ir.FunctionAddress):
                waiting.append(node.name)
    return False


def _ends(tree: Any) -> Iterator[ir.Convert]:
    for node in walk(tree):
        if (
            isinstance(node, ir.Convert)
            and node.type == _PACKET
            and isinstance(node.operand, ir.Load)
            and isinstance(node.operand.pointer, ir.ContextField)
            and isinstance(node.operand.pointer.pointer, ir.Local)
        ):
            yield node


def _key(node: ir.Convert) -> tuple[str, int]:
    assert isinstance(node.operand, ir.Load) and isinstance(node.operand.pointer, ir.ContextField)
    base = node.operand.pointer.pointer
    assert isinstance(base, ir.Local)
    return base.name, node.operand.pointer.offset


def _once(function: ir.Function) -> ir.Function:
    parameters = {parameter.name for parameter in function.parameters}
    counts = Counter(_key(node) for node in _ends(function.body))
    often = {key for key, count in counts.items() if count > 1 and key[0] in parameters}
    if not often:
        return function
    names = {key: f".packet.{key[1]}" for key in often}
    first: dict[tuple[str, int], ir.Convert] = {}

    def change(node: Any) -> Any:
        if isinstance(node, ir.Convert) and next(_ends((node,)), None) is node and _key(node) in often:
            first.setdefault(_key(node), node)
            return ir.Local(names[_key(node)], _PACKET, node.span)
        return node

    body: list[ir.Statement] = []
    for statement in function.body:
        known = len(first)
        changed = rewrite((statement,), change)
        new = list(first.items())[known:]
        body += (ir.Declare(names[key], _PACKET, node, node.span or statement.span) for key, node in new)
        body += changed
    return replace(function, body=tuple(body))
