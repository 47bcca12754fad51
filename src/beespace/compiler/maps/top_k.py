"""The most frequent keys: counts in a table that forgets, and the exact total beside it."""

from __future__ import annotations

import ast

from beespace.compiler import ir
from beespace.compiler.frame import Frame
from beespace.compiler.maps.adding import addable, amount, atomic_add
from beespace.compiler.maps.lookups import certain, created, lookup
from beespace.compiler.maps.operations import Place
from beespace.compiler.values import not_null
from beespace.lang import Map
from beespace.schema import IntKind

__all__ = ["add", "define"]

_PERCPU_ARRAY = 6  # BPF_MAP_TYPE_PERCPU_ARRAY


def define(name: str, map: Map) -> tuple[ir.MapDefinition, ...]:
    """The table, and the total that each CPU counts."""
    table = ir.MapDefinition(name, map.map_type, map.key, map.value_kind, map.max_entries)
    total = ir.MapDefinition(f"{name}_total", _PERCPU_ARRAY, IntKind("u32", 32), IntKind("u64", 64), 1)
    return table, total


def add(frame: Frame, place: Place, node: ast.AugAssign) -> ir.Block:
    """``self.top[key] += n``."""
    assert isinstance(node.target, ast.Subscript)
    type_ = addable(frame, node.op, place.map.value_kind, f"a count of {place.name}", node.target)
    before, key = place.key(frame, place.map, node.target.slice)
    between, number = amount(frame, node, type_)
    first = frame.scope.slot(4)
    zero = ir.Store(first, ir.Const(0, ir.U32))
    finding, total = certain(frame, lookup(ir.MapAddress(f"{place.name}_total"), first))
    block, pointer = created(frame, place, key)
    return (
        *before,
        *between,
        zero,
        *finding,
        *atomic_add(node.op, total, number),
        *block,
        ir.If(not_null(pointer), atomic_add(node.op, pointer, number)),
    )
