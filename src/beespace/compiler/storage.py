"""Storage that lives with a socket or a thread, and rings: maps without keys of the author's.

Invariant: a record that was reserved in a ring is always submitted; nothing that could leave the
function stands between the two.
"""

from __future__ import annotations

import ast

from beespace import hooks
from beespace.compiler import ir, rules
from beespace.compiler.frame import Frame
from beespace.compiler.kernel_calls import call
from beespace.compiler.lost import count_lost
from beespace.compiler.maps import optional
from beespace.compiler.memory import SLOT_ALIGN, store
from beespace.compiler.numbers import present
from beespace.compiler.types import U64, VOID, Context, KernelPointer, MapObject, Socket, StructType
from beespace.compiler.values import Value, is_null, not_null, null, number, sequence
from beespace.lang import Ring, TaskStorage
from beespace.schema.kinds import kind_size

__all__ = ["SOCKETS", "delete", "emit", "get", "get_or_create"]

# What the kernel takes as a socket (btf_sock_ids in net/core/filter.c).
SOCKETS = {
    f"struct {name}"
    for name in ("sock", "sock_common", "inet_sock", "tcp_sock", "tcp6_sock", "udp_sock", "udp6_sock", "unix_sock",
                 "inet_connection_sock")
}  # fmt: skip
_CREATE = 1  # BPF_SK_STORAGE_GET_F_CREATE, BPF_LOCAL_STORAGE_GET_F_CREATE
_VALUE = ir.PointerType(ir.Region.MAP_VALUE)
_RECORD = ir.PointerType(ir.Region.RING)


def _owner(frame: Frame, map: MapObject, word: str, node: ast.expr) -> ir.Expression:
    """The socket or task that the storage belongs to."""
    value = present(frame, frame.value(node), node)
    type_ = value.type
    tasks = isinstance(map.map, TaskStorage)
    expected = "a task, as bpf.task() gives" if tasks else "a socket"
    suggestion = ""
    if isinstance(type_, KernelPointer):
        if type_.name in ({"struct task_struct"} if tasks else SOCKETS):
            if type_.trusted:
                return value.expression
            suggestion = "pointers of a raw tracepoint are not trusted by the kernel; use @btf_tracepoint"
    elif not tasks and isinstance(type_, Socket):
        if type_.full and type_.name == "bpf_sock":
            return value.expression
        suggestion = "take bpf.full_socket(ctx), and check it for None"
    elif not tasks and isinstance(type_, Context) and type_.name == "bpf_sock":
        return value.expression
    elif not tasks and isinstance(type_, Context) and type_.reading is hooks.Context.STRUCT:
        suggestion = "pass ctx.sk" if type_.name == "bpf_sock_addr" else "pass bpf.full_socket(ctx)"
    raise frame.error(
        rules.WrongPointer, node, word=f"{map.name}.{word}()", expected=expected, found=type_, suggestion=suggestion
    )


def _lookup(map: MapObject, owner: ir.Expression, flags: int) -> ir.Helper:
    name = "task_storage_get" if isinstance(map.map, TaskStorage) else "sk_storage_get"
    return call(name, _VALUE, ir.MapAddress(map.name), owner, null(ir.Region.MAP_VALUE), number(flags, U64))


def get(frame: Frame, map: MapObject, node: ast.expr) -> Value:
    """``self.owners.get(socket)``."""
    assert map.map.value_kind is not None
    return optional(_lookup(map, _owner(frame, map, "get", node), 0), map.map.value_kind)


def get_or_create(frame: Frame, map: MapObject, node: ast.expr) -> Value:
    """``self.owners.get_or_create(socket)``; new storage is zero; no memory for it counts as lost."""
    assert map.map.value_kind is not None
    owner = _owner(frame, map, "get_or_create", node)
    name = frame.scope.fresh()
    found = ir.Local(name, _VALUE)
    block: ir.Block = (
        ir.Declare(name, _VALUE, _lookup(map, owner, _CREATE)),
        ir.If(is_null(found), count_lost(frame, map.name)),
    )
    return optional(sequence(block, found), map.map.value_kind)


def delete(frame: Frame, map: MapObject, node: ast.expr) -> Value:
    """``self.owners.delete(socket)``."""
    name = "task_storage_delete" if isinstance(map.map, TaskStorage) else "sk_storage_delete"
    owner = _owner(frame, map, "delete", node)
    return Value(VOID, call(name, ir.I64, ir.MapAddress(map.name), owner))


def emit(frame: Frame, map: MapObject, node: ast.expr) -> Value:
    """``self.events.emit(Event(...))``: arguments first, then the record is reserved, filled and submitted."""
    ring = map.map
    assert isinstance(ring, Ring)
    expected = StructType(ring.event)
    value = present(frame, frame.value(node, expected), node)
    if value.type != expected:
        raise frame.error(rules.WrongEvent, node, name=map.name, expected=ring.event.__name__, found=value.type)
    size = kind_size(ring.event)
    before: ir.Block = ()
    if value.recipe is not None:
        before = value.recipe.prepare
    else:
        before, code = frame.bind_address(value.expression)
        value = Value(value.type, code, align=value.align)
    name = frame.scope.fresh()
    record = ir.Local(name, _RECORD)
    if value.recipe is not None:
        filling = value.recipe.fill(record, size, SLOT_ALIGN)
    else:
        filling = store(frame, record, SLOT_ALIGN, ring.event, value, node, map.name)
    reserve = call("ringbuf_reserve", _RECORD, ir.MapAddress(map.name), number(size, U64), number(0, U64))
    submit = ir.Evaluate(call("ringbuf_submit", ir.VOID, record, number(0, U64)))
    block: ir.Block = (
        *before,
        ir.Declare(name, _RECORD, reserve),
        ir.If(not_null(record), (*filling, submit), count_lost(frame, map.name)),
    )
    return Value(VOID, ir.Sequence(block, ir.Const(0, ir.U64)))
