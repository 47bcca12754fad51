"""Maps of sockets: what sockops, sk_msg, sk_skb, sk_lookup and sk_reuseport programs do with them."""

from __future__ import annotations

import ast

from beespace.compiler import ir, rules
from beespace.compiler.expressions.numbers import present
from beespace.compiler.frame import Frame
from beespace.compiler.kernel.calls import call
from beespace.compiler.lost import count_lost
from beespace.compiler.maps.constants import context_of, flag
from beespace.compiler.maps.operations import Place, arguments
from beespace.compiler.maps.storage import SOCKETS
from beespace.compiler.types import BOOL, I32, KernelPointer, Optional, Socket
from beespace.compiler.values import Bounds, Value, not_null, sequence
from beespace.compiler.words.references import give_back, held
from beespace.lang import SockHash

__all__ = ["add", "assign", "get", "redirect", "remove", "select", "write"]

_INGRESS = 1  # BPF_F_INGRESS
_SOCKET = ir.PointerType(ir.Region.SOCKET)


def add(frame: Frame, place: Place, node: ast.Call) -> Value:
    """``self.sockets.add(ctx, key)``: of sockops."""
    ctx, wanted = arguments(frame, place, node, "ctx", "key")
    owner, _ = context_of(frame, place, node, ctx, {"bpf_sock_ops": "@sockops"})
    before, key = place.key(frame, place.map, wanted)
    helper = "sock_hash_update" if isinstance(place.map, SockHash) else "sock_map_update"
    return _done(before, call(helper, ir.I64, owner, place.address, key, ir.Const(0, ir.U64)))


def redirect(frame: Frame, place: Place, node: ast.Call) -> Value:
    """``return self.sockets.redirect(ctx, key)``: of sk_msg and sk_skb."""
    ctx, wanted, ingress = arguments(frame, place, node, "ctx", "key", optional=("ingress",))
    owner, struct = context_of(frame, place, node, ctx, {"sk_msg_md": "@sk_msg", "__sk_buff": "@sk_skb"})
    flags = ir.Const(_INGRESS if flag(frame, ingress, "ingress") else 0, ir.U64)
    before, key = place.key(frame, place.map, wanted)
    of_message = struct == "sk_msg_md"
    if isinstance(place.map, SockHash):
        helper = "msg_redirect_hash" if of_message else "sk_redirect_hash"
    else:
        helper = "msg_redirect_map" if of_message else "sk_redirect_map"
        key = ir.Load(key, ir.U32)
    code = ir.Convert(call(helper, ir.I64, owner, place.address, key, flags), ir.I32)
    return Value(I32, sequence(before, code), Bounds(0, 1))


def assign(frame: Frame, place: Place, node: ast.Call) -> Value:
    """``self.sockets.assign(ctx, key)``: of sk_lookup; the socket is looked up, assigned and released."""
    ctx, wanted = arguments(frame, place, node, "ctx", "key")
    owner, _ = context_of(frame, place, node, ctx, {"bpf_sk_lookup": "@sk_lookup"})
    before, key = place.key(frame, place.map, wanted)
    name, result = frame.scope.fresh(), frame.scope.fresh()
    socket = ir.Local(name, _SOCKET)
    assigning = call("sk_assign", ir.I64, owner, socket, ir.Const(0, ir.U64))
    found: ir.Block = (
        ir.Assign(result, ir.Compare(ir.CompareOp.EQ, assigning, ir.Const(0, ir.I64))),
        ir.Evaluate(call("sk_release", ir.I64, socket)),
    )
    block: ir.Block = (
        *before,
        ir.Declare(result, ir.BOOL, ir.Const(0, ir.BOOL)),
        ir.Declare(name, _SOCKET, call("map_lookup_elem", _SOCKET, place.address, key)),
        ir.If(not_null(socket), found),
    )
    return Value(BOOL, sequence(block, ir.Local(result, ir.BOOL)))


def get(frame: Frame, place: Place, node: ast.Call) -> Value:
    """``with self.sockets.get(key) as socket:``: the lookup takes a reference, which the block's end gives back."""
    (wanted,) = arguments(frame, place, node, "key")
    before, key = place.key(frame, place.map, wanted)
    looking = call("map_lookup_elem", _SOCKET, place.address, key, span=frame.code_span(node))
    return held(frame, Value(Optional(Socket("bpf_sock")), sequence(before, looking)), f"{place.name}.get()", give_back)


def write(frame: Frame, place: Place, target: ast.Subscript, value: Value, node: ast.expr) -> ir.Block:
    """``self.sockets[key] = socket``: an insertion that fails is counted."""
    type_ = present(frame, value, node).type
    of_kernel = isinstance(type_, KernelPointer) and type_.trusted and type_.name in SOCKETS
    if not (isinstance(type_, Socket) or of_kernel):
        raise frame.error(rules.TypeMismatch, node, place=f"an entry of {place.name}", expected="a socket", found=type_)
    between, socket = frame.bind(value.expression)
    before, key = place.key(frame, place.map, target.slice)
    updating = call(
        "map_update_elem", ir.I64, place.address, key, socket, ir.Const(0, ir.U64), span=frame.code_span(target)
    )
    failed = ir.Compare(ir.CompareOp.NE, updating, ir.Const(0, ir.I64))
    return (*between, *before, ir.If(failed, count_lost(frame, place.name)))


def remove(frame: Frame, place: Place, node: ast.Subscript) -> ir.Block:
    """``del self.sockets[key]``."""
    before, key = place.key(frame, place.map, node.slice)
    return (*before, ir.Evaluate(call("map_delete_elem", ir.I64, place.address, key, span=frame.code_span(node))))


def select(frame: Frame, place: Place, node: ast.Call) -> Value:
    """``self.group.select(ctx, index)``: of sk_reuseport."""
    ctx, wanted = arguments(frame, place, node, "ctx", "index")
    owner, _ = context_of(frame, place, node, ctx, {"sk_reuseport_md": "@sk_reuseport"})
    before, key = place.key(frame, place.map, wanted)
    return _done(before, call("sk_select_reuseport", ir.I64, owner, place.address, key, ir.Const(0, ir.U64)))


def _done(before: ir.Block, code: ir.Expression) -> Value:
    return Value(BOOL, sequence(before, ir.Compare(ir.CompareOp.EQ, code, ir.Const(0, ir.I64))))
