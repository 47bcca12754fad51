"""Storage that lives with a kernel object: a socket, a thread."""

from __future__ import annotations

import ast

from beespace import hooks
from beespace.compiler import ir, rules
from beespace.compiler.frame import Frame
from beespace.compiler.kernel_calls import call
from beespace.compiler.lost import count_lost
from beespace.compiler.maps.lookups import VALUE, optional
from beespace.compiler.maps.operations import Place, arguments
from beespace.compiler.numbers import present
from beespace.compiler.types import U64, VOID, Context, KernelPointer, Socket
from beespace.compiler.values import Value, is_null, null, number, sequence
from beespace.lang import TaskStorage

__all__ = ["SOCKETS", "delete", "get", "get_or_create"]

# What the kernel takes as a socket (btf_sock_ids in net/core/filter.c).
SOCKETS = {
    f"struct {name}"
    for name in ("sock", "sock_common", "inet_sock", "tcp_sock", "tcp6_sock", "udp_sock", "udp6_sock", "unix_sock",
                 "inet_connection_sock")
}  # fmt: skip
_CREATE = 1  # BPF_SK_STORAGE_GET_F_CREATE, BPF_LOCAL_STORAGE_GET_F_CREATE


def _owner(frame: Frame, place: Place, word: str, node: ast.expr) -> ir.Expression:
    """The socket or task that the storage belongs to."""
    value = present(frame, frame.value(node), node)
    type_ = value.type
    tasks = isinstance(place.map, TaskStorage)
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
        rules.WrongPointer, node, word=f"{place.name}.{word}()", expected=expected, found=type_, suggestion=suggestion
    )


def _lookup(place: Place, owner: ir.Expression, flags: int) -> ir.Helper:
    name = "task_storage_get" if isinstance(place.map, TaskStorage) else "sk_storage_get"
    return call(name, VALUE, place.address, owner, null(ir.Region.MAP_VALUE), number(flags, U64))


def get(frame: Frame, place: Place, node: ast.Call) -> Value:
    """``self.owners.get(socket)``."""
    assert place.map.value_kind is not None
    (owner,) = arguments(frame, place, node, "owner")
    return optional(_lookup(place, _owner(frame, place, "get", owner), 0), place.map.value_kind)


def get_or_create(frame: Frame, place: Place, node: ast.Call) -> Value:
    """``self.owners.get_or_create(socket)``; new storage is zero; no memory for it counts as lost."""
    assert place.map.value_kind is not None
    (wanted,) = arguments(frame, place, node, "owner")
    owner = _owner(frame, place, "get_or_create", wanted)
    name = frame.scope.fresh()
    found = ir.Local(name, VALUE)
    block: ir.Block = (
        ir.Declare(name, VALUE, _lookup(place, owner, _CREATE)),
        ir.If(is_null(found), count_lost(frame, place.name)),
    )
    return optional(sequence(block, found), place.map.value_kind)


def delete(frame: Frame, place: Place, node: ast.Call) -> Value:
    """``self.owners.delete(socket)``."""
    name = "task_storage_delete" if isinstance(place.map, TaskStorage) else "sk_storage_delete"
    (wanted,) = arguments(frame, place, node, "owner")
    owner = _owner(frame, place, "delete", wanted)
    return Value(VOID, call(name, ir.I64, place.address, owner))
