"""Words that copy bytes of packets, wherever they lie: in fragments, behind a context or a kernel's own ``sk_buff``.

Contexts have helpers for that.  Where a hook hands in a ``struct sk_buff`` instead (netfilter, tracing), a dynamic
pointer to it (``struct bpf_dynptr``, on this function's stack) is the only way to its bytes: bpf_dynptr_from_skb() and
bpf_dynptr_read(), Linux 6.4.
"""

from __future__ import annotations

import ast

from beespace.btf import Kind
from beespace.compiler import ir, rules
from beespace.compiler.contexts.fields import packet_bounds
from beespace.compiler.contexts.prototypes import prototype_of
from beespace.compiler.expressions.numbers import fit, known, present
from beespace.compiler.frame import Frame
from beespace.compiler.kernel import types as kernel_types
from beespace.compiler.kernel.calls import call
from beespace.compiler.kernel.functions import kernel_functions
from beespace.compiler.memory import SLOT_ALIGN, located
from beespace.compiler.names import annotation
from beespace.compiler.types import BOOL, U32, U64, Bytes, Context, KernelPointer, Optional, StructType
from beespace.compiler.values import Recipe, Value, null, number, sequence
from beespace.compiler.words.memory import wanted_size
from beespace.compiler.words.packets import packet_context
from beespace.compiler.words.word import Word
from beespace.record import dataclass
from beespace.schema.kinds import kind_size

__all__ = ["WORDS"]

# By the context's struct: how bytes are read and written, and where it has the length.
_LOADING = {
    "__sk_buff": "skb_load_bytes", "xdp_md": "xdp_load_bytes", "sk_reuseport_md": "skb_load_bytes",
}  # fmt: skip
_STORING = {"__sk_buff": "skb_store_bytes", "xdp_md": "xdp_store_bytes"}
_LENGTHS = {"__sk_buff": "len", "sk_msg_md": "size", "sk_reuseport_md": "len", "bpf_sock_ops": "skb_len"}
_NETFILTER, _BUFFER = "bpf_nf_ctx", "struct sk_buff"
_FROM_BUFFER = "bpf_dynptr_from_skb"
_DYNPTR_SIZE = 16


@dataclass(frozen=True, slots=True)
class _Packet:
    """A packet whose bytes can be copied: by ``helper`` from ``source``, a context or an opened dynamic pointer."""

    source: ir.Expression
    helper: str
    length: ir.Expression
    opening: ir.Block = ()

    def read(self, at: ir.Expression, target: ir.Expression, size: ir.Expression, span: ir.Span) -> ir.Expression:
        """Copy ``size`` bytes from ``at`` on; whether they were there."""
        codes: tuple[ir.Expression, ...] = (self.source, at, target, size)
        if self.helper == "dynptr_read":
            codes = (target, size, self.source, at, ir.Const(0, ir.U64))
        return ir.Compare(ir.CompareOp.EQ, call(self.helper, ir.I64, *codes, span=span), ir.Const(0, ir.I64))


def _packet_value(frame: Frame, node: ast.expr) -> Value:
    """A context, or the kernel's own packet."""
    value = present(frame, frame.value(node), node)
    if isinstance(value.type, Context) and value.type.name == _NETFILTER:
        skb = ast.copy_location(ast.Attribute(node, "skb", ast.Load()), node)
        return present(frame, frame.value(skb), skb)
    return value


