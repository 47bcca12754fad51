"""Tries of prefixes: a key is how many bits count, and the bits."""

from __future__ import annotations

import ast
import errno

from beespace.compiler import ir, rules
from beespace.compiler.expressions.numbers import fit
from beespace.compiler.frame import Frame
from beespace.compiler.kernel.calls import call
from beespace.compiler.maps.lookups import NOEXIST, done_or_lost, lookup, optional, update
from beespace.compiler.maps.operations import Place, arguments
from beespace.compiler.memory import SLOT_ALIGN, located, store
from beespace.compiler.types import BOOL, U32, Literal, of_kind
from beespace.compiler.values import Value, number, offset, sequence
from beespace.lang import LpmTrie, Map
from beespace.schema.kinds import kind_size

__all__ = ["delete", "get", "insert", "key"]

_LENGTH = 4  # bytes of prefixlen; the data follows without a gap


def key(frame: Frame, map: Map, node: ast.expr) -> tuple[ir.Block, ir.Expression]:
    """The key with all of its bits."""
    return _prefix(frame, map, node, None)


def _prefix(frame: Frame, map: Map, node: ast.expr, bits: ast.expr | None) -> tuple[ir.Block, ir.Expression]:
    assert isinstance(map, LpmTrie)
    value = frame.value(node, of_kind(map.data))
    # The data is aligned as its fields ask, the number before it less.
    whole = frame.scope.slot(SLOT_ALIGN + kind_size(map.data))
    slot = offset(whole, SLOT_ALIGN - _LENGTH)
    length: ir.Expression = number(map.bits, U32)
    if bits is not None:
        given = frame.value(bits, U32)
        if isinstance(given.type, Literal) and not 0 <= given.type.value <= map.bits:
            raise frame.error(rules.ArgumentRange, bits, what="prefix", low=0, high=map.bits, found=given.type)
        length = fit(frame, given, U32, bits, "prefix")
    filling = store(frame, offset(whole, SLOT_ALIGN), SLOT_ALIGN, map.data, value, node, "the key")
    return (ir.Store(slot, length), *filling), slot


def get(frame: Frame, place: Place, node: ast.Call) -> Value:
    """``self.m.get(key)``: the value of the longest prefix that fits."""
    wanted, bits = arguments(frame, place, node, "key", optional=("prefix",))
    assert place.map.value_kind is not None
    before, slot = _prefix(frame, place.map, wanted, bits)
    return optional(sequence(before, lookup(place.address, slot)), place.map.value_kind)


def insert(frame: Frame, place: Place, node: ast.Call) -> Value:
    """``self.m.insert(key, value, prefix=24)``: True if that prefix was not there."""
    wanted, value_node, bits = arguments(frame, place, node, "key", "value", optional=("prefix",))
    kind = place.map.value_kind
    assert kind is not None
    before, slot = _prefix(frame, place.map, wanted, bits)
    between, value = located(
        frame, frame.value(value_node, of_kind(kind)), kind, value_node, f"a value of {place.name}"
    )
    block, done = done_or_lost(frame, place, update(place.address, slot, value, NOEXIST), errno.EEXIST)
    return Value(BOOL, sequence(before + between + block, done))


def delete(frame: Frame, place: Place, node: ast.Call) -> Value:
    """``self.m.delete(key, prefix=24)``: True if that prefix was there."""
    wanted, bits = arguments(frame, place, node, "key", optional=("prefix",))
    before, slot = _prefix(frame, place.map, wanted, bits)
    removal = call("map_delete_elem", ir.I64, place.address, slot)
    return Value(BOOL, sequence(before, ir.Compare(ir.CompareOp.EQ, removal, ir.Const(0, ir.I64))))
