"""Histograms: the bucket of a value is found by shifts or a division, and added to in one atomic step."""

from __future__ import annotations

import ast

from beespace.compiler import ir, rules
from beespace.compiler.expressions.bits import bit_length
from beespace.compiler.expressions.numbers import fit, known
from beespace.compiler.frame import Frame
from beespace.compiler.maps.lookups import certain, created, lookup, value_key
from beespace.compiler.maps.operations import Place, arguments
from beespace.compiler.types import I64, U32, U64, VOID, Int, MapObject
from beespace.compiler.values import Value, not_null, number, offset, sequence
from beespace.lang import Histogram, LinearHistogram, Map
from beespace.schema.kinds import kind_size

__all__ = ["HistogramEntry", "add", "add_to_entry", "define", "entry"]

_SLOTS = 8  # the buckets follow the sum


class HistogramEntry(Map):
    """``self.latency[key]``: a histogram of many, by the address of its key."""

    map_type = 0

    def __init__(self, histogram: Histogram) -> None:  # type: ignore[type-arg]
        super().__init__(histogram.key, histogram.value_kind, histogram.max_entries)
        self.histogram = histogram


def define(name: str, map: Map) -> ir.MapDefinition:
    """One struct of sum and buckets: for each CPU, or for each key."""
    assert isinstance(map, Histogram)
    return ir.MapDefinition(name, map.kernel_type, map.key, map.value_kind, map.max_entries, map.flags)


def entry(frame: Frame, place: Place, node: ast.Subscript) -> Value:
    """``self.latency[key]``, of which only ``.add()`` can be asked."""
    assert isinstance(place.map, Histogram)
    if not place.map.keyed:
        raise _misused(
            frame, place, "[...]", ".add()", f"declare it with a key: `{place.name} = Histogram(key=u32)`", node
        )
    before, key = value_key(frame, place.map, node.slice)
    return Value(MapObject(place.name, HistogramEntry(place.map)), sequence(before, key))


def add(frame: Frame, place: Place, node: ast.Call) -> Value:
    """``self.latency.add(value)``."""
    (wanted,) = arguments(frame, place, node, "value")
    assert isinstance(place.map, Histogram)
    if place.map.keyed:
        entry = f"self.{place.name}[key].add(value)"
        raise _misused(frame, place, "add", entry, f"say which: `{entry}`", node)
    before, value = _value(frame, place.map, wanted)
    slot = frame.scope.slot(4)
    block, pointer = certain(frame, lookup(place.address, slot))
    zero = ir.Store(slot, ir.Const(0, ir.U32))
    return _counted((*before, zero, *block, *_count(frame, place.map, pointer, value)))


def add_to_entry(frame: Frame, place: Place, node: ast.Call) -> Value:
    """``self.latency[key].add(value)``; a key that finds no room is counted as lost."""
    (wanted,) = arguments(frame, place, node, "value")
    assert isinstance(place.map, HistogramEntry)
    opening, key = frame.bind(place.address)
    before, value = _value(frame, place.map.histogram, wanted)
    table = Place(place.name, place.map.histogram, ir.MapAddress(place.name), place.key)
    block, pointer = created(frame, table, key)
    counting = ir.If(not_null(pointer), _count(frame, place.map.histogram, pointer, value))
    return _counted((*opening, *before, *block, counting))


def _misused(frame: Frame, place: Place, word: str, known: str, suggestion: str, node: ast.AST) -> Exception:
    map = MapObject(place.name, place.map)
    return frame.error(rules.NoMapWord, node, map=map, word=word, known=known, suggestion=suggestion)


def _counted(block: ir.Block) -> Value:
    return Value(VOID, ir.Sequence(block, ir.Const(0, ir.U64)))


def _value(frame: Frame, map: Histogram, node: ast.expr) -> tuple[ir.Block, ir.Expression]:  # type: ignore[type-arg]
    type_ = I64 if isinstance(map, LinearHistogram) and map.low < 0 else U64
    value = known(frame, frame.value(node, type_), node, "a value")
    if isinstance(value.type, Int) and value.type.signed and not type_.signed and value.range.low >= 0:
        return frame.bind(ir.Convert(ir.Convert(value.expression, ir.I64), ir.U64))
    if isinstance(value.type, Int) and type_.signed and not value.type.signed and value.type.bits < 64:
        return frame.bind(ir.Convert(ir.Convert(value.expression, ir.U64), ir.I64))
    return frame.bind(fit(frame, value, type_, node, "a value"))


def _count(frame: Frame, map: Histogram, pointer: ir.Expression, value: ir.Expression) -> ir.Block:  # type: ignore[type-arg]
    assert map.value_kind is not None
    buckets = kind_size(map.value_kind) // 8 - 1
    before, index = _linear(map, value) if isinstance(map, LinearHistogram) else _log2(frame, value)
    at = ir.Binary(ir.BinaryOp.MUL, index, number(8, U32))
    # It is within: the comparison is for the verifier, which cannot follow how we know.
    hiding, at_bytes = frame.opaque(at)
    within = ir.Compare(ir.CompareOp.LE, at_bytes, number((buckets - 1) * 8, U32))
    bounded = ir.Select(within, at_bytes, number(0, U32))
    amount = value if value.type == ir.U64 else ir.Convert(value, ir.U64)
    return (
        *before,
        ir.AtomicAdd(ir.Offset(offset(pointer, _SLOTS), sequence(hiding, bounded)), ir.Const(1, ir.U64)),
        ir.AtomicAdd(pointer, amount),
    )


def _log2(frame: Frame, value: ir.Expression) -> tuple[ir.Block, ir.Expression]:
    if isinstance(value, ir.Const):
        return (), number(value.value.bit_length(), U32)
    return (), bit_length(frame, Value(U64, value)).expression


def _linear(map: LinearHistogram, value: ir.Expression) -> tuple[ir.Block, ir.Expression]:  # type: ignore[type-arg]
    type_ = I64 if value.type == ir.I64 else U64
    inside = ir.Convert(ir.Binary(ir.BinaryOp.SUB, value, number(map.low, type_)), ir.U64)
    step = ir.Binary(ir.BinaryOp.DIV, inside, number(map.step, U64))
    index: ir.Expression = ir.Binary(ir.BinaryOp.ADD, ir.Convert(step, ir.U32), number(1, U32))
    last = len(map.edges()) - 1
    index = ir.Select(ir.Compare(ir.CompareOp.GE, value, number(map.high, type_)), number(last, U32), index)
    if map.low != 0 or type_.signed:
        index = ir.Select(ir.Compare(ir.CompareOp.LT, value, number(map.low, type_)), number(0, U32), index)
    return (), index
