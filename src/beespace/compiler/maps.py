"""Operations on maps that have keys: hashes, arrays, intervals, counters and globals.

Invariant: a lookup gives None or a place in the map; += on what other CPUs see is one atomic step;
an insertion that fails is counted.
"""

from __future__ import annotations

import ast

from beespace.compiler import ir, rules
from beespace.compiler.diagnostics import did_you_mean
from beespace.compiler.frame import Frame
from beespace.compiler.kernel_calls import call
from beespace.compiler.lost import count_lost
from beespace.compiler.memory import SLOT_ALIGN, load, located
from beespace.compiler.numbers import SYMBOLS, check_index, fit, known, present
from beespace.compiler.types import VOID, Int, Literal, MapObject, Optional, Type, of_kind
from beespace.compiler.values import Value, is_null, not_null, null, number, sequence
from beespace.lang import (
    Array,
    Counter,
    Global,
    Hash,
    Interval,
    LruHash,
    LruPerCpuHash,
    Map,
    PerCpuArray,
    PerCpuHash,
    Ring,
    SocketStorage,
    TaskStorage,
)
from beespace.record import replace
from beespace.schema import ArrayKind, IntKind, Kind
from beespace.schema.kinds import kind_align, kind_size

__all__ = [
    "HASHES", "INDEXED", "addable", "atomic_add", "contains", "delete", "get", "get_or_create", "increment_counter",
    "increment_item", "only_element", "optional", "pop", "read_item", "set_item", "unknown_word", "words_of",
]  # fmt: skip

HASHES = (Hash, LruHash, PerCpuHash, LruPerCpuHash)
INDEXED = (Array, PerCpuArray)
_VALUE = ir.PointerType(ir.Region.MAP_VALUE)
_MAP = ir.PointerType(ir.Region.MAP)
_NOEXIST = 1  # BPF_NOEXIST: only if the key is not there

_WORDS: tuple[tuple[tuple[type[Map], ...], tuple[str, ...]], ...] = (
    (HASHES, ("get", "get_or_create", "pop")),
    (INDEXED, ("get",)),
    ((Interval,), ("get", "get_or_create")),
    ((SocketStorage, TaskStorage), ("get", "get_or_create", "delete")),
    ((Ring,), ("emit",)),
)


def words_of(map: Map) -> tuple[str, ...]:
    """The methods of a map that work in the kernel."""
    return next((words for classes, words in _WORDS if isinstance(map, classes)), ())


_OPERATORS: tuple[tuple[tuple[type[Map], ...], str], ...] = (
    (HASHES, "self.{0}[key] += n, self.{0}[key] = value, key in self.{0}, del self.{0}[key]"),
    (INDEXED, "self.{0}[i], self.{0}[i] = value, self.{0}[i] += n"),
    ((Counter,), "self.{0} += n"),
    ((Global,), "self.{0}.value"),
)


def unknown_word(frame: Frame, map: MapObject, word: str, node: ast.AST) -> Exception:
    """The mistake of using a word that the map does not have in the kernel."""
    words = words_of(map.map)
    operators = next((text for classes, text in _OPERATORS if isinstance(map.map, classes)), "").format(map.name)
    known = ", ".join([*(f".{name}()" for name in words), *filter(None, [operators])])
    suggestion = did_you_mean(word, words)
    if hasattr(type(map.map), word) and not suggestion:
        suggestion = f"read {word} outside, in a plain method or after the `with`"
    return frame.error(rules.NoMapWord, node, map=map, word=word, known=known, suggestion=suggestion)


# --- lookups -------------------------------------------------------------------------------------


def optional(pointer: ir.Expression, kind: Kind) -> Value:
    """What a lookup gives: a place of ``kind``, or None."""
    type_: Type = of_kind(kind)
    by_reference = isinstance(kind, (type, ArrayKind))
    return Value(Optional(type_, None if by_reference else kind), pointer, align=kind_align(kind))


def _lookup(map: ir.Expression, key: ir.Expression) -> ir.Helper:
    return call("map_lookup_elem", _VALUE, map, key)


