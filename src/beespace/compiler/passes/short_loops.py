"""A short loop over the elements of an array becomes its rounds, one after another, each with its own element.

The index of an element is hidden from LLVM and compared again, so that the verifier sees that it is within; that
keeps LLVM from taking the loop apart.  In a round of its own the index is a number, and there is nothing to compare.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from beespace.compiler import ir
from beespace.compiler.ir.walk import rewrite, walk
from beespace.compiler.passes.blocks import each_function
from beespace.record import replace

__all__ = ["short_loops"]

_ROUNDS, _NODES = 16, 600  # at most this many rounds, and parts of the IR in all of them


def short_loops(module: ir.Module) -> ir.Module:
    """See the module."""
    return each_function(module, _function)


def _function(function: ir.Function) -> ir.Function:
    if not any(isinstance(node, ir.Loop) for node in walk(function.body)):
        return function
    return replace(function, body=rewrite(function.body, lambda node: _rounds(node) if _is_short(node) else node))


def _is_short(node: Any) -> bool:
    if not isinstance(node, ir.Loop) or node.limit is None or node.limit > _ROUNDS or node.index is None:
        return False
    inside = list(walk(node.body))
    return (
        node.limit * len(inside) <= _NODES
        and any(_hidden(each) is not None for each in inside)
        and not any(isinstance(each, (ir.Loop, ir.Each, ir.Break, ir.Continue)) for each in inside)
    )


def _rounds(loop: ir.Loop) -> ir.Block:
    assert loop.limit is not None and loop.index is not None
    assigned = [node.name for node in walk(loop.body) if isinstance(node, ir.Assign)]
    declared = {node.name for node in walk(loop.body) if isinstance(node, ir.Declare)}
    once = {name for name in (*assigned, *declared) if (assigned.count(name) + (name in declared)) == 1}
    return tuple(
        statement
        for number in range(loop.limit)
        for statement in _round(loop.body, {loop.index: ir.Const(number, ir.U32)}, once, declared, number)
    )


def _round(
    body: ir.Block, known: dict[str, ir.Const], once: set[str], declared: set[str], number: int
) -> Iterator[ir.Statement]:
    """The statements of one round, in which some locals are ``known``."""

    def change(node: Any) -> Any:
        if isinstance(node, ir.Local):
            if node.name in known:
                return replace(known[node.name], span=node.span)
            return replace(node, name=f"{node.name}.of{number}") if node.name in declared else node
        if isinstance(node, (ir.Declare, ir.Assign)) and node.name in declared:
            return replace(node, name=f"{node.name}.of{number}")
        return _folded(node)

    for statement in body:
        name = statement.name if isinstance(statement, (ir.Declare, ir.Assign)) else ""
        changed = rewrite(statement, change)
        if name in once and isinstance(changed.value, ir.Const):
            known[name] = changed.value
        yield changed


def _folded(node: Any) -> Any:
    """Arithmetic with numbers; a hidden index that is one."""
    match node:
        case ir.Binary(left=ir.Const(value=left, type=ir.IntType() as type), right=ir.Const(value=right)):
            match node.op:
                case ir.BinaryOp.ADD:
                    return ir.Const(_wrapped(left + right, type), type, node.span)
                case ir.BinaryOp.SUB:
                    return ir.Const(_wrapped(left - right, type), type, node.span)
                case ir.BinaryOp.MUL:
                    return ir.Const(_wrapped(left * right, type), type, node.span)
        case ir.Convert(operand=ir.Const(value=value, type=ir.IntType()), type=ir.IntType() as type):
            return ir.Const(_wrapped(value, type), type, node.span)
        case ir.Offset(bytes=ir.Sequence()):
            hidden = _hidden(node.bytes)
            if isinstance(hidden, ir.Const):
                return ir.Offset(node.pointer, hidden.value, node.span)
    return node


def _hidden(node: Any) -> ir.Expression | None:
    """What ``{ slot = index; t = slot; t if t <= most else 0 }`` hides."""
    match node:
        case ir.Sequence(
            body=(ir.Store(value=index), ir.Declare(name=name, value=ir.Load(volatile=True))),
            value=ir.Select(
                condition=ir.Compare(op=ir.CompareOp.LE, left=ir.Local(name=compared), right=ir.Const(value=most)),
                then=ir.Local(name=chosen),
            ),
        ) if name == compared == chosen:
            within = not isinstance(index, ir.Const) or index.value <= most
            return index if within else None
    return None


def _wrapped(value: int, type: ir.IntType) -> int:
    value &= (1 << type.bits) - 1
    return value - (1 << type.bits) if type.signed and value >> (type.bits - 1) else value