def _packet(frame: Frame, word: str, node: ast.expr) -> _Packet:
    """What the first argument of a word says."""
    value = _packet_value(frame, node)
    span = frame.code_span(node)
    if isinstance(value.type, KernelPointer) and value.type.name == _BUFFER:
        return _buffer(frame, word, value, node, span)
    if not isinstance(value.type, Context) or value.type.name not in _LOADING:
        suggestion = "it works in programs of packets, as @xdp and @tc, and where a hook hands in a struct sk_buff"
        raise frame.error(
            rules.ContextOnly, node, word=f"bpf.{word}()", expected="the context of a packet hook", found=value.type,
            suggestion=suggestion,
        )  # fmt: skip
    helper = _LOADING[value.type.name]
    if helper == "xdp_load_bytes":
        whole = ir.Convert(call("xdp_get_buff_len", ir.U64, value.expression, span=span), ir.U32)
        return _Packet(value.expression, helper, whole)
    return _Packet(value.expression, helper, _length_field(frame, value))


def _buffer(frame: Frame, word: str, value: Value, node: ast.expr, span: ir.Span) -> _Packet:
    """A packet of the kernel's own, through a dynamic pointer."""
    assert isinstance(value.type, KernelPointer)
    if not value.type.trusted:
        raise frame.error(
            rules.WrongPointer, node, word=f"bpf.{word}()", expected=f"a trusted {_BUFFER}", found=value.type,
            suggestion="pointers of a raw tracepoint, or read from memory, are not trusted by the kernel",
        )  # fmt: skip
    btf = frame.unit.btf
    if _FROM_BUFFER not in kernel_functions(btf):
        raise frame.error(rules.NotInKernel, node, what=f"{_FROM_BUFFER}()", since="6.4")
    before, skb = frame.bind(value.expression)
    length = kernel_types.field(frame, Value(value.type, skb), "len", node)
    slot = frame.scope.fixed_slot("dynptr", _DYNPTR_SIZE)
    codes = (skb, number(0, U64), slot)
    making = ir.KernelFunction(_FROM_BUFFER, codes, ir.I32, prototype_of(btf, _FROM_BUFFER), span=span)
    return _Packet(slot, "dynptr_read", length.expression, (*before, ir.Evaluate(making)))


def _length_field(frame: Frame, context: Value) -> ir.Expression:
    """The field of a context that has the packet's length."""
    assert isinstance(context.type, Context)
    btf = frame.unit.btf
    member = btf.member(btf.find(context.type.name, Kind.STRUCT), _LENGTHS[context.type.name])
    return ir.Load(ir.ContextField(context.expression, member.byte_offset), ir.U32)


def _packet_length(frame: Frame, node: ast.Call) -> Value:
    """The whole packet's bytes where the context has the number, else those in reach."""
    value = _packet_value(frame, node.args[0])
    if isinstance(value.type, KernelPointer) and value.type.name == _BUFFER:
        return kernel_types.field(frame, value, "len", node.args[0])
    context = packet_context(frame, "packet_length", node.args[0])
    assert isinstance(context.type, Context)
    if context.type.name in _LENGTHS:
        return Value(U32, _length_field(frame, context))
    bounds = packet_bounds(frame, context)
    assert bounds is not None
    start, end = (ir.Convert(bound, ir.U64) for bound in bounds)
    return Value(U32, ir.Convert(ir.Binary(ir.BinaryOp.SUB, end, start), ir.U32))


def _load_bytes(frame: Frame, node: ast.Call) -> Value:
    """``bpf.load_bytes(ctx, Header, offset)``: a copy of the packet's bytes; None if it is shorter."""
    packet = _packet(frame, "load_bytes", node.args[0])
    type_ = annotation(frame, node.args[1])
    if not isinstance(type_, StructType):
        raise frame.error(
            rules.TypeMismatch, node.args[1], place="bpf.load_bytes()", expected="a Struct class", found=type_
        )
    before, at = frame.bind(fit(frame, frame.value(node.args[2], U32), U32, node.args[2], "an offset"))
    size = kind_size(type_.cls)
    slot = frame.scope.own_slot("header", size)
    between, read = frame.bind(packet.read(at, slot, number(size, U32), frame.code_span(node)))
    found = ir.Select(read, slot, null(ir.Region.STACK))
    return Value(Optional(type_), sequence((*packet.opening, *before, *between), found), align=SLOT_ALIGN)


