"""What is put into a ring's record is worked out once there is room for it.

The language evaluates the arguments of ``emit()`` first, and a full ring would have them in vain.  Only a reservation
stands between, which changes nothing that an expression can see.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from beespace.compiler import ir
from beespace.compiler.ir.walk import walk
from beespace.compiler.passes.blocks import each_block, each_function
from beespace.record import replace

__all__ = ["late_values"]

_RESERVE = 131  # bpf_ringbuf_reserve()
# Helpers that write to their first argument and nowhere else: the name of who runs, what is read from elsewhere.
_FILLING = frozenset((16, 112, 113, 114, 115))
# Helpers that only tell something: times, who runs, random numbers.
_TELLING = frozenset((5, 7, 8, 14, 15, 35, 42, 46, 47, 80, 122, 125, 158, 160, 208))


def late_values(module: ir.Module) -> ir.Module:
    """See the module."""
    return each_function(module, _late)


def _late(function: ir.Function) -> ir.Function:
    nodes = tuple(walk(function.body))
    if not any(isinstance(node, ir.Helper) and node.number == _RESERVE for node in nodes):
        return function
    uses = Counter(node.name for node in nodes if isinstance(node, ir.Local))
    assigned = {node.name for node in nodes if isinstance(node, ir.Assign)}
    return each_block(function, lambda block: _block(block, uses, assigned))


def _block(block: ir.Block, uses: Counter[str], assigned: set[str]) -> ir.Block:
    for at in range(len(block) - 1):
        reserve, check = block[at], block[at + 1]
        if _is_reserve(reserve) and isinstance(check, ir.If) and _is_not_null(check.condition, reserve):
            start, moved = _movable(block, at, check.then, uses, assigned)
            if moved:
                assert isinstance(reserve, ir.Declare)
                stays = tuple(statement for statement in block[start:at] if statement not in moved)
                inside = replace(check, then=_beside(moved, check.then, reserve.name))
                return _block((*block[:start], *stays, reserve, inside, *block[at + 2 :]), uses, assigned)
    return block


def _is_reserve(statement: ir.Statement) -> bool:
    value = statement.value if isinstance(statement, ir.Declare) else None
    return isinstance(value, ir.Helper) and value.number == _RESERVE


def _is_not_null(condition: ir.Expression, reserve: ir.Statement) -> bool:
    return (
        isinstance(condition, ir.Compare)
        and condition.op is ir.CompareOp.NE
        and isinstance(reserve, ir.Declare)
        and condition.left == ir.Local(reserve.name, reserve.type)
    )


def _movable(
    block: Sequence[ir.Statement], at: int, then: ir.Block, uses: Counter[str], assigned: set[str]
) -> tuple[int, tuple[ir.Statement, ...]]:
    """The declarations right before ``at`` that only ``then`` has a use for; where they begin."""
    used = Counter(node.name for node in walk(then) if isinstance(node, ir.Local))
    moved: list[ir.Statement] = []
    start = at
    while start > 0 and isinstance(statement := block[start - 1], ir.Declare):
        if statement.value is None or not _only_tells(statement.value) or statement.name in assigned:
            break
        start -= 1
        if used[statement.name] != uses[statement.name]:
            # Needed elsewhere; what it reads must not be moved past it, and nothing that it is made of is.
            continue
        moved.insert(0, statement)
        used.update(node.name for node in walk((statement.value,)) if isinstance(node, ir.Local))
    return start, tuple(moved)


def _beside(moved: Sequence[ir.Statement], then: ir.Block, record: str) -> ir.Block:
    """``moved`` before ``then``; each right before the store that wants it, so that no register holds it longer."""
    found = list(then)
    for statement in reversed(moved):
        assert isinstance(statement, ir.Declare)
        place = next((at for at, other in enumerate(found) if not _fills_without(other, record, statement.name)), 0)
        wanted = place < len(found) and isinstance(found[place], ir.Store) and _wants(found[place], statement.name)
        found.insert(place if wanted else 0, statement)
    return tuple(found)


def _fills_without(statement: ir.Statement, record: str, name: str) -> bool:
    """Whether a statement only writes to the record, and nothing that is made of the local ``name``."""
    match statement:
        case ir.Declare(value=value):
            into = value is not None and _only_tells(value)
        case ir.Store(pointer=pointer) | ir.Zero(pointer=pointer) | ir.Copy(target=pointer):
            into = _is_inside(pointer, record)
        case ir.Evaluate(value=ir.Helper(number=number, arguments=(pointer, *_))) if number in _FILLING:
            into = _is_inside(pointer, record)
        case _:
            into = False
    return into and not _wants(statement, name)


def _is_inside(pointer: ir.Expression, record: str) -> bool:
    while isinstance(pointer, ir.Offset):
        pointer = pointer.pointer
    return isinstance(pointer, ir.Local) and pointer.name == record


def _wants(statement: ir.Statement, name: str) -> bool:
    return any(isinstance(node, ir.Local) and node.name == name for node in walk((statement,)))


def _only_tells(value: ir.Expression) -> bool:
    """Whether evaluating an expression changes nothing."""
    return not any(_acts(node) for node in walk((value,)))


def _acts(node: Any) -> bool:
    match node:
        case ir.Helper():
            return node.number not in _TELLING
        case (
            ir.Const() | ir.Local() | ir.Binary() | ir.Compare() | ir.Not() | ir.And() | ir.Or() | ir.Select()
            | ir.Convert() | ir.ByteSwap() | ir.Load() | ir.Offset() | ir.ContextField() | ir.KernelField()
            | ir.KernelBitfield() | ir.CoreInfo() | ir.CoreEnumValue() | ir.StackSlot() | ir.MapAddress()
            | ir.GlobalAddress()
            | ir.ArenaAddress()
        ):  # fmt: skip
            return False
        case _:
            return True