def _key(frame: Frame, map: Map, node: ast.expr) -> tuple[ir.Block, ir.Expression]:
    """The key in memory."""
    assert map.key is not None
    if isinstance(map, INDEXED):
        # Whatever its width, an index past the end is only not found.
        value = known(frame, frame.value(node, Int(32)), node, "an index")
        slot = frame.scope.slot(4)
        return (ir.Store(slot, _index(frame, value, node)),), slot
    value = frame.value(node, of_kind(map.key))
    return located(frame, value, map.key, node, "the key")


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


def _checked_index(frame: Frame, map: MapObject, node: ast.expr) -> tuple[ir.Block, ir.Expression]:
    """The index in memory; a mistake unless it is certainly within the array."""
    value = known(frame, frame.value(node, Int(32)), node, "an index")
    length = map.map.max_entries
    check_index(frame, value, length, node)
    slot = frame.scope.slot(4)
    return (ir.Store(slot, _index(frame, value, node)),), slot


def _inner(frame: Frame, map: MapObject) -> tuple[ir.Block, ir.Expression]:
    """The table that an interval's slot holds now; null only if user space has emptied the slot."""
    slot = frame.scope.slot(4)
    name = frame.scope.fresh()
    lookup = call("map_lookup_elem", _MAP, ir.MapAddress(map.name), slot)
    return (ir.Store(slot, ir.Const(0, ir.U32)), ir.Declare(name, _MAP, lookup)), ir.Local(name, _MAP)


def get(frame: Frame, map: MapObject, node: ast.expr) -> Value:
    """``self.m.get(key)``."""
    assert map.map.value_kind is not None
    before, key = _key(frame, map.map, node)
    if not isinstance(map.map, Interval):
        return optional(sequence(before, _lookup(ir.MapAddress(map.name), key)), map.map.value_kind)
    opening, inner = _inner(frame, map)
    found = ir.Select(not_null(inner), _lookup(inner, key), null(ir.Region.MAP_VALUE))
    return optional(sequence(before + opening, found), map.map.value_kind)


def get_or_create(frame: Frame, map: MapObject, node: ast.expr) -> Value:
    """``self.m.get_or_create(key)``."""
    assert map.map.value_kind is not None
    before, key = _key(frame, map.map, node)
    block, found = _created(frame, map, key)
    return optional(sequence(before + block, found), map.map.value_kind)


def _created(frame: Frame, map: MapObject, key: ir.Expression) -> tuple[ir.Block, ir.Expression]:
    """Look up, else insert zeroes and look up again; null, and counted, if the map is full."""
    assert map.map.value_kind is not None
    size = kind_size(map.map.value_kind)
    opening: ir.Block = ()
    address: ir.Expression = ir.MapAddress(map.name)
    if isinstance(map.map, Interval):
        opening, address = _inner(frame, map)
    zeroes = frame.scope.slot(size)
    name = frame.scope.fresh()
    found = ir.Local(name, _VALUE)
    insert = call("map_update_elem", ir.I64, address, key, zeroes, ir.Const(_NOEXIST, ir.U64))
    missing: ir.Block = (
        ir.Zero(zeroes, size, SLOT_ALIGN),
        ir.Evaluate(insert),
        ir.Assign(name, _lookup(address, key)),
        ir.If(is_null(found), count_lost(frame, map.name)),
    )
    if not isinstance(map.map, Interval):
        return (ir.Declare(name, _VALUE, _lookup(address, key)), ir.If(is_null(found), missing)), found
    searching: ir.Block = (ir.Assign(name, _lookup(address, key)), ir.If(is_null(found), missing))
    return (
        *opening,
        ir.Declare(name, _VALUE),
        ir.If(not_null(address), searching, count_lost(frame, map.name)),
    ), found


def contains(frame: Frame, map: MapObject, node: ast.expr) -> ir.Expression:
    """``key in self.m``."""
    if not isinstance(map.map, HASHES):
        raise unknown_word(frame, map, "in", node)
    before, key = _key(frame, map.map, node)
    return sequence(before, not_null(_lookup(ir.MapAddress(map.name), key)))


