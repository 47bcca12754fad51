"""Bloom filters: values that are added and asked for."""

from __future__ import annotations

import ast

from beespace.compiler import ir
from beespace.compiler.frame import Frame
from beespace.compiler.kernel.calls import call
from beespace.compiler.maps.operations import Place, arguments
from beespace.compiler.memory import located
from beespace.compiler.types import VOID, of_kind
from beespace.compiler.values import Value, sequence
from beespace.lang import BloomFilter, Map

__all__ = ["add", "contains", "define"]


def define(name: str, map: Map) -> ir.MapDefinition:
    """Values without keys; the number of hash functions stands in ``map_extra``."""
    assert isinstance(map, BloomFilter)
    return ir.MapDefinition(
        name, map.map_type, value=map.value_kind, max_entries=map.max_entries, flags=map.flags, extra=map.hashes
    )


def _value(frame: Frame, place: Place, node: ast.expr) -> tuple[ir.Block, ir.Expression]:
    kind = place.map.value_kind
    assert kind is not None
    return located(frame, frame.value(node, of_kind(kind)), kind, node, f"a value of {place.name}")


def add(frame: Frame, place: Place, node: ast.Call) -> Value:
    """``self.seen.add(value)``."""
    (wanted,) = arguments(frame, place, node, "value")
    before, value = _value(frame, place, wanted)
    return Value(VOID, sequence(before, call("map_push_elem", ir.I64, place.address, value, ir.Const(0, ir.U64))))


def contains(frame: Frame, place: Place, node: ast.expr) -> ir.Expression:
    """``value in self.seen``."""
    before, value = _value(frame, place, node)
    found = call("map_peek_elem", ir.I64, place.address, value)
    return sequence(before, ir.Compare(ir.CompareOp.EQ, found, ir.Const(0, ir.I64)))
