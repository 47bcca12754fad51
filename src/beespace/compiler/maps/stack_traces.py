"""Stacks of the kernel and of processes, by number."""

from __future__ import annotations

import ast

from beespace.compiler import ir
from beespace.compiler.frame import Frame
from beespace.compiler.kernel.calls import call
from beespace.compiler.maps.constants import constant, context, flag
from beespace.compiler.maps.operations import Place, arguments
from beespace.compiler.types import I64
from beespace.compiler.values import Value

__all__ = ["id"]

_USER_STACK = 1 << 8  # BPF_F_USER_STACK
_SKIP = 0xFF  # BPF_F_SKIP_FIELD_MASK


def id(frame: Frame, place: Place, node: ast.Call) -> Value:
    """``self.stacks.id(ctx, user=True, skip=2)``."""
    ctx, user, skip = arguments(frame, place, node, "ctx", optional=("user", "skip"))
    owner = context(frame, place, node, ctx)
    flags = constant(frame, skip, "skip", high=_SKIP)
    if flag(frame, user, "user"):
        flags |= _USER_STACK
    return Value(I64, call("get_stackid", ir.I64, owner, place.address, ir.Const(flags, ir.U64)))
