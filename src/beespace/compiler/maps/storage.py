"""Storage that lives with a kernel object: a socket, a thread, a file, a cgroup."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from beespace import hooks
from beespace.compiler import ir, rules
from beespace.compiler.expressions.numbers import present
from beespace.compiler.frame import Frame
from beespace.compiler.kernel.calls import call
from beespace.compiler.lost import count_lost
from beespace.compiler.maps.lookups import VALUE, optional
from beespace.compiler.maps.operations import Place, arguments
from beespace.compiler.types import BOOL, U64, Context, KernelPointer, Socket
from beespace.compiler.values import Value, is_null, null, number, sequence
from beespace.lang import CgroupStorage, InodeStorage, SocketStorage, TaskStorage
from beespace.lang.maps.storage import Storage
from beespace.record import dataclass

__all__ = ["SOCKETS", "delete", "get", "get_or_create"]

# What the kernel takes as a socket (btf_sock_ids in net/core/filter.c).
SOCKETS = frozenset(
    f"struct {name}"
    for name in ("sock", "sock_common", "inet_sock", "tcp_sock", "tcp6_sock", "udp_sock", "udp6_sock", "unix_sock",
                 "inet_connection_sock")
)  # fmt: skip
_CREATE = 1  # BPF_SK_STORAGE_GET_F_CREATE, BPF_LOCAL_STORAGE_GET_F_CREATE


@dataclass(frozen=True, slots=True)
class _Kind:
    """One kind of storage: its helpers, and what the kernel takes as an owner."""

    helpers: str  # bpf_<helpers>_get(), bpf_<helpers>_delete()
    owners: frozenset[str]
    expected: str


_KINDS: Mapping[type[Storage[Any]], _Kind] = MappingProxyType({
    SocketStorage: _Kind("sk_storage", SOCKETS, "a socket"),
    TaskStorage: _Kind("task_storage", frozenset({"struct task_struct"}), "a task, as bpf.task() gives"),
    InodeStorage: _Kind("inode_storage", frozenset({"struct inode"}), "a struct inode, trusted"),
    CgroupStorage: _Kind("cgrp_storage", frozenset({"struct cgroup"}), "a struct cgroup, trusted"),
})  # fmt: skip


def _kind(place: Place) -> _Kind:
    return next(_KINDS[cls] for cls in type(place.map).__mro__ if cls in _KINDS)


def _owner(frame: Frame, place: Place, word: str, node: ast.expr) -> ir.Expression:
    """The thing that the storage belongs to."""
    value = present(frame, frame.value(node), node)
    type_ = value.type
    kind = _kind(place)
    suggestion = ""
    if isinstance(type_, KernelPointer) and type_.name in kind.owners:
        if type_.trusted:
            return value.expression
        suggestion = "pointers of a raw tracepoint are not trusted by the kernel; use @btf_tracepoint"
    elif kind.owners is SOCKETS:
        if isinstance(type_, Socket):
            if type_.full and type_.name == "bpf_sock":
                return value.expression
            suggestion = "take bpf.full_socket(ctx), and check it for None"
        elif isinstance(type_, Context) and type_.name == "bpf_sock":
            return value.expression
        elif isinstance(type_, Context) and type_.reading is hooks.Context.STRUCT:
            suggestion = "pass ctx.sk" if type_.name == "bpf_sock_addr" else "pass bpf.full_socket(ctx)"
    raise frame.error(
        rules.WrongPointer, node, word=f"{place.name}.{word}()", expected=kind.expected, found=type_,
        suggestion=suggestion,
    )  # fmt: skip


def _lookup(place: Place, owner: ir.Expression, flags: int) -> ir.Helper:
    name = f"{_kind(place).helpers}_get"
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
    name = f"{_kind(place).helpers}_delete"
    (wanted,) = arguments(frame, place, node, "owner")
    owner = _owner(frame, place, "delete", wanted)
    done = ir.Compare(ir.CompareOp.EQ, call(name, ir.I64, place.address, owner), ir.Const(0, ir.I64))
    return Value(BOOL, done)
