"""Hash tables: entries that come and go."""

from __future__ import annotations

import ast
import errno

from beespace.compiler import ir, rules
from beespace.compiler.expressions.numbers import fit
from beespace.compiler.frame import Frame
from beespace.compiler.kernel.calls import call
from beespace.compiler.lost import count_lost
from beespace.compiler.maps.adding import addable, amount, atomic_add
from beespace.compiler.maps.lookups import (
    NOEXIST,
    VALUE,
    created,
    done_or_lost,
    found_or_created,
    lookup,
    optional,
    update,
)
from beespace.compiler.maps.operations import Place, arguments
from beespace.compiler.memory import check_copied, located
from beespace.compiler.types import BOOL, U32, VOID, of_kind
from beespace.compiler.values import Value, is_null, not_null, sequence
from beespace.schema import Kind
from beespace.schema.kinds import kind_align, kind_size

__all__ = [
    "add", "contains", "delete", "get", "get_of_cpu", "get_or_create", "insert", "pop", "remove", "replace_value",
    "setdefault", "unreadable", "write",
]  # fmt: skip

_EXIST = 2  # BPF_EXIST: only if the key is there


def _kind(place: Place) -> Kind:
    assert place.map.value_kind is not None
    return place.map.value_kind


# --- words ---------------------------------------------------------------------------------------


def get(frame: Frame, place: Place, node: ast.Call) -> Value:
    """``self.m.get(key)``."""
    (wanted,) = arguments(frame, place, node, "key")
    before, key = place.key(frame, place.map, wanted)
    return optional(sequence(before, lookup(place.address, key)), _kind(place))


def get_of_cpu(frame: Frame, place: Place, node: ast.Call) -> Value:
    """``self.m.get(key, cpu=n)``: another CPU's value, in place."""
    wanted, cpu_node = arguments(frame, place, node, "key", optional=("cpu",))
    before, key = place.key(frame, place.map, wanted)
    if cpu_node is None:
        return optional(sequence(before, lookup(place.address, key)), _kind(place))
    between, cpu = frame.bind(fit(frame, frame.value(cpu_node, U32), U32, cpu_node, "cpu"))
    found = call("map_lookup_percpu_elem", VALUE, place.address, key, cpu)
    return optional(sequence(before + between, found), _kind(place))


def get_or_create(frame: Frame, place: Place, node: ast.Call) -> Value:
    """``self.m.get_or_create(key)``."""
    (wanted,) = arguments(frame, place, node, "key")
    before, key = place.key(frame, place.map, wanted)
    block, found = created(frame, place, key)
    return optional(sequence(before + block, found), _kind(place))


def setdefault(frame: Frame, place: Place, node: ast.Call) -> Value:
    """``self.m.setdefault(key, value)``: None if the map is full."""
    wanted, initial = arguments(frame, place, node, "key", "value")
    before, key = place.key(frame, place.map, wanted)
    between, value = _located(frame, place, initial)
    name = frame.scope.fresh()
    found = ir.Local(name, VALUE)
    missing = found_or_created(frame, place, key, name, value)
    block = (ir.Declare(name, VALUE, lookup(place.address, key)), ir.If(is_null(found), missing))
    return optional(sequence(before + between + block, found), _kind(place))


def _located(frame: Frame, place: Place, node: ast.expr) -> tuple[ir.Block, ir.Expression]:
    kind = _kind(place)
    return located(frame, frame.value(node, of_kind(kind)), kind, node, f"a value of {place.name}")


def insert(frame: Frame, place: Place, node: ast.Call) -> Value:
    """``self.m.insert(key, value)``: True if the key was not there, and is now."""
    return _conditional_update(frame, place, node, NOEXIST)


def replace_value(frame: Frame, place: Place, node: ast.Call) -> Value:
    """``self.m.replace(key, value)``: True if the key was there."""
    return _conditional_update(frame, place, node, _EXIST)


