"""Locals that may be None, and that a body which the kernel calls assigns: whether they are is a number of its own.

Such a local is the address of one slot, or null.  What a body that the kernel calls leaves in an address the verifier
follows, and kernels before 6.7 (commit ab5cfac139ab) follow one round only; numbers are hidden from it.
"""

from __future__ import annotations

from typing import Any, TypeGuard

from beespace.compiler import ir
from beespace.compiler.ir.walk import rewrite, walk
from beespace.compiler.passes.blocks import each_function
from beespace.record import replace

__all__ = ["maybe_none"]

_STACK = ir.PointerType(ir.Region.STACK)
_NULL = ir.Const(0, _STACK)


def maybe_none(module: ir.Module) -> ir.Module:
    """See the module."""
    return each_function(module, _changed)


def _changed(function: ir.Function) -> ir.Function:
    locals = _locals(function)
    if not locals:
        return function

    def change(node: Any) -> Any:
        match node:
            case ir.Declare() | ir.Assign() if node.name in locals:
                there = ir.Const(int(isinstance(node.value, ir.StackSlot)), ir.BOOL)
                if isinstance(node, ir.Assign):
                    return ir.Assign(_flag(node.name), there, node.span)
                return ir.Declare(_flag(node.name), ir.BOOL, there if node.value is not None else None, node.span)
            case ir.Local() if node.name in locals:
                return ir.Select(ir.Local(_flag(node.name), ir.BOOL), ir.StackSlot(locals[node.name]), _NULL, node.span)
            case ir.Compare() if _is_ours(node.left) and node.right == _NULL:
                flag = node.left.condition
                return flag if node.op is ir.CompareOp.NE else ir.Not(flag, node.span)
            case ir.Convert(type=ir.BoolType()) if _is_ours(node.operand):
                return node.operand.condition
            case _:
                return _at_its_place(node)

    return replace(function, body=rewrite(function.body, change))


def _at_its_place(node: Any) -> Any:
    """What uses the memory of such a local has found that it is there."""
    names = [name for name in ("pointer", "target", "source") if _is_ours(getattr(node, name, None))]
    return replace(node, **{name: getattr(node, name).then for name in names}) if names else node


_PREFIX = ".has."


def _flag(name: str) -> str:
    return _PREFIX + name


def _is_ours(node: Any) -> TypeGuard[ir.Select]:
    return (
        isinstance(node, ir.Select) and isinstance(node.condition, ir.Local) and node.condition.name.startswith(_PREFIX)
    )


def _locals(function: ir.Function) -> dict[str, str]:
    """Those locals, each with its slot."""
    inside = {
        node.name for each in walk(function.body) if isinstance(each, ir.Each)
        for node in walk(each.body) if isinstance(node, ir.Assign)
    }  # fmt: skip
    if not inside:
        return {}
    places: dict[str, set[str | None]] = {}
    for node in walk(function.body):
        if isinstance(node, (ir.Declare, ir.Assign)) and node.name in inside and node.value is not None:
            places.setdefault(node.name, set()).add(_place(node.value))
        elif isinstance(node, ir.Declare) and node.name in inside and node.type != _STACK:
            places.setdefault(node.name, set()).add(None)
    found = {}
    for name, each in places.items():
        slots = [place for place in each if place]
        if len(slots) == 1 and None not in each:
            found[name] = slots[0]
    return found


def _place(value: ir.Expression) -> str | None:
    """The slot that an address is of; nothing for null; None for anything else."""
    if value == _NULL:
        return ""
    return value.name if isinstance(value, ir.StackSlot) else None
