"""``renumbered``: a type that refers to the same types by other ids."""

from __future__ import annotations

from collections.abc import Callable

from beespace.btf.types import (
    Array,
    DataSection,
    DeclTag,
    Function,
    FunctionPrototype,
    Modifier,
    Parameter,
    Pointer,
    SectionVariable,
    Struct,
    Type,
    Typedef,
    Variable,
)
from beespace.record import replace

__all__ = ["renumbered"]


def renumbered(found: Type, new: Callable[[int], int]) -> Type:
    """``found`` with ``new(id)`` for each id that it refers to."""
    match found:
        case Struct():
            return replace(found, members=tuple(replace(m, type=new(m.type)) for m in found.members))
        case Array():
            return replace(found, type=new(found.type), index_type=new(found.index_type))
        case FunctionPrototype():
            parameters = tuple(Parameter(p.name, new(p.type)) for p in found.parameters)
            return replace(found, result=new(found.result), parameters=parameters)
        case DataSection():
            variables = tuple(SectionVariable(new(v.type), v.offset, v.size) for v in found.variables)
            return replace(found, variables=variables)
        case Pointer() | Typedef() | Modifier() | Function() | Variable() | DeclTag():
            return replace(found, type=new(found.type))
        case _:
            return found
