"""Sending packets of XDP to interfaces, CPUs and AF_XDP sockets."""

from __future__ import annotations

import ast

from beespace.compiler import ir
from beespace.compiler.expressions.numbers import fit
from beespace.compiler.frame import Frame
from beespace.compiler.kernel.calls import call
from beespace.compiler.maps.constants import constant, flag
from beespace.compiler.maps.operations import Place, arguments
from beespace.compiler.types import I32, U32
from beespace.compiler.values import Bounds, Value

__all__ = ["broadcast", "redirect"]

_BROADCAST, _EXCLUDE_INGRESS = 1 << 3, 1 << 4  # BPF_F_BROADCAST, BPF_F_EXCLUDE_INGRESS
_LAST = 4  # XDP_REDIRECT
_TX = 3  # the last of the verdicts that may stand in for a redirection


def redirect(frame: Frame, place: Place, node: ast.Call) -> Value:
    """``return self.ports.redirect(key, XDP_PASS)``: bpf_redirect_map()."""
    wanted, otherwise = arguments(frame, place, node, "key", optional=("otherwise",))
    verdict = constant(frame, otherwise, "otherwise", high=_TX)
    key = fit(frame, frame.value(wanted, U32), U32, wanted, "the key")
    return _verdict(call("redirect_map", ir.I64, place.address, ir.Convert(key, ir.U64), ir.Const(verdict, ir.U64)))


def broadcast(frame: Frame, place: Place, node: ast.Call) -> Value:
    """``return self.ports.broadcast(exclude_ingress=True)``."""
    (exclude,) = arguments(frame, place, node, optional=("exclude_ingress",))
    flags = _BROADCAST | (_EXCLUDE_INGRESS if flag(frame, exclude, "exclude_ingress") else 0)
    return _verdict(call("redirect_map", ir.I64, place.address, ir.Const(0, ir.U64), ir.Const(flags, ir.U64)))


def _verdict(code: ir.Expression) -> Value:
    return Value(I32, ir.Convert(code, ir.I32), Bounds(0, _LAST))
