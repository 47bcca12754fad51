"""Intervals: the table that stands in a slot now."""

from __future__ import annotations

import ast

from beespace.compiler import ir
from beespace.compiler.frame import Frame
from beespace.compiler.kernel.calls import call
from beespace.compiler.lost import count_lost
from beespace.compiler.maps.lookups import MAP, VALUE, found_or_created, lookup, optional
from beespace.compiler.maps.operations import Place, arguments
from beespace.compiler.values import Value, is_null, not_null, null, sequence
from beespace.lang import Map
from beespace.record import replace
from beespace.schema import IntKind

__all__ = ["define", "get", "get_or_create"]

_HASH = 1  # BPF_MAP_TYPE_HASH
_NO_PREALLOC = 1  # BPF_F_NO_PREALLOC


def define(name: str, map: Map) -> ir.MapDefinition:
    """One slot, and the table that stands in it; user space puts another of the same shape there."""
    table = ir.MapDefinition(
        f"{name}_table", _HASH, map.key, map.value_kind, max_entries=map.max_entries, flags=_NO_PREALLOC
    )
    return ir.MapDefinition(name, map.map_type, key=IntKind("u32", 32), value_size=4, max_entries=1, inner=table)


def _table(frame: Frame, place: Place) -> tuple[ir.Block, Place]:
    """The table that the slot holds now; null only if user space has emptied the slot."""
    slot = frame.scope.slot(4)
    name = frame.scope.fresh()
    finding = call("map_lookup_elem", MAP, place.address, slot)
    block: ir.Block = (ir.Store(slot, ir.Const(0, ir.U32)), ir.Declare(name, MAP, finding))
    return block, replace(place, address=ir.Local(name, MAP))


def get(frame: Frame, place: Place, node: ast.Call) -> Value:
    """``self.m.get(key)``."""
    assert place.map.value_kind is not None
    (wanted,) = arguments(frame, place, node, "key")
    before, key = place.key(frame, place.map, wanted)
    opening, table = _table(frame, place)
    found = ir.Select(not_null(table.address), lookup(table.address, key), null(ir.Region.MAP_VALUE))
    return optional(sequence(before + opening, found), place.map.value_kind)


def get_or_create(frame: Frame, place: Place, node: ast.Call) -> Value:
    """``self.m.get_or_create(key)``."""
    assert place.map.value_kind is not None
    (wanted,) = arguments(frame, place, node, "key")
    before, key = place.key(frame, place.map, wanted)
    opening, table = _table(frame, place)
    name = frame.scope.fresh()
    found = ir.Local(name, VALUE)
    missing = found_or_created(frame, table, key, name)
    searching: ir.Block = (ir.Assign(name, lookup(table.address, key)), ir.If(is_null(found), missing))
    block: ir.Block = (
        *opening,
        ir.Declare(name, VALUE),
        ir.If(not_null(table.address), searching, count_lost(frame, place.name)),
    )
    return optional(sequence(before + block, found), place.map.value_kind)
