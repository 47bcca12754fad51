"""Perf event arrays: sending events, reading the counter of a CPU."""

from __future__ import annotations

import ast

from beespace.compiler import ir, rules
from beespace.compiler.expressions.numbers import present
from beespace.compiler.frame import Frame
from beespace.compiler.kernel.calls import call
from beespace.compiler.lost import count_lost
from beespace.compiler.maps.constants import context
from beespace.compiler.maps.lookups import optional
from beespace.compiler.maps.operations import Place, arguments
from beespace.compiler.memory import located
from beespace.compiler.types import U64, VOID, StructType
from beespace.compiler.values import Value, number, sequence
from beespace.compiler.variable import sent_size
from beespace.lang import Map, PerfEvents
from beespace.schema import IntKind

__all__ = ["define", "emit", "read"]

_CURRENT_CPU = 0xFFFF_FFFF  # BPF_F_CURRENT_CPU
_VALUE_SIZE = 24  # struct bpf_perf_event_value: counter, enabled, running


def define(name: str, map: Map) -> ir.MapDefinition:
    """Descriptors by CPU; how many CPUs there are says the machine that loads it."""
    return ir.MapDefinition(name, map.map_type, key_size=4, value_size=4)


def emit(frame: Frame, place: Place, node: ast.Call) -> Value:
    """``self.events.emit(ctx, Event(...))``: one that finds no room is counted."""
    events = place.map
    assert isinstance(events, PerfEvents)
    ctx, event_node = arguments(frame, place, node, "ctx", "event")
    owner = context(frame, place, node, ctx)
    expected = StructType(events.event)
    value = present(frame, frame.value(event_node, expected), event_node)
    if value.type != expected:
        raise frame.error(
            rules.WrongEvent, event_node, name=place.name, expected=events.event.__name__, found=value.type
        )
    before, data = located(frame, value, events.event, event_node, place.name)
    between, size = sent_size(frame, events.event, data)
    before += between
    sending = call("perf_event_output", ir.I64, owner, place.address, number(_CURRENT_CPU, U64), data, size)
    failed = ir.Compare(ir.CompareOp.NE, sending, ir.Const(0, ir.I64))
    return Value(VOID, ir.Sequence((*before, ir.If(failed, count_lost(frame, place.name))), ir.Const(0, ir.U64)))


def read(frame: Frame, place: Place, node: ast.Call) -> Value:
    """``self.cycles.read()``."""
    arguments(frame, place, node)
    slot = frame.scope.slot(_VALUE_SIZE)
    result = frame.scope.fresh()
    size = number(_VALUE_SIZE, U64)
    reading = call("perf_event_read_value", ir.I64, place.address, number(_CURRENT_CPU, U64), slot, size)
    there = ir.Compare(ir.CompareOp.EQ, reading, ir.Const(0, ir.I64))
    block: ir.Block = (ir.Declare(result, slot.type), ir.If(there, (ir.Assign(result, slot),)))
    return optional(sequence(block, ir.Local(result, slot.type)), IntKind("u64", 64))
