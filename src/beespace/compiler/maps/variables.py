"""Single numbers: counters, and globals, which are variables of the object."""

from __future__ import annotations

import ast

from beespace.compiler import ir
from beespace.compiler.frame import Frame
from beespace.compiler.maps.adding import addable, amount, atomic_add
from beespace.compiler.maps.lookups import certain, lookup
from beespace.compiler.maps.operations import Place
from beespace.lang import Map

__all__ = ["count", "undefined", "value"]


def value(frame: Frame, place: Place) -> tuple[ir.Block, ir.Expression]:
    """``self.g.value``: where it is."""
    return (), ir.GlobalAddress(place.name)


def undefined(name: str, map: Map) -> tuple[ir.MapDefinition, ...]:
    """A global is a variable of the object, and no map of its own."""
    return ()


def count(frame: Frame, place: Place, node: ast.AugAssign) -> ir.Block:
    """``self.counter += n``."""
    assert place.map.value_kind is not None
    type_ = addable(frame, node.op, place.map.value_kind, place.name, node.target)
    before, number = amount(frame, node, type_)
    slot = frame.scope.slot(4)
    block, pointer = certain(frame, lookup(place.address, slot))
    zero = ir.Store(slot, ir.Const(0, ir.U32))
    return (*before, zero, *block, *atomic_add(node.op, pointer, number))
