"""Words about packets: their bytes in place, their cgroup."""

from __future__ import annotations

import ast

from beespace.btf import Kind
from beespace.compiler import ir, rules
from beespace.compiler.contexts.fields import packet_bounds
from beespace.compiler.contexts.structs import PACKETS, metadata_bounds
from beespace.compiler.expressions.numbers import fit, known, present
from beespace.compiler.expressions.texts import write_constant
from beespace.compiler.frame import Frame
from beespace.compiler.kernel.calls import call
from beespace.compiler.memory import SLOT_ALIGN, located
from beespace.compiler.names import annotation
from beespace.compiler.types import ADDRESS, BOOL, U32, U64, Bytes, Context, Int, Literal, Optional, StructType
from beespace.compiler.values import Recipe, Value, null, number, offset, sequence
from beespace.compiler.words.memory import wanted_size
from beespace.compiler.words.word import Word
from beespace.isa.constants import ProgramType
from beespace.schema.kinds import kind_align, kind_size

__all__ = ["WORDS"]

# How far into a packet an offset may point; the verifier takes at most 65535 (MAX_PACKET_OFF).
_OFFSET_MASK = 0x3FFF


def _packet_context(frame: Frame, word_name: str, node: ast.expr) -> Value:
    """The context argument of a word that only packets have."""
    value = present(frame, frame.value(node), node)
    if not isinstance(value.type, Context) or value.type.name not in PACKETS:
        raise frame.error(
            rules.ContextOnly, node, word=f"bpf.{word_name}()", expected="the context of a packet hook",
            found=value.type, suggestion="it works in programs of packets, as @xdp and @tc: pass their ctx",
        )  # fmt: skip
    return value


def _packet(frame: Frame, node: ast.Call) -> Value:
    """``bpf.packet(ctx, Header, offset)``: checked against data_end; None if the packet is shorter."""
    context = _packet_context(frame, "packet", node.args[0])
    if frame.attachment is not None and frame.attachment.hook.program_type == ProgramType.SOCKET_FILTER:
        # sk_filter_is_valid_access() in net/core/filter.c: no data, no data_end.
        raise frame.error(
            rules.NotSupported, node, what="bpf.packet() in a socket filter",
            suggestion="use bpf.load_bytes(ctx, Header, offset), which copies",
        )  # fmt: skip
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
    bounds = packet_bounds(frame, context)
    assert bounds is not None
    data, data_end = bounds
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
        ir.Declare(end, pointer_type, data_end),
    )
    inside: ir.Expression = ir.Compare(ir.CompareOp.LE, offset(place, size), last)
    if reachable is not None:
        inside = ir.And(reachable, inside)
    found = ir.Select(inside, place, null(ir.Region.PACKET))
    return Value(Optional(type_), sequence(before, found), align=kind_align(type_.cls))


# Programs that see what lies in front of a packet (xdp_is_valid_access, tc_cls_act_is_valid_access).
_SEES_METADATA = (ProgramType.SCHED_CLS, ProgramType.SCHED_ACT, ProgramType.XDP)


def _metadata(frame: Frame, node: ast.Call) -> Value:
    """``bpf.metadata(ctx, Header)``: checked against the packet's begin; None if there is not as much."""
    context = _packet_context(frame, "metadata", node.args[0])
    assert isinstance(context.type, Context)
    if context.type.program not in _SEES_METADATA:
        raise frame.error(
            rules.ContextOnly, node.args[0], word="bpf.metadata()", expected="the context of @xdp or @tc",
            found=context.type, suggestion="XDP puts it there, and @tc programs of the same host read it",
        )  # fmt: skip
    type_ = annotation(frame, node.args[1])
    if not isinstance(type_, StructType):
        raise frame.error(
            rules.TypeMismatch, node.args[1], place="bpf.metadata()", expected="a Struct class", found=type_
        )
    pointer_type = ir.PointerType(ir.Region.PACKET)
    start, end = frame.scope.fresh(), frame.scope.fresh()
    place, last = ir.Local(start, pointer_type), ir.Local(end, pointer_type)
    first, data = metadata_bounds(frame, context)
    before = (ir.Declare(start, pointer_type, first), ir.Declare(end, pointer_type, data))
    inside = ir.Compare(ir.CompareOp.LE, offset(place, kind_size(type_.cls)), last)
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


