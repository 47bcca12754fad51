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
from beespace.compiler.passes.blocks import each_block
from beespace.record import replace

__all__ = ["late_values"]

_RESERVE = 131  # bpf_ringbuf_reserve()
# Helpers that only tell something: times, who runs, random numbers.
_TELLING = frozenset((5, 7, 8, 14, 15, 35, 42, 46, 47, 80, 122, 125, 158, 160, 208))


def late_values(module: ir.Module) -> ir.Module:
    """See the module."""
    return replace(module, functions=tuple(_late(function) for function in module.functions))


def _late(function: ir.Function) -> ir.Function:
    uses = Counter(node.name for node in walk(function.body) if isinstance(node, ir.Local))
    assigned = {node.name for node in walk(function.body) if isinstance(node, ir.Assign)}
    return replace(function, body=each_block(function.body, lambda block: _block(block, uses, assigned)))


def _block(block: ir.Block, uses: Counter[str], assigned: set[str]) -> ir.Block:
    for at in range(len(block) - 1):
        reserve, check = block[at], block[at + 1]
        if _is_reserve(reserve) and isinstance(check, ir.If) and _is_not_null(check.condition, reserve):
            start, moved = _movable(block, at, check.then, uses, assigned)
            if moved:
                stays = tuple(statement for statement in block[start:at] if statement not in moved)
                inside = replace(check, then=(*moved, *check.then))
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