def pop(frame: Frame, map: MapObject, node: ast.expr, *, used: bool) -> Value:
    """``self.m.pop(key)``: the value is copied before the entry is gone."""
    kind = map.map.value_kind
    assert kind is not None
    before, key = _key(frame, map.map, node)
    removal = call("map_delete_elem", ir.I64, ir.MapAddress(map.name), key)
    if not used:
        return Value(VOID, sequence(before, removal))
    slot = frame.scope.slot(kind_size(kind))
    entry, result = frame.scope.fresh(), frame.scope.fresh()
    taken: ir.Block = (
        ir.Copy(slot, ir.Local(entry, _VALUE), kind_size(kind), kind_align(kind)),
        ir.Evaluate(removal),
        ir.Assign(result, slot),
    )
    block: ir.Block = (
        ir.Declare(entry, _VALUE, _lookup(ir.MapAddress(map.name), key)),
        ir.Declare(result, slot.type),
        ir.If(not_null(ir.Local(entry, _VALUE)), taken),
    )
    return optional(sequence(before + block, ir.Local(result, slot.type)), kind)


# --- items ---------------------------------------------------------------------------------------


def read_item(frame: Frame, map: MapObject, node: ast.Subscript) -> Value:
    """``self.array[i]``."""
    kind = map.map.value_kind
    if isinstance(map.map, HASHES):
        raise frame.error(rules.PlainSubscript, node, name=map.name)
    if not isinstance(map.map, INDEXED) or kind is None:
        raise unknown_word(frame, map, "[...]", node)
    before, key = _checked_index(frame, map, node.slice)
    block, pointer = _certain(frame, _lookup(ir.MapAddress(map.name), key))
    return _placed(before + block, pointer, kind)


def _certain(frame: Frame, lookup: ir.Expression) -> tuple[ir.Block, ir.Expression]:
    """A lookup that always finds: the verifier does not know, so a null ends the program."""
    name = frame.scope.fresh()
    pointer = ir.Local(name, _VALUE)
    return (ir.Declare(name, _VALUE, lookup), ir.If(is_null(pointer), frame.leave())), pointer


def _placed(block: ir.Block, pointer: ir.Expression, kind: Kind) -> Value:
    value = load(pointer, kind, kind_align(kind))
    return replace(value, code=sequence(block, value.expression))


def set_item(frame: Frame, map: MapObject, node: ast.Subscript, value: Value, value_node: ast.expr) -> ir.Block:
    """``self.m[key] = value``."""
    kind = map.map.value_kind
    if not isinstance(map.map, (*HASHES, *INDEXED)) or kind is None:
        raise unknown_word(frame, map, "[...] = ", node)
    before, place = located(frame, value, kind, value_node, f"a value of {map.name}")
    if isinstance(map.map, INDEXED):
        between, key = _checked_index(frame, map, node.slice)
    else:
        between, key = _key(frame, map.map, node.slice)
    update = call("map_update_elem", ir.I64, ir.MapAddress(map.name), key, place, ir.Const(0, ir.U64))
    if isinstance(map.map, INDEXED):
        return (*before, *between, ir.Evaluate(update))
    failed = ir.Compare(ir.CompareOp.NE, update, ir.Const(0, ir.I64))
    return (*before, *between, ir.If(failed, count_lost(frame, map.name)))


def delete(frame: Frame, map: MapObject, node: ast.Subscript) -> ir.Block:
    """``del self.m[key]``."""
    if not isinstance(map.map, HASHES):
        raise unknown_word(frame, map, "del", node)
    before, key = _key(frame, map.map, node.slice)
    return (*before, ir.Evaluate(call("map_delete_elem", ir.I64, ir.MapAddress(map.name), key)))


# --- adding --------------------------------------------------------------------------------------


