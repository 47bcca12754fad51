"""Calls of kernel helpers by name."""

from __future__ import annotations

from beespace.compiler import ir
from beespace.isa.helpers import HELPERS

__all__ = ["call"]


def call(name: str, result: ir.Type, *arguments: ir.Expression, span: ir.Span | None = None) -> ir.Helper:
    """A call of ``bpf_<name>()``."""
    return ir.Helper(HELPERS[name].number, name, arguments, result, span)
