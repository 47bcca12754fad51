"""Implementations of kernel interfaces as an object file has them.

Invariant: the dialect is libbpf's: a variable in ``.struct_ops.link`` whose struct bears the kernel's name and has the
members that are set, matched by name when it is loaded; functions are pointers that relocations fill in.
"""

from __future__ import annotations

from beespace.compiler import ir
from beespace.compiler.llvm.core import Core
from beespace.compiler.llvm.debug import Debug
from beespace.compiler.llvm.metadata import quoted

__all__ = ["struct_ops_line"]

_POINTER = 8


def struct_ops_line(debug: Debug, core: Core, definition: ir.StructOpsDefinition) -> str:
    """The global that holds an implementation."""
    prototype = debug.metadata.node(f"!DISubroutineType(types: {debug.metadata.tuple(['null'])})")
    function = debug.pointer(prototype)
    members: list[str] = []
    types: list[str] = []
    values: list[str] = []
    end = 0
    for member in definition.members:
        if member.kind is None:
            size, align, type_ = _POINTER, _POINTER, function
            types.append("ptr")
            values.append(f"ptr @{quoted(str(member.value))}")
        else:
            assert isinstance(member.value, bytes)
            (size, align), type_ = core.extent(member.kind), core.type_of(member.kind)
            types.append(f"[{size} x i8]")
            values.append(f"[{size} x i8] c{quoted(member.value)}")
        start = -(-end // align) * align
        if start > end:  # before the member that was just added
            types.insert(-1, f"[{start - end} x i8]")
            values.insert(-1, f"[{start - end} x i8] zeroinitializer")
        members.append(debug.member(member.name, type_, offset=start, size=size))
        end = start + size
    whole = -(-end // _POINTER) * _POINTER
    if whole > end:
        types.append(f"[{whole - end} x i8]")
        values.append(f"[{whole - end} x i8] zeroinitializer")
    struct = debug.composite(definition.interface, members, whole)
    return (
        f"@{quoted(definition.name)} = dso_local global <{{ {', '.join(types)} }}> <{{ {', '.join(values)} }}>, "
        f'section ".struct_ops.link", align {_POINTER}, !dbg {debug.variable(definition.name, struct)}'
    )
