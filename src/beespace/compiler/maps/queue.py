"""Queues and stacks: values without keys."""

from __future__ import annotations

import ast

from beespace.compiler import ir
from beespace.compiler.frame import Frame
from beespace.compiler.kernel.calls import call
from beespace.compiler.lost import count_lost
from beespace.compiler.maps.constants import flag
from beespace.compiler.maps.lookups import optional
from beespace.compiler.maps.operations import Place, arguments
from beespace.compiler.memory import located
from beespace.compiler.types import BOOL, of_kind
from beespace.compiler.values import Value, sequence
from beespace.schema.kinds import kind_size

__all__ = ["peek", "pop", "push"]

_EXIST = 2  # BPF_EXIST: drop the oldest if there is no room


def push(frame: Frame, place: Place, node: ast.Call) -> Value:
    """``self.q.push(value)``: whether there was room; otherwise it is counted as lost."""
    kind = place.map.value_kind
    assert kind is not None
    wanted, force = arguments(frame, place, node, "value", optional=("force",))
    flags = ir.Const(_EXIST if flag(frame, force, "force") else 0, ir.U64)
    before, value = located(frame, frame.value(wanted, of_kind(kind)), kind, wanted, f"a value of {place.name}")
    name = frame.scope.fresh()
    pushed = ir.Local(name, ir.BOOL)
    pushing = ir.Compare(ir.CompareOp.EQ, call("map_push_elem", ir.I64, place.address, value, flags), _zero())
    block: ir.Block = (
        *before,
        ir.Declare(name, ir.BOOL, pushing),
        ir.If(ir.Not(pushed), count_lost(frame, place.name)),
    )
    return Value(BOOL, sequence(block, pushed))


def _zero() -> ir.Const:
    return ir.Const(0, ir.I64)


def pop(frame: Frame, place: Place, node: ast.Call) -> Value:
    """``self.q.pop()``."""
    return _taken(frame, place, node, "map_pop_elem")


def peek(frame: Frame, place: Place, node: ast.Call) -> Value:
    """``self.q.peek()``: a copy."""
    return _taken(frame, place, node, "map_peek_elem")


def _taken(frame: Frame, place: Place, node: ast.Call, helper: str) -> Value:
    kind = place.map.value_kind
    assert kind is not None
    arguments(frame, place, node)
    slot = frame.scope.slot(kind_size(kind))
    result = frame.scope.fresh()
    found = ir.Compare(ir.CompareOp.EQ, call(helper, ir.I64, place.address, slot), _zero())
    block: ir.Block = (ir.Declare(result, slot.type), ir.If(found, (ir.Assign(result, slot),)))
    return optional(sequence(block, ir.Local(result, slot.type)), kind)
