"""The words of ``beespace.lang.bpf``: what each takes, and the helper calls that it becomes.

Invariant: one entry in :data:`WORDS` for each function of that module; a test holds the two together.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import TypeAlias

from beespace import hooks
from beespace.btf import Kind
from beespace.compiler import ir, rules
from beespace.compiler.contexts import packet_bound
from beespace.compiler.frame import Frame
from beespace.compiler.kernel_calls import call
from beespace.compiler.names import annotation
from beespace.compiler.numbers import fit, known, present
from beespace.compiler.storage import SOCKETS
from beespace.compiler.texts import string_recipe, write_constant
from beespace.compiler.types import (
    ADDRESS,
    U32,
    U64,
    Bytes,
    Context,
    Int,
    KernelPointer,
    Literal,
    Optional,
    Socket,
    StructType,
    Text,
)
from beespace.compiler.values import Recipe, Value, not_null, null, number, offset, sequence
from beespace.schema.kinds import kind_align, kind_size

__all__ = ["WORDS", "word"]

Word: TypeAlias = Callable[[Frame, ast.Call], Value]

# How far into a packet an offset may point; the verifier takes at most 65535 (MAX_PACKET_OFF).
_OFFSET_MASK = 0x3FFF
_COMM = 16
_KERNEL = ir.PointerType(ir.Region.KERNEL_TRUSTED)
_SOCKET = ir.PointerType(ir.Region.SOCKET)


def word(frame: Frame, name: str, node: ast.Call) -> Value:
    """``bpf.name(...)``."""
    takes, rule = WORDS[name]
    if node.keywords:
        raise frame.error(rules.ArgumentNames, node.keywords[0], function=f"bpf.{name}()", problem="takes no names")
    if len(node.args) != takes:
        expected = f"{takes} argument{'' if takes == 1 else 's'}" if takes else "no arguments"
        raise frame.error(rules.ArgumentCount, node, function=f"bpf.{name}()", expected=expected, found=len(node.args))
    return rule(frame, node)


def _helper(name: str, type_: Int) -> Word:
    return lambda frame, node: Value(type_, call(name, type_.code))


def _half(name: str, *, upper: bool) -> Word:
    """One half of a helper's 64 bits."""

    def half(frame: Frame, node: ast.Call) -> Value:
        code: ir.Expression = call(name, ir.U64)
        if upper:
            code = ir.Binary(ir.BinaryOp.SHR, code, ir.Const(32, ir.U64))
        return Value(U32, ir.Convert(code, ir.U32))

    return half


def _comm(frame: Frame, node: ast.Call) -> Value:
    def fill(target: ir.Expression, size: int, align: int) -> ir.Block:
        # Not every kernel's helper writes behind the end of the name (6.1 does not), so it gets zeroes
        # to write over.  It fails for no size that a text can have.
        name = ir.Evaluate(call("get_current_comm", ir.I64, target, number(min(size, _COMM), U32)))
        return (ir.Zero(target, size, align), name)

    return Value(Text(_COMM), recipe=Recipe(fill))


def _task(frame: Frame, node: ast.Call) -> Value:
    target = frame.unit.btf.find("task_struct", Kind.STRUCT)
    return Value(KernelPointer(target, "struct task_struct", True), call("get_current_task_btf", _KERNEL))


def _packet_context(frame: Frame, word_name: str, node: ast.expr) -> ir.Expression:
    """The context argument of a word that only packets have."""
    value = present(frame, frame.value(node), node)
    if not isinstance(value.type, Context) or value.type.name != "__sk_buff":
        raise frame.error(
            rules.ContextOnly, node, word=f"bpf.{word_name}()", expected="the context of a packet hook",
            found=value.type, suggestion="it works in @cgroup_skb programs: pass their ctx",
        )  # fmt: skip
    return value.expression


