"""Arrays of cgroups: is the thread, or the packet's socket, in one of them?"""

from __future__ import annotations

import ast

from beespace.compiler import ir
from beespace.compiler.expressions.numbers import fit
from beespace.compiler.frame import Frame
from beespace.compiler.kernel.calls import call
from beespace.compiler.maps.constants import context_of
from beespace.compiler.maps.operations import Place, arguments
from beespace.compiler.types import BOOL, U32
from beespace.compiler.values import Value

__all__ = ["current_in", "packet_in"]


def current_in(frame: Frame, place: Place, node: ast.Call) -> Value:
    """``self.cgroups.current_in(index)``: bpf_current_task_under_cgroup() says 1, 0, or what is wrong."""
    (index_node,) = arguments(frame, place, node, "index")
    index = fit(frame, frame.value(index_node, U32), U32, index_node, "the index")
    return _yes(call("current_task_under_cgroup", ir.I64, place.address, index))


def packet_in(frame: Frame, place: Place, node: ast.Call) -> Value:
    """``self.cgroups.packet_in(ctx, index)``: bpf_skb_under_cgroup() says the same of a packet."""
    ctx, index_node = arguments(frame, place, node, "ctx", "index")
    owner, _ = context_of(frame, place, node, ctx, {"__sk_buff": "a packet hook"})
    index = fit(frame, frame.value(index_node, U32), U32, index_node, "the index")
    return _yes(call("skb_under_cgroup", ir.I64, owner, place.address, index))


def _yes(answer: ir.Expression) -> Value:
    return Value(BOOL, ir.Compare(ir.CompareOp.EQ, answer, ir.Const(1, ir.I64)))
