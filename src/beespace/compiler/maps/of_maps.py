"""Maps of maps: an inner map, on which everything works that its class has."""

from __future__ import annotations

import ast

from beespace.compiler import ir
from beespace.compiler.frame import Frame
from beespace.compiler.kernel.calls import call
from beespace.compiler.maps.lookups import MAP
from beespace.compiler.maps.operations import Place, arguments
from beespace.compiler.types import MapObject, Optional
from beespace.compiler.values import Value, sequence
from beespace.lang import HashOfMaps, Map

__all__ = ["define", "get"]


def define(name: str, map: Map, inner: ir.MapDefinition) -> ir.MapDefinition:
    """Keys, and the template that inner maps are made from."""
    return ir.MapDefinition(name, map.map_type, map.key, value_size=4, max_entries=map.max_entries, inner=inner)


def get(frame: Frame, place: Place, node: ast.Call) -> Value:
    """``self.outer.get(key)``: the inner map, or None."""
    assert isinstance(place.map, HashOfMaps)
    (wanted,) = arguments(frame, place, node, "key")
    before, key = place.key(frame, place.map, wanted)
    finding = call("map_lookup_elem", MAP, place.address, key)
    return Value(Optional(MapObject(place.name, place.map.inner)), sequence(before, finding))
