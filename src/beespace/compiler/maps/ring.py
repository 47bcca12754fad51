"""Rings: records that are built in place.

Invariant: a record that was reserved is always submitted; nothing that could leave the function stands
between the two.
"""

from __future__ import annotations

import ast

from beespace.compiler import ir, rules
from beespace.compiler.expressions.numbers import present
from beespace.compiler.frame import Frame
from beespace.compiler.kernel.calls import call
from beespace.compiler.lost import count_lost
from beespace.compiler.maps.operations import Place, arguments
from beespace.compiler.memory import SLOT_ALIGN, located, store
from beespace.compiler.types import U64, VOID, Manager, Optional, StructType
from beespace.compiler.values import Value, not_null, number
from beespace.compiler.variable import sent_size
from beespace.lang import Map, Ring
from beespace.schema import Event
from beespace.schema.kinds import kind_size

__all__ = ["define", "emit", "reserve"]

_RECORD = ir.PointerType(ir.Region.RING)


def define(name: str, map: Map) -> ir.MapDefinition:
    """A ring has neither keys nor values."""
    return ir.MapDefinition(name, map.map_type, max_entries=map.max_entries)


def emit(frame: Frame, place: Place, call_node: ast.Call) -> Value:
    """``self.events.emit(Event(...))``: arguments first, then the record is reserved, filled and submitted."""
    ring = place.map
    assert isinstance(ring, Ring)
    (node,) = arguments(frame, place, call_node, "event")
    expected = StructType(ring.event)
    value = present(frame, frame.value(node, expected), node)
    if value.type != expected:
        raise frame.error(rules.WrongEvent, node, name=place.name, expected=ring.event.__name__, found=value.type)
    if ring.event.layout.variable is not None:
        return _output(frame, place, ring.event, value, node)
    size = kind_size(ring.event)
    before: ir.Block = ()
    if value.recipe is not None:
        before = value.recipe.prepare
    else:
        before, code = frame.bind_address(value.expression)
        value = Value(value.type, code, align=value.align)
    name = frame.scope.fresh()
    record = ir.Local(name, _RECORD)
    if value.recipe is not None:
        filling = value.recipe.fill(record, size, SLOT_ALIGN)
    else:
        filling = store(frame, record, SLOT_ALIGN, ring.event, value, node, place.name)
    reserve = call("ringbuf_reserve", _RECORD, place.address, number(size, U64), number(0, U64))
    submit = ir.Evaluate(call("ringbuf_submit", ir.VOID, record, number(0, U64)))
    block: ir.Block = (
        *before,
        ir.Declare(name, _RECORD, reserve),
        ir.If(not_null(record), (*filling, submit), count_lost(frame, place.name)),
    )
    return Value(VOID, ir.Sequence(block, ir.Const(0, ir.U64)))


def _output(frame: Frame, place: Place, event: type[Event], value: Value, node: ast.expr) -> Value:
    """An event of variable length: built in memory of the program's own, then as much of it as is used is copied."""
    before, data = located(frame, value, event, node, place.name)
    between, size = sent_size(frame, event, data)
    sending = call("ringbuf_output", ir.I64, place.address, data, size, number(0, U64))
    failed = ir.Compare(ir.CompareOp.LT, sending, ir.Const(0, ir.I64))
    sent: ir.Block = (*before, *between, ir.If(failed, count_lost(frame, place.name)))
    return Value(VOID, ir.Sequence(sent, ir.Const(0, ir.U64)))


def reserve(frame: Frame, place: Place, node: ast.Call) -> Value:
    """``with self.events.reserve() as event:``: a record of zeroes, submitted at the end of the block."""
    ring = place.map
    assert isinstance(ring, Ring)
    arguments(frame, place, node)
    if ring.event.layout.variable is not None:
        raise frame.error(
            rules.NotSupported, node, what="reserving a record of variable length",
            suggestion=f"how long it will be must be known before: self.{place.name}.emit({ring.event.__name__}(...))",
        )  # fmt: skip
    size = kind_size(ring.event)
    name, unwanted = frame.scope.fresh(), frame.scope.fresh("unwanted")
    record = ir.Local(name, _RECORD)
    taking = call("ringbuf_reserve", _RECORD, place.address, number(size, U64), number(0, U64))
    submit, discard = (
        ir.Evaluate(call(word, ir.VOID, record, number(0, U64))) for word in ("ringbuf_submit", "ringbuf_discard")
    )
    enter: ir.Block = (
        ir.Declare(unwanted, ir.BOOL),
        ir.Declare(name, _RECORD, taking, span=frame.code_span(node)),
        ir.If(not_null(record), (ir.Zero(record, size, SLOT_ALIGN),), count_lost(frame, place.name)),
    )
    end = ir.If(not_null(record), (ir.If(ir.Local(unwanted, ir.BOOL), (discard,), (submit,)),))
    early = ir.If(not_null(record), (discard,))
    held = Optional(StructType(ring.event))
    what = f"{place.name}.reserve()"
    return Value(Manager(what, enter, (end,), (early,), held, record, SLOT_ALIGN, discard=unwanted))
