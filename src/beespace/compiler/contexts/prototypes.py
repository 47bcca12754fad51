"""Prototypes of kernel functions, from BTF.

Invariant: what is written is what ``extern ... __ksym`` in C would declare, so that any loader can compare it with the
kernel's own.
"""

from __future__ import annotations

from beespace import btf as kernel
from beespace.compiler import ir
from beespace.compiler.kernel.types import core_kind

__all__ = ["lacks_function", "prototype_of"]


def prototype_of(btf: kernel.Btf, name: str) -> ir.CorePrototype:
    """The prototype of the kernel's function ``name``; ``KeyError`` if ``btf`` has none."""
    function = btf.type(btf.find(name, kernel.Kind.FUNC))
    assert isinstance(function, kernel.Function)
    found = btf.type(function.type)
    assert isinstance(found, kernel.FunctionPrototype)
    return _prototype(btf, found)


def lacks_function(btf: kernel.Btf, name: str) -> bool:
    """Whether the kernel of ``btf`` has no function ``name``; false if its type information has no functions at all."""
    for function in (name, "bpf_map_lookup_elem"):  # every kernel has that one
        try:
            btf.find(function, kernel.Kind.FUNC)
        except KeyError:
            continue
        return function != name
    return False


def _prototype(btf: kernel.Btf, found: kernel.FunctionPrototype) -> ir.CorePrototype:
    result = None if isinstance(btf.type(btf.resolve(found.result)), kernel.Void) else _kind(btf, found.result)
    return ir.CorePrototype(result, tuple(_kind(btf, parameter.type) for parameter in found.parameters))


def _kind(btf: kernel.Btf, type_id: int) -> ir.CoreKind:
    """A type with what its pointers point to, as far as the comparison looks."""
    target = btf.type(btf.resolve(type_id))
    if not isinstance(target, kernel.Pointer):
        return core_kind(btf, type_id, 0)
    pointed = btf.type(btf.resolve(target.type))
    match pointed:
        case kernel.Int() | kernel.Enum() | kernel.Pointer():
            return ir.CorePointer(_kind(btf, target.type))
        case kernel.FunctionPrototype():
            return ir.CorePointer(_prototype(btf, pointed))
        case kernel.Struct() if pointed.name:
            return ir.CorePointer(ir.CoreStruct(pointed.name, pointed.is_union))
        case kernel.Forward():
            return ir.CorePointer(ir.CoreStruct(pointed.name, pointed.is_union))
        case _:
            return ir.CorePointer()
