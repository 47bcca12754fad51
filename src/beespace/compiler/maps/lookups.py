"""Finding entries: keys in memory, lookups, insertions of zeroes.

Invariant: a lookup gives None or a place in the map; an insertion that fails is counted.
"""

from __future__ import annotations

import ast

from beespace.compiler import ir
from beespace.compiler.constants import zeroes
from beespace.compiler.expressions.numbers import check_index, fit, known
from beespace.compiler.frame import Frame
from beespace.compiler.kernel.calls import call
from beespace.compiler.lost import count_lost
from beespace.compiler.maps.operations import Place
from beespace.compiler.memory import SLOT_ALIGN, load, located
from beespace.compiler.types import Int, Optional, Type, of_kind
from beespace.compiler.values import Value, is_null, sequence
from beespace.lang import Map
from beespace.record import replace
from beespace.schema import ArrayKind, Kind
from beespace.schema.kinds import kind_align, kind_size

__all__ = [
    "MAP", "NOEXIST", "VALUE", "certain", "checked_index", "created", "done_or_lost", "found_or_created", "index_key",
    "lookup", "optional", "placed", "update", "value_key",
]  # fmt: skip

VALUE = ir.PointerType(ir.Region.MAP_VALUE)
MAP = ir.PointerType(ir.Region.MAP)
NOEXIST = 1  # BPF_NOEXIST: only if the key is not there


def optional(pointer: ir.Expression, kind: Kind) -> Value:
    """What a lookup gives: a place of ``kind``, or None."""
    type_: Type = of_kind(kind)
    by_reference = isinstance(kind, (type, ArrayKind))
    return Value(Optional(type_, None if by_reference else kind), pointer, align=kind_align(kind))


def lookup(address: ir.Expression, key: ir.Expression) -> ir.Helper:
    """bpf_map_lookup_elem()."""
    return call("map_lookup_elem", VALUE, address, key)


def update(address: ir.Expression, key: ir.Expression, value: ir.Expression, flags: int = 0) -> ir.Helper:
    """bpf_map_update_elem()."""
    return call("map_update_elem", ir.I64, address, key, value, ir.Const(flags, ir.U64))


# --- keys ----------------------------------------------------------------------------------------


def value_key(frame: Frame, map: Map, node: ast.expr) -> tuple[ir.Block, ir.Expression]:
    """The key in memory."""
    assert map.key is not None
    return located(frame, frame.value(node, of_kind(map.key)), map.key, node, "the key")


def index_key(frame: Frame, map: Map, node: ast.expr) -> tuple[ir.Block, ir.Expression]:
    """The index in memory; whatever its width, one past the end is only not found."""
    value = known(frame, frame.value(node, Int(32)), node, "an index")
    slot = frame.scope.slot(4)
    return (ir.Store(slot, _index(frame, value, node)),), slot


def _index(frame: Frame, value: Value, node: ast.AST) -> ir.Expression:
    """A u32 index that is past the end whenever the number is."""
    if (
        isinstance(value.type, Int)
        and (value.type.bits, value.type.signed) == (64, False)
        and value.range.high >= 1 << 32
    ):
        before, code = frame.bind(value.expression)
        most = ir.Const(0xFFFFFFFF, ir.U64)
        cut = ir.Select(ir.Compare(ir.CompareOp.LT, code, most), code, most)
        return sequence(before, ir.Convert(cut, ir.U32))
    if isinstance(value.type, Int) and value.range.low >= 0 and value.type.bits > 32:
        return ir.Convert(value.expression, ir.U32)
    if isinstance(value.type, Int) and value.type.signed and value.range.low >= 0:
        return ir.Convert(value.expression, ir.U32)
    return fit(frame, value, Int(32), node, "an index")


def checked_index(frame: Frame, map: Map, node: ast.expr) -> tuple[ir.Block, ir.Expression]:
    """The index in memory; a mistake unless it is certainly within the array."""
    value = known(frame, frame.value(node, Int(32)), node, "an index")
    check_index(frame, value, map.max_entries, node)
    slot = frame.scope.slot(4)
    return (ir.Store(slot, _index(frame, value, node)),), slot


_LARGE = 64  # bytes of a value: as many zeroes stand in the object, not on the stack


# --- entries -------------------------------------------------------------------------------------


def created(frame: Frame, place: Place, key: ir.Expression) -> tuple[ir.Block, ir.Expression]:
    """Look up, else insert zeroes and look up again; null, and counted, if the map is full."""
    name = frame.scope.fresh()
    found = ir.Local(name, VALUE)
    missing = found_or_created(frame, place, key, name)
    return (ir.Declare(name, VALUE, lookup(place.address, key)), ir.If(is_null(found), missing)), found


def found_or_created(
    frame: Frame, place: Place, key: ir.Expression, name: str, initial: ir.Expression | None = None
) -> ir.Block:
    """Insert ``initial`` (zeroes), and find it into the local ``name``; what somebody else inserted meanwhile stays."""
    assert place.map.value_kind is not None
    size = kind_size(place.map.value_kind)
    before: ir.Block = ()
    if initial is None:
        if size < _LARGE:
            initial = frame.scope.slot(size)
            before = (ir.Zero(initial, size, SLOT_ALIGN),)
        else:
            initial = zeroes(frame, size)
    return (
        *before,
        ir.Evaluate(update(place.address, key, initial, NOEXIST)),
        ir.Assign(name, lookup(place.address, key)),
        ir.If(is_null(ir.Local(name, VALUE)), count_lost(frame, place.name)),
    )


def done_or_lost(frame: Frame, place: Place, updating: ir.Expression, refused: int) -> tuple[ir.Block, ir.Expression]:
    """Whether a conditional update was done; an error other than ``refused`` is one of a full map, and counted."""
    name = frame.scope.fresh()
    result = ir.Local(name, ir.I64)
    done = ir.Compare(ir.CompareOp.EQ, result, ir.Const(0, ir.I64))
    known = ir.Or(done, ir.Compare(ir.CompareOp.EQ, result, ir.Const(-refused, ir.I64)))
    return (ir.Declare(name, ir.I64, updating), ir.If(ir.Not(known), count_lost(frame, place.name))), done


def certain(frame: Frame, finding: ir.Expression) -> tuple[ir.Block, ir.Expression]:
    """A lookup that always finds: the verifier does not know, so a null ends the program."""
    name = frame.scope.fresh()
    pointer = ir.Local(name, VALUE)
    return (ir.Declare(name, VALUE, finding), ir.If(is_null(pointer), frame.leave())), pointer


def placed(block: ir.Block, pointer: ir.Expression, kind: Kind) -> Value:
    """The value at ``pointer``, after ``block``."""
    value = load(pointer, kind, kind_align(kind))
    return replace(value, code=sequence(block, value.expression))