def atomic_add(op: ast.operator, pointer: ir.Expression, amount: ir.Expression) -> ir.Block:
    """``place += amount`` where other CPUs may be at the same place; see :func:`addable` for the checks."""
    if isinstance(op, ast.Sub):
        assert isinstance(amount.type, ir.IntType)
        amount = ir.Binary(ir.BinaryOp.SUB, ir.Const(0, amount.type), amount)
    return (ir.AtomicAdd(pointer, amount),)


def addable(frame: Frame, op: ast.operator, kind: Kind | None, what: str, node: ast.AST) -> Int:
    """The type of a place that += can change in one step; a mistake if it can not."""
    symbol = SYMBOLS[type(op)]
    if not isinstance(kind, IntKind):
        found = "nothing" if kind is None else of_kind(kind)
        raise frame.error(rules.NoIncrement, node, what=what, operator=f"{symbol}=", found=found,
                          suggestion="only whole numbers can")  # fmt: skip
    if not isinstance(op, (ast.Add, ast.Sub)):
        raise frame.error(rules.NotAtomic, node, operator=f"{symbol}=", what=what, plain=symbol)
    if kind.bits < 32 or kind.big_endian:
        raise frame.error(rules.AtomicWidth, node, what=what, bits=kind.bits)
    return Int(kind.bits, kind.signed)


def increment_item(frame: Frame, map: MapObject, node: ast.AugAssign) -> ir.Block:
    """``self.m[key] += n``: insert-or-add."""
    assert isinstance(node.target, ast.Subscript)
    kind = map.map.value_kind
    if not isinstance(map.map, (*HASHES, *INDEXED)):
        raise unknown_word(frame, map, "[...] +=", node.target)
    type_ = addable(frame, node.op, kind, f"a value of {map.name}", node.target)
    assert kind is not None
    indexed = isinstance(map.map, INDEXED)
    before, key = _checked_index(frame, map, node.target.slice) if indexed else _key(frame, map.map, node.target.slice)
    between, amount = _amount(frame, node, type_)
    if indexed:
        block, pointer = _certain(frame, _lookup(ir.MapAddress(map.name), key))
        return before + between + block + atomic_add(node.op, pointer, amount)
    block, pointer = _created(frame, map, key)
    adding = atomic_add(node.op, pointer, amount)
    return (*before, *between, *block, ir.If(not_null(pointer), adding))


def _amount(frame: Frame, node: ast.AugAssign, type_: Int) -> tuple[ir.Block, ir.Expression]:
    value = present(frame, frame.value(node.value, type_), node.value)
    if isinstance(value.type, Literal) and value.type.value < 0 and not type_.signed:
        value = Value(type_, number(value.type.value, type_))  # += -1 counts down, as -= 1 does
    return frame.bind(fit(frame, value, type_, node.value, "the amount"))


def only_element(frame: Frame, map: MapObject) -> tuple[ir.Block, ir.Expression]:
    """The place of the single value of a counter or global; a global is a variable of the object."""
    if isinstance(map.map, Global):
        return (), ir.GlobalAddress(map.name)
    slot = frame.scope.slot(4)
    block, pointer = _certain(frame, _lookup(ir.MapAddress(map.name), slot))
    return (ir.Store(slot, ir.Const(0, ir.U32)), *block), pointer


def increment_counter(frame: Frame, map: MapObject, node: ast.AugAssign) -> ir.Block:
    """``self.counter += n``."""
    if not isinstance(map.map, Counter):
        suggestion = f"name an entry: `self.{map.name}[key] += n`" if map.map.key is not None else ""
        if isinstance(map.map, Global):
            suggestion = f"write `self.{map.name}.value += n`"
        raise frame.error(
            rules.NoIncrement, node.target, what=f"self.{map.name}", operator=f"{SYMBOLS[type(node.op)]}=",
            found=map, suggestion=suggestion,
        )  # fmt: skip
    assert map.map.value_kind is not None
    type_ = addable(frame, node.op, map.map.value_kind, map.name, node.target)
    before, amount = _amount(frame, node, type_)
    block, pointer = only_element(frame, map)
    return before + block + atomic_add(node.op, pointer, amount)