def _packet_cgroup_id(frame: Frame, node: ast.Call) -> Value:
    value = present(frame, frame.value(node.args[0]), node.args[0])
    if not isinstance(value.type, Context) or value.type.name != "__sk_buff":
        raise frame.error(
            rules.ContextOnly, node.args[0], word="bpf.packet_cgroup_id()", expected="the context of a packet hook",
            found=value.type, suggestion="it works in @cgroup_skb and @tc programs: pass their ctx",
        )  # fmt: skip
    return Value(U64, call("skb_cgroup_id", ir.U64, value.expression))


def _packet_length(frame: Frame, node: ast.Call) -> Value:
    """The whole packet's bytes where the context has the number, else those in reach."""
    context = _packet_context(frame, "packet_length", node.args[0])
    assert isinstance(context.type, Context)
    name = _LENGTHS.get(context.type.name)
    if name is not None:
        btf = frame.unit.btf
        member = btf.member(btf.find(context.type.name, Kind.STRUCT), name)
        return Value(U32, ir.Load(ir.ContextField(context.expression, member.byte_offset), ir.U32))
    bounds = packet_bounds(frame, context)
    assert bounds is not None
    start, end = (ir.Convert(bound, ir.U64) for bound in bounds)
    return Value(U32, ir.Convert(ir.Binary(ir.BinaryOp.SUB, end, start), ir.U32))


_LENGTHS = {"__sk_buff": "len", "sk_msg_md": "size", "sk_reuseport_md": "len", "bpf_sock_ops": "skb_len"}


# By the context's struct: how bytes are read and written, wherever they lie.
_LOADING = {
    "__sk_buff": "skb_load_bytes", "xdp_md": "xdp_load_bytes", "sk_reuseport_md": "skb_load_bytes",
}  # fmt: skip
_STORING = {"__sk_buff": "skb_store_bytes", "xdp_md": "xdp_store_bytes"}


def _bytes_context(frame: Frame, word: str, node: ast.expr, known: dict[str, str]) -> tuple[ir.Expression, str]:
    """The context, and the helper for packets of its kind."""
    value = present(frame, frame.value(node), node)
    if not isinstance(value.type, Context) or value.type.name not in known:
        raise frame.error(
            rules.ContextOnly, node, word=f"bpf.{word}()", expected="the context of a packet hook", found=value.type
        )
    return value.expression, known[value.type.name]


def _load_bytes(frame: Frame, node: ast.Call) -> Value:
    """``bpf.load_bytes(ctx, Header, offset)``: a copy of the packet's bytes; None if it is shorter."""
    context, helper = _bytes_context(frame, "load_bytes", node.args[0], _LOADING)
    type_ = annotation(frame, node.args[1])
    if not isinstance(type_, StructType):
        raise frame.error(
            rules.TypeMismatch, node.args[1], place="bpf.load_bytes()", expected="a Struct class", found=type_
        )
    at = fit(frame, frame.value(node.args[2], U32), U32, node.args[2], "an offset")
    before, at = frame.bind(at)
    size = kind_size(type_.cls)
    slot = frame.scope.own_slot("header", size)
    between, result = frame.bind(call(helper, ir.I64, context, at, slot, number(size, U32), span=frame.code_span(node)))
    read = ir.Compare(ir.CompareOp.EQ, result, ir.Const(0, ir.I64))
    found = ir.Select(read, slot, null(ir.Region.STACK))
    return Value(Optional(type_), sequence(before + between, found), align=SLOT_ALIGN)