def _packet(frame: Frame, node: ast.Call) -> Value:
    """``bpf.packet(ctx, Header, offset)``: checked against data_end; None if the packet is shorter."""
    context = _packet_context(frame, "packet", node.args[0])
    type_ = annotation(frame, node.args[1])
    if not isinstance(type_, StructType):
        raise frame.error(
            rules.TypeMismatch, node.args[1], place="bpf.packet()", expected="a Struct class", found=type_
        )
    size = kind_size(type_.cls)
    value = known(frame, frame.value(node.args[2], U32), node.args[2], "an offset")
    pointer_type = ir.PointerType(ir.Region.PACKET)
    start, end = frame.scope.fresh(), frame.scope.fresh()
    place, last = ir.Local(start, pointer_type), ir.Local(end, pointer_type)
    data = packet_bound(frame, context, "data")
    before: ir.Block = ()
    reachable: ir.Expression | None = None
    if isinstance(value.type, Literal) and 0 <= value.type.value <= _OFFSET_MASK:
        data = offset(data, value.type.value)
    else:
        # The mask says to the verifier what the comparison says to us: no packet is that long.
        before, at = frame.bind(fit(frame, value, U32, node.args[2], "an offset"))
        reachable = ir.Compare(ir.CompareOp.LE, at, number(_OFFSET_MASK, U32))
        data = ir.Offset(data, ir.Binary(ir.BinaryOp.AND, at, number(_OFFSET_MASK, U32)))
    before += (
        ir.Declare(start, pointer_type, data),
        ir.Declare(end, pointer_type, packet_bound(frame, context, "data_end")),
    )
    inside: ir.Expression = ir.Compare(ir.CompareOp.LE, offset(place, size), last)
    if reachable is not None:
        inside = ir.And(reachable, inside)
    found = ir.Select(inside, place, null(ir.Region.PACKET))
    return Value(Optional(type_), sequence(before, found), align=kind_align(type_.cls))


def _v4(frame: Frame, node: ast.Call) -> Value:
    """The 16 bytes ``::ffff:a.b.c.d``."""
    value = frame.value(node.args[0], U32)
    before, code = frame.bind(fit(frame, value, U32, node.args[0], "bpf.v4()"))

    def fill(target: ir.Expression, size: int, align: int) -> ir.Block:
        prefix = write_constant(target, b"\0" * 10 + b"\xff\xff", align)
        return (*prefix, ir.Store(offset(target, 12), ir.ByteSwap(code), align=min(align, 4)))

    return Value(ADDRESS, recipe=Recipe(fill, before))


def _full_socket(frame: Frame, node: ast.Call) -> Value:
    value = present(frame, frame.value(node.args[0]), node.args[0])
    if not isinstance(value.type, Context) or value.type.name != "__sk_buff":
        suggestion = "ctx.sk is a full socket already" if "sock_addr" in str(value.type) else ""
        raise frame.error(
            rules.ContextOnly, node.args[0], word="bpf.full_socket()", expected="the context of a packet hook",
            found=value.type, suggestion=suggestion,
        )  # fmt: skip
    btf = frame.unit.btf
    member = btf.member(btf.find("__sk_buff", Kind.STRUCT), "sk")
    before, any_socket = frame.bind(ir.Load(ir.ContextField(value.expression, member.byte_offset), _SOCKET))
    full = ir.Select(not_null(any_socket), call("sk_fullsock", _SOCKET, any_socket), null(ir.Region.SOCKET))
    return Value(Optional(Socket("bpf_sock")), sequence(before, full))


def _tcp_socket(frame: Frame, node: ast.Call) -> Value:
    value = present(frame, frame.value(node.args[0]), node.args[0])
    if not isinstance(value.type, Socket) or value.type.name != "bpf_sock":
        raise frame.error(
            rules.WrongPointer, node.args[0], word="bpf.tcp_socket()", expected="what bpf.full_socket(ctx) gives",
            found=value.type,
        )  # fmt: skip
    return Value(Optional(Socket("bpf_tcp_sock")), call("tcp_sock", _SOCKET, value.expression))


def _socket_cookie(frame: Frame, node: ast.Call) -> Value:
    value = present(frame, frame.value(node.args[0]), node.args[0])
    type_ = value.type
    of_context = isinstance(type_, Context) and type_.reading is hooks.Context.STRUCT
    of_pointer = isinstance(type_, KernelPointer) and type_.trusted and type_.name in SOCKETS
    if not (of_context or of_pointer):
        suggestion = "pass ctx itself" if isinstance(type_, Socket) else ""
        raise frame.error(
            rules.WrongPointer, node.args[0], word="bpf.socket_cookie()", expected="ctx or a struct sock",
            found=type_, suggestion=suggestion,
        )  # fmt: skip
    return Value(U64, call("get_socket_cookie", ir.U64, value.expression))


