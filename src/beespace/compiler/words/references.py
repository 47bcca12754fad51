"""References that the kernel counts: taken by a call, given back at the end of a ``with`` block."""

from __future__ import annotations

from collections.abc import Callable

from beespace.compiler import ir
from beespace.compiler.frame import Frame
from beespace.compiler.kernel.calls import call
from beespace.compiler.types import Manager
from beespace.compiler.values import Value, not_null

__all__ = ["give_back", "held"]


def give_back(socket: ir.Expression) -> ir.Expression:
    """bpf_sk_release()."""
    return call("sk_release", ir.I64, socket)


def held(frame: Frame, found: Value, what: str, give_back: Callable[[ir.Expression], ir.Expression]) -> Value:
    """``found`` for a ``with``: what its ``as`` names, given back if it is there."""
    name = frame.scope.fresh()
    reference = ir.Local(name, found.expression.type)
    enter = ir.Declare(name, reference.type, found.expression)
    leave = ir.If(not_null(reference), (ir.Evaluate(give_back(reference)),))
    return Value(Manager(what, (enter,), (leave,), held=found.type, code=reference))
