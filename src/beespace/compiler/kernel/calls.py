"""Calls of kernel helpers by name."""

from __future__ import annotations

from beespace import btf as kernel
from beespace.compiler import ir
from beespace.isa.helpers import HELPERS

__all__ = ["call", "has_helper"]


def call(name: str, result: ir.Type, *arguments: ir.Expression, span: ir.Span | None = None) -> ir.Helper:
    """A call of ``bpf_<name>()``."""
    return ir.Helper(HELPERS[name].number, name, arguments, result, span)


def has_helper(btf: kernel.Btf, name: str) -> bool:
    """Whether the kernel of ``btf`` has ``bpf_<name>()``; true if its type information says nothing of helpers."""
    try:
        numbers = btf.type(btf.find("bpf_func_id", kernel.Kind.ENUM))
    except KeyError:
        return True
    assert isinstance(numbers, kernel.Enum)
    return any(found.name == f"BPF_FUNC_{name}" for found in numbers.values)