def _packet_bytes(frame: Frame, node: ast.Call) -> Value:
    """``bpf.packet_bytes(ctx, offset, size)``: as many as are asked for, are there and fit."""
    packet = _packet(frame, "packet_bytes", node.args[0])
    offset_value = known(frame, frame.value(node.args[1], U32), node.args[1], "an offset")
    before, at = frame.bind(fit(frame, offset_value, U32, node.args[1], "an offset"))
    between, wanted = wanted_size(frame, node.args[2])

    def measured(target: ir.Expression, size: int) -> tuple[ir.Block, ir.Expression]:
        opening, there = frame.bind(packet.length)
        rest = _least(frame, ir.Binary(ir.BinaryOp.SUB, there, at), wanted)
        inside = ir.Select(ir.Compare(ir.CompareOp.LT, at, there), rest, number(0, U32))
        middle, taken = frame.bind(inside)
        most = _least(frame, taken, number(size, U32))
        # One less than is read, so that one comparison says to the verifier that it is not 0 and not too much.
        closing, less = frame.opaque(ir.Binary(ir.BinaryOp.SUB, ir.Convert(most, ir.U64), number(1, U64)))
        length = frame.scope.fresh("length")
        more = ir.Binary(ir.BinaryOp.ADD, less, number(1, U64))
        read = packet.read(at, target, more, frame.code_span(node))
        noted = ir.If(read, (ir.Assign(length, ir.Convert(more, ir.U32)),))
        some = ir.If(ir.Compare(ir.CompareOp.LT, less, number(size, U64)), (noted,))
        return (*opening, *middle, *closing, ir.Declare(length, ir.U32), some), ir.Local(length, ir.U32)

    def fill(target: ir.Expression, size: int, align: int) -> ir.Block:
        return (ir.Zero(target, size, align), *measured(target, size)[0])

    return Value(Bytes(None), recipe=Recipe(fill, (*packet.opening, *before, *between), measured=measured))


def _least(frame: Frame, left: ir.Expression, right: ir.Expression) -> ir.Expression:
    """The smaller of two u32."""
    before, left = frame.bind(left)
    return sequence(before, ir.Select(ir.Compare(ir.CompareOp.LT, left, right), left, right))


def _store_bytes(frame: Frame, node: ast.Call) -> Value:
    """``bpf.store_bytes(ctx, header, offset)``: whether the packet had room."""
    context = present(frame, frame.value(node.args[0]), node.args[0])
    if not isinstance(context.type, Context) or context.type.name not in _STORING:
        raise frame.error(
            rules.ContextOnly, node.args[0], word="bpf.store_bytes()", expected="the context of a packet hook",
            found=context.type,
        )  # fmt: skip
    helper = _STORING[context.type.name]
    value = present(frame, frame.value(node.args[1]), node.args[1])
    if not isinstance(value.type, StructType):
        raise frame.error(
            rules.TypeMismatch, node.args[1], place="bpf.store_bytes()", expected="a struct", found=value.type
        )
    before, pointer = located(frame, value, value.type.cls, node.args[1], "the bytes")
    between, at = frame.bind(fit(frame, frame.value(node.args[2], U32), U32, node.args[2], "an offset"))
    codes = (context.expression, at, pointer, number(kind_size(value.type.cls), U32))
    flags = (ir.Const(0, ir.U64),) if helper == "skb_store_bytes" else ()
    result = call(helper, ir.I64, *codes, *flags, span=frame.code_span(node))
    return Value(BOOL, sequence(before + between, ir.Compare(ir.CompareOp.EQ, result, ir.Const(0, ir.I64))))


WORDS: dict[str, tuple[int, Word]] = {
    "packet_length": (1, _packet_length),
    "load_bytes": (3, _load_bytes),
    "packet_bytes": (3, _packet_bytes),
    "store_bytes": (3, _store_bytes),
}
