"""Words about sockets: from a context or a file to a socket, and what identifies it."""

from __future__ import annotations

import ast

from beespace import hooks
from beespace.btf import Kind
from beespace.compiler import ir, rules
from beespace.compiler.expressions.numbers import present
from beespace.compiler.frame import Frame
from beespace.compiler.kernel.calls import call
from beespace.compiler.maps.storage import SOCKETS
from beespace.compiler.types import U64, Context, KernelPointer, Optional, Socket
from beespace.compiler.values import Value, not_null, null, sequence
from beespace.compiler.words.word import Word

__all__ = ["WORDS"]

_KERNEL = ir.PointerType(ir.Region.KERNEL_TRUSTED)
_SOCKET = ir.PointerType(ir.Region.SOCKET)


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


def _file_socket(frame: Frame, node: ast.Call) -> Value:
    value = present(frame, frame.value(node.args[0]), node.args[0])
    if not isinstance(value.type, KernelPointer) or value.type.name != "struct file" or not value.type.trusted:
        raise frame.error(
            rules.WrongPointer, node.args[0], word="bpf.file_socket()", expected="a struct file", found=value.type
        )
    target = frame.unit.btf.find("socket", Kind.STRUCT)
    pointer = KernelPointer(target, "struct socket", True)
    return Value(Optional(pointer), call("sock_from_file", _KERNEL, value.expression))


WORDS: dict[str, tuple[int, Word]] = {
    "full_socket": (1, _full_socket),
    "tcp_socket": (1, _tcp_socket),
    "socket_cookie": (1, _socket_cookie),
    "netns_cookie": (1, _netns_cookie),
    "file_socket": (1, _file_socket),
}
