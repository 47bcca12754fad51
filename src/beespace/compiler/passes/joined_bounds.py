"""Headers that are asked for one after the other are checked at once, as far as the last of them reaches.

``bpf.packet()`` checks each header.  Where a packet that is too short for the second is treated like one that is
too short for the first, and nothing happens in between that anybody could see, the first check is made for both:
what is read between them is then there, too.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from beespace.compiler import ir
from beespace.compiler.ir.walk import walk
from beespace.compiler.passes.blocks import each_block, each_function
from beespace.record import dataclass, replace

__all__ = ["joined_bounds"]

_PACKET = ir.PointerType(ir.Region.PACKET)


@dataclass(frozen=True, slots=True)
class _Bound:
    """``start + reach`` is not past ``end``; ``pointer`` and ``reach`` as they stand there."""

    start: str
    end: str
    reach: int


def joined_bounds(module: ir.Module) -> ir.Module:
    """See the module."""
    return each_function(module, _function)


def _function(function: ir.Function) -> ir.Function:
    if not any(isinstance(node, ir.Compare) and node.left.type == _PACKET for node in walk(function.body)):
        return function
    assigned = Counter(node.name for node in walk(function.body) if isinstance(node, ir.Assign))
    places = _places(function, {name for name, times in assigned.items() if times == 1}, set(assigned))
    return each_block(function, lambda block: _block(block, places))


def _places(function: ir.Function, once: set[str], assigned: set[str]) -> dict[str, tuple[str, int]]:
    """Of locals that get one value: the local that they are made of, and how far behind it they point."""
    found: dict[str, tuple[str, int]] = {}
    for node in walk(function.body):
        if isinstance(node, (ir.Declare, ir.Assign)) and node.value is not None and node.value.type == _PACKET:
            fixed = node.name in once if isinstance(node, ir.Assign) else node.name not in assigned
            place = _place(node.value, found) if fixed else None
            if place is not None:
                found[node.name] = place
    return found


def _place(value: ir.Expression, places: dict[str, tuple[str, int]]) -> tuple[str, int] | None:
    behind = 0
    while isinstance(value, ir.Offset) and isinstance(value.bytes, int):
        behind += value.bytes
        value = value.pointer
    if not isinstance(value, ir.Local):
        return None
    start, before = places.get(value.name, (value.name, 0))
    return start, before + behind


def _block(block: ir.Block, places: dict[str, tuple[str, int]]) -> ir.Block:
    found = list(block)
    for at, first in enumerate(found):
        bound = _bound_of(first, places)
        if bound is None or not isinstance(first, ir.If) or not _looks(first.condition):
            continue
        for later in range(at + 1, len(found)):
            second = found[later]
            other = _bound_of(second, places)
            if other is not None and _result(second) == _result(first) and _is_behind(other, bound):
                assert isinstance(second, ir.If)
                found[at] = replace(first, condition=_reaching(first.condition, other.reach - bound.reach))
                found[later : later + 1] = [_without(second)] if isinstance(second.condition, ir.Or) else []
                return _block(tuple(found), places)
            if not _is_quiet(second, first):
                break
    return tuple(found)


def _bound_of(statement: ir.Statement, places: dict[str, tuple[str, int]]) -> _Bound | None:
    """``if not start + reach <= end or ...: return constant``."""
    if not isinstance(statement, ir.If) or statement.otherwise or _result(statement) is None:
        return None
    question = statement.condition
    while isinstance(question, ir.Or):
        question = question.left
    match question:
        case ir.Not(operand=ir.Compare(op=ir.CompareOp.LE, left=left, right=right)) if left.type == _PACKET:
            reached, end = _place(left, places), _place(right, places)
            if reached is not None and end is not None and end[1] == 0:
                return _Bound(reached[0], end[0], reached[1])
    return None


def _is_behind(one: _Bound, other: _Bound) -> bool:
    return (one.start, one.end) == (other.start, other.end) and one.reach >= other.reach


def _result(statement: ir.Statement) -> tuple[Any, ...] | None:
    """What a block that only returns a constant returns."""
    match statement:
        case ir.If(then=(ir.Return(value=None),)):
            return ()
        case ir.If(then=(ir.Return(value=ir.Const(value=value, type=type)),)):
            return value, type
    return None


def _reaching(condition: ir.Expression, further: int) -> ir.Expression:
    """``condition`` with a first bound that lies ``further``."""
    match condition:
        case ir.Or(left=left):
            return replace(condition, left=_reaching(left, further))
        case ir.Not(operand=ir.Compare(left=ir.Offset(bytes=int(behind)) as pointer) as bound):
            return ir.Not(replace(bound, left=replace(pointer, bytes=behind + further)), condition.span)
    assert isinstance(condition, ir.Not) and isinstance(condition.operand, ir.Compare)
    bound = condition.operand
    return ir.Not(replace(bound, left=ir.Offset(bound.left, further)), condition.span)


def _without(check: ir.If) -> ir.If:
    """``check`` without its first question."""

    def rest(condition: ir.Or) -> ir.Expression:
        return replace(condition, left=rest(condition.left)) if isinstance(condition.left, ir.Or) else condition.right

    assert isinstance(check.condition, ir.Or)
    return replace(check, condition=rest(check.condition))


def _is_quiet(statement: ir.Statement, first: ir.If) -> bool:
    """Whether a statement between two checks does nothing but to look, or to leave as ``first`` does."""
    match statement:
        case ir.Declare(value=value):
            return value is None or _looks(value)
        case ir.Assign(value=value):
            return _looks(value)
        case ir.If(condition=condition, otherwise=()):
            return _result(statement) == _result(first) and _looks(condition)
    return False


def _looks(value: ir.Expression) -> bool:
    return all(
        isinstance(
            node,
            (
                ir.Const, ir.Local, ir.Binary, ir.Compare, ir.Not, ir.And, ir.Or, ir.Select, ir.Convert, ir.ByteSwap,
                ir.Load, ir.Offset, ir.ContextField, ir.GlobalAddress,
            ),
        )
        for node in walk((value,))
    )  # fmt: skip