def _conditional_update(frame: Frame, place: Place, node: ast.Call, flags: int) -> Value:
    wanted, value_node = arguments(frame, place, node, "key", "value")
    before, key = place.key(frame, place.map, wanted)
    between, value = _located(frame, place, value_node)
    refused = errno.EEXIST if flags == NOEXIST else errno.ENOENT
    block, done = done_or_lost(frame, place, update(place.address, key, value, flags), refused)
    return Value(BOOL, sequence(before + between + block, done))


def pop(frame: Frame, place: Place, node: ast.Call) -> Value:
    """``self.m.pop(key)``: the value is copied before the entry is gone."""
    kind = _kind(place)
    (wanted,) = arguments(frame, place, node, "key")
    before, key = place.key(frame, place.map, wanted)
    removal = call("map_delete_elem", ir.I64, place.address, key)
    if node is frame.unused:
        return Value(VOID, sequence(before, removal))
    check_copied(frame, kind, node, ir.Local("", VALUE))
    slot = frame.scope.slot(kind_size(kind))
    entry, result = frame.scope.fresh(), frame.scope.fresh()
    taken: ir.Block = (
        ir.Copy(slot, ir.Local(entry, VALUE), kind_size(kind), kind_align(kind)),
        ir.Evaluate(removal),
        ir.Assign(result, slot),
    )
    block: ir.Block = (
        ir.Declare(entry, VALUE, lookup(place.address, key)),
        ir.Declare(result, slot.type),
        ir.If(not_null(ir.Local(entry, VALUE)), taken),
    )
    return optional(sequence(before + block, ir.Local(result, slot.type)), kind)


def delete(frame: Frame, place: Place, node: ast.Call) -> Value:
    """``self.m.delete(key)``: True if the key was there."""
    (wanted,) = arguments(frame, place, node, "key")
    before, key = place.key(frame, place.map, wanted)
    removal = call("map_delete_elem", ir.I64, place.address, key)
    return Value(BOOL, sequence(before, ir.Compare(ir.CompareOp.EQ, removal, ir.Const(0, ir.I64))))


# --- operators -----------------------------------------------------------------------------------


def contains(frame: Frame, place: Place, node: ast.expr) -> ir.Expression:
    """``key in self.m``."""
    before, key = place.key(frame, place.map, node)
    return sequence(before, not_null(lookup(place.address, key)))


def unreadable(frame: Frame, place: Place, node: ast.Subscript) -> Value:
    """``self.m[key]`` would have to raise for a missing key."""
    raise frame.error(rules.PlainSubscript, node, name=ast.unparse(node.value))


def write(frame: Frame, place: Place, node: ast.Subscript, value: Value, value_node: ast.expr) -> ir.Block:
    """``self.m[key] = value``."""
    before, source = located(frame, value, _kind(place), value_node, f"a value of {place.name}")
    between, key = place.key(frame, place.map, node.slice)
    failed = ir.Compare(ir.CompareOp.NE, update(place.address, key, source), ir.Const(0, ir.I64))
    return (*before, *between, ir.If(failed, count_lost(frame, place.name)))


def remove(frame: Frame, place: Place, node: ast.Subscript) -> ir.Block:
    """``del self.m[key]``."""
    before, key = place.key(frame, place.map, node.slice)
    return (*before, ir.Evaluate(call("map_delete_elem", ir.I64, place.address, key)))


def add(frame: Frame, place: Place, node: ast.AugAssign) -> ir.Block:
    """``self.m[key] += n``: insert-or-add."""
    assert isinstance(node.target, ast.Subscript)
    type_ = addable(frame, node.op, place.map.value_kind, f"a value of {place.name}", node.target)
    before, key = place.key(frame, place.map, node.target.slice)
    between, number = amount(frame, node, type_)
    block, pointer = created(frame, place, key)
    return (*before, *between, *block, ir.If(not_null(pointer), atomic_add(node.op, pointer, number)))
