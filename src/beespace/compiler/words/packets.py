"""Words about packets: their bytes in place, their cgroup."""

from __future__ import annotations

import ast

from beespace.compiler import ir, rules
from beespace.compiler.contexts.fields import packet_bounds
from beespace.compiler.contexts.structs import PACKETS, metadata_bounds
from beespace.compiler.expressions.numbers import fit, known, present
from beespace.compiler.expressions.texts import write_constant
from beespace.compiler.frame import Frame
from beespace.compiler.kernel.calls import call
from beespace.compiler.names import annotation
from beespace.compiler.types import ADDRESS, U32, U64, Context, Int, Literal, Optional, StructType
from beespace.compiler.values import Recipe, Value, null, number, offset, sequence
from beespace.compiler.words.word import Word
from beespace.isa.constants import ProgramType
from beespace.schema.kinds import kind_align, kind_size

__all__ = ["WORDS", "packet_context"]

# How far into a packet an offset may point; the verifier takes at most 65535 (MAX_PACKET_OFF).
_OFFSET_MASK = 0x3FFF


def packet_context(frame: Frame, word_name: str, node: ast.expr) -> Value:
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
    context = packet_context(frame, "packet", node.args[0])
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
    context = packet_context(frame, "metadata", node.args[0])
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
    "v4": (1, _v4),
    "packet_cgroup_id": (1, _packet_cgroup_id),
    "network16": (1, _network(16)),
    "network32": (1, _network(32)),
    "network64": (1, _network(64)),
}
