"""Arrays: every entry is there from the start."""

from __future__ import annotations

import ast

from beespace.compiler import ir
from beespace.compiler.frame import Frame
from beespace.compiler.maps.adding import addable, amount, atomic_add
from beespace.compiler.maps.lookups import certain, checked_index, lookup, placed, update
from beespace.compiler.maps.operations import Place
from beespace.compiler.memory import located
from beespace.compiler.values import Value

__all__ = ["add", "read", "write"]


def read(frame: Frame, place: Place, node: ast.Subscript) -> Value:
    """``self.array[i]``."""
    assert place.map.value_kind is not None
    before, key = checked_index(frame, place.map, node.slice)
    block, pointer = certain(frame, lookup(place.address, key))
    return placed(before + block, pointer, place.map.value_kind)


def write(frame: Frame, place: Place, node: ast.Subscript, value: Value, value_node: ast.expr) -> ir.Block:
    """``self.array[i] = value``."""
    assert place.map.value_kind is not None
    before, source = located(frame, value, place.map.value_kind, value_node, f"a value of {place.name}")
    between, key = checked_index(frame, place.map, node.slice)
    return (*before, *between, ir.Evaluate(update(place.address, key, source)))


def add(frame: Frame, place: Place, node: ast.AugAssign) -> ir.Block:
    """``self.array[i] += n``."""
    assert isinstance(node.target, ast.Subscript)
    type_ = addable(frame, node.op, place.map.value_kind, f"a value of {place.name}", node.target)
    before, key = checked_index(frame, place.map, node.target.slice)
    between, number = amount(frame, node, type_)
    block, pointer = certain(frame, lookup(place.address, key))
    return before + between + block + atomic_add(node.op, pointer, number)