def _packet_bytes(frame: Frame, node: ast.Call) -> Value:
    """``bpf.packet_bytes(ctx, offset, size)``: as many as are asked for, are there and fit."""
    context, helper = _bytes_context(frame, "packet_bytes", node.args[0], _LOADING)
    offset_value = known(frame, frame.value(node.args[1], U32), node.args[1], "an offset")
    before, at = frame.bind(fit(frame, offset_value, U32, node.args[1], "an offset"))
    between, wanted = wanted_size(frame, node.args[2])

    def measured(target: ir.Expression, size: int) -> tuple[ir.Block, ir.Expression]:
        opening, there = frame.bind(_whole_length(frame, node, context, helper))
        rest = _least(frame, ir.Binary(ir.BinaryOp.SUB, there, at), wanted)
        inside = ir.Select(ir.Compare(ir.CompareOp.LT, at, there), rest, number(0, U32))
        middle, taken = frame.bind(inside)
        most = _least(frame, taken, number(size, U32))
        # One less than is read, so that one comparison says to the verifier that it is not 0 and not too much.
        closing, less = frame.opaque(ir.Binary(ir.BinaryOp.SUB, ir.Convert(most, ir.U64), number(1, U64)))
        length = frame.scope.fresh("length")
        more = ir.Binary(ir.BinaryOp.ADD, less, number(1, U64))
        reading = call(helper, ir.I64, context, at, target, more, span=frame.code_span(node))
        read = ir.Compare(ir.CompareOp.EQ, reading, ir.Const(0, ir.I64))
        noted = ir.If(read, (ir.Assign(length, ir.Convert(more, ir.U32)),))
        some = ir.If(ir.Compare(ir.CompareOp.LT, less, number(size, U64)), (noted,))
        return (*opening, *middle, *closing, ir.Declare(length, ir.U32), some), ir.Local(length, ir.U32)

    def fill(target: ir.Expression, size: int, align: int) -> ir.Block:
        return (ir.Zero(target, size, align), *measured(target, size)[0])

    return Value(Bytes(None), recipe=Recipe(fill, before + between, measured=measured))


def _least(frame: Frame, left: ir.Expression, right: ir.Expression) -> ir.Expression:
    """The smaller of two u32."""
    before, left = frame.bind(left)
    return sequence(before, ir.Select(ir.Compare(ir.CompareOp.LT, left, right), left, right))


def _whole_length(frame: Frame, node: ast.Call, context: ir.Expression, helper: str) -> ir.Expression:
    """The bytes of the packet in all its fragments, a u32."""
    if helper == "xdp_load_bytes":
        return ir.Convert(call("xdp_get_buff_len", ir.U64, context, span=frame.code_span(node)), ir.U32)
    value = _packet_length(frame, node)
    return value.expression


def _store_bytes(frame: Frame, node: ast.Call) -> Value:
    """``bpf.store_bytes(ctx, header, offset)``: whether the packet had room."""
    context, helper = _bytes_context(frame, "store_bytes", node.args[0], _STORING)
    value = present(frame, frame.value(node.args[1]), node.args[1])
    if not isinstance(value.type, StructType):
        raise frame.error(
            rules.TypeMismatch, node.args[1], place="bpf.store_bytes()", expected="a struct", found=value.type
        )
    before, pointer = located(frame, value, value.type.cls, node.args[1], "the bytes")
    between, at = frame.bind(fit(frame, frame.value(node.args[2], U32), U32, node.args[2], "an offset"))
    codes = (context, at, pointer, number(kind_size(value.type.cls), U32))
    flags = (ir.Const(0, ir.U64),) if helper == "skb_store_bytes" else ()
    result = call(helper, ir.I64, *codes, *flags, span=frame.code_span(node))
    return Value(BOOL, sequence(before + between, ir.Compare(ir.CompareOp.EQ, result, ir.Const(0, ir.I64))))


def _network(bits: int) -> Word:
    """A host number as it stands in a packet, and back."""

    def network(frame: Frame, node: ast.Call) -> Value:
        type_ = Int(bits)
        value = frame.value(node.args[0], type_)
        return Value(type_, ir.ByteSwap(fit(frame, value, type_, node.args[0], f"bpf.network{bits}()")))

    return network


WORDS: dict[str, tuple[int, Word]] = {
    "packet": (3, _packet),
    "metadata": (2, _metadata),
    "packet_length": (1, _packet_length),
    "v4": (1, _v4),
    "packet_cgroup_id": (1, _packet_cgroup_id),
    "load_bytes": (3, _load_bytes),
    "packet_bytes": (3, _packet_bytes),
    "store_bytes": (3, _store_bytes),
    "network16": (1, _network(16)),
    "network32": (1, _network(32)),
    "network64": (1, _network(64)),
}