def _netns_cookie(frame: Frame, node: ast.Call) -> Value:
    value = present(frame, frame.value(node.args[0]), node.args[0])
    if not isinstance(value.type, Context) or value.type.reading is not hooks.Context.STRUCT:
        suggestion = "read it from the socket: sk.__sk_common.skc_net.net.net_cookie"
        raise frame.error(
            rules.ContextOnly, node.args[0], word="bpf.netns_cookie()", expected="the context of a socket hook",
            found=value.type, suggestion=suggestion if isinstance(value.type, KernelPointer) else "",
        )  # fmt: skip
    return Value(U64, call("get_netns_cookie", ir.U64, value.expression))


def _packet_cgroup_id(frame: Frame, node: ast.Call) -> Value:
    return Value(U64, call("skb_cgroup_id", ir.U64, _packet_context(frame, "packet_cgroup_id", node.args[0])))


def _file_socket(frame: Frame, node: ast.Call) -> Value:
    value = present(frame, frame.value(node.args[0]), node.args[0])
    if not isinstance(value.type, KernelPointer) or value.type.name != "struct file" or not value.type.trusted:
        raise frame.error(
            rules.WrongPointer, node.args[0], word="bpf.file_socket()", expected="a struct file", found=value.type
        )
    target = frame.unit.btf.find("socket", Kind.STRUCT)
    pointer = KernelPointer(target, "struct socket", True)
    return Value(Optional(pointer), call("sock_from_file", _KERNEL, value.expression))


def _address(frame: Frame, node: ast.expr, region: ir.Region, word_name: str) -> ir.Expression:
    """A number or kernel pointer as an address in ``region``."""
    value = present(frame, frame.value(node, U64), node)
    if isinstance(value.type, KernelPointer):
        return ir.Convert(value.expression, ir.PointerType(region))
    return ir.Convert(fit(frame, value, U64, node, f"bpf.{word_name}()"), ir.PointerType(region))


def _text_at(region: ir.Region, word_name: str) -> Word:
    def text_at(frame: Frame, node: ast.Call) -> Value:
        before, source = frame.bind(_address(frame, node.args[0], region, word_name))
        recipe = string_recipe(source)
        return Value(Text(None), recipe=Recipe(recipe.fill, before))

    return text_at


def _user_bytes(frame: Frame, node: ast.Call) -> Value:
    """As many bytes as are asked for and fit; the rest is zero."""
    before, source = frame.bind(_address(frame, node.args[0], ir.Region.USER, "user_bytes"))
    size_value = known(frame, frame.value(node.args[1], U32), node.args[1], "a size")
    between, wanted = frame.bind(fit(frame, size_value, U32, node.args[1], "a size"))

    def fill(target: ir.Expression, size: int, align: int) -> ir.Block:
        limit = number(size, U64)
        opening, asked = frame.opaque(ir.Convert(wanted, ir.U64))
        take = ir.Select(ir.Compare(ir.CompareOp.LT, asked, limit), asked, limit)
        reading = call("probe_read_user", ir.I64, target, take, source)
        return (ir.Zero(target, size, align), *opening, ir.Evaluate(reading))

    return Value(Bytes(None), recipe=Recipe(fill, before + between))


# Each word, with how many arguments it takes.
WORDS: dict[str, tuple[int, Word]] = {
    "pid": (0, _half("get_current_pid_tgid", upper=True)),
    "tid": (0, _half("get_current_pid_tgid", upper=False)),
    "uid": (0, _half("get_current_uid_gid", upper=False)),
    "gid": (0, _half("get_current_uid_gid", upper=True)),
    "comm": (0, _comm),
    "now": (0, _helper("ktime_get_boot_ns", U64)),
    "cgroup_id": (0, _helper("get_current_cgroup_id", U64)),
    "cpu": (0, _helper("get_smp_processor_id", U32)),
    "random": (0, _helper("get_prandom_u32", U32)),
    "task": (0, _task),
    "packet": (3, _packet),
    "v4": (1, _v4),
    "full_socket": (1, _full_socket),
    "tcp_socket": (1, _tcp_socket),
    "socket_cookie": (1, _socket_cookie),
    "netns_cookie": (1, _netns_cookie),
    "packet_cgroup_id": (1, _packet_cgroup_id),
    "file_socket": (1, _file_socket),
    "kernel_text": (1, _text_at(ir.Region.KERNEL_UNTRUSTED, "kernel_text")),
    "user_text": (1, _text_at(ir.Region.USER, "user_text")),
    "user_bytes": (2, _user_bytes),
}
