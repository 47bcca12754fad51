"""Types of the kernel that the author names: ``task_struct``, an enum's members, the author's own views.

Invariant: a name is looked up in the type information that the program is compiled with; what is not there is a
located mistake, except where the author asks whether it is.
"""

from __future__ import annotations

import ast
import sys
from typing import Any, TypeAlias

from beespace import btf as kernel
from beespace.compiler import ir, rules
from beespace.compiler.diagnostics import did_you_mean
from beespace.compiler.frame import Frame
from beespace.compiler.types import Int, KernelPointer
from beespace.compiler.values import Value
from beespace.lang import KernelStruct, KernelType
from beespace.schema import Kind
from beespace.schema.kinds import KINDS, as_kind

__all__ = ["Declared", "enumerator", "find", "is_kernel_type", "pointer_to", "root_of", "view_members"]

# What a field of a view is declared as.
Declared: TypeAlias = "Kind | KernelType | type[KernelStruct]"

_NAMED = (kernel.Kind.STRUCT, kernel.Kind.UNION, kernel.Kind.TYPEDEF, kernel.Kind.ENUM, kernel.Kind.ENUM64)


def is_kernel_type(found: Any) -> bool:
    """Whether ``found`` names a type of the kernel."""
    return isinstance(found, KernelType) or (isinstance(found, type) and issubclass(found, KernelStruct))


def find(frame: Frame, name: str, node: ast.AST) -> int:
    """The BTF id of the type of that name, typedefs resolved; a mistake if there is none."""
    btf = frame.unit.btf
    try:
        return btf.resolve(btf.find(name, *_NAMED))
    except KeyError:
        near = btf.near(name, *_NAMED)
        raise frame.error(
            rules.NoKernelType, node, name=name, suggestion=f"did you mean {' or '.join(near)}?" if near else ""
        ) from None


def pointer_to(frame: Frame, found: Any, node: ast.AST) -> KernelPointer:
    """A pointer to what :func:`is_kernel_type` says is one; it is not trusted until something says so."""
    if isinstance(found, KernelType):
        target = find(frame, found.name, node)
        return KernelPointer(target, frame.unit.btf.describe(target), False)
    return KernelPointer(_viewed(frame, found), found.__name__, False, view=found)


def _viewed(frame: Frame, view: type[KernelStruct]) -> int:
    """What a view is of, or ``void`` where the kernel has nothing of that name."""
    try:
        kind = kernel.Kind.UNION if view.is_union else kernel.Kind.STRUCT
        return frame.unit.btf.find(view.kernel_name, kind)
    except KeyError:
        return 0


def root_of(view: type[KernelStruct]) -> str:
    """The name that stands in the object; what follows ``___`` tells views apart, and nothing else looks at it."""
    _, _, flavour = view.__name__.partition("___")
    return f"{view.kernel_name}___{flavour or view.__name__}"


def view_members(frame: Frame, view: type[KernelStruct], node: ast.AST) -> dict[str, Declared]:
    """The fields that a view declares."""
    members: dict[str, Declared] = {}
    for base in reversed(view.__mro__):
        scope = vars(sys.modules.get(base.__module__, sys))
        for name, annotation in getattr(base, "__annotations__", {}).items():
            if "ClassVar" in str(annotation):
                continue
            value = base.__dict__.get(name)
            found = value if isinstance(value, KINDS) else annotation
            if isinstance(found, str):
                found = _named(found, scope, view, frame)
            kind = found if is_kernel_type(found) else as_kind(found)
            if kind is None:
                shown = getattr(annotation, "__name__", annotation)
                raise frame.error(rules.ViewField, node, view=view.__name__, name=name, found=shown)
            members[name] = kind
    return members


def _named(text: str, scope: dict[str, Any], view: type, frame: Frame) -> Any:
    """What an annotation that is a text names, where the class stands or where it is used."""
    for names in (scope, frame.source.function.__globals__):
        try:
            return eval(text, names, {view.__name__: view})
        except NameError:
            continue
    return None


def enumerator(frame: Frame, enum: str, name: str, node: ast.AST) -> Value:
    """``tcp_state.TCP_ESTABLISHED``: as the running kernel numbers it."""
    btf = frame.unit.btf
    target = btf.type(find(frame, enum, node))
    if not isinstance(target, kernel.Enum):
        raise frame.error(
            rules.NoAttribute, node, owner=f"the kernel type {enum}", name=name,
            suggestion="fields are read through a pointer, as bpf.cast(address, type) or a parameter of that type",
        )  # fmt: skip
    value = next((each.value for each in target.values if each.name == name), None)
    if value is None:
        names = [each.name for each in target.values]
        near = did_you_mean(name, names) or f"some of its members: {', '.join(names[:6])}"
        raise frame.error(rules.NoEnumerator, node, enum=enum, name=name, suggestion=near)
    type_ = Int(8 * target.size, target.is_signed)
    code = ir.CoreEnumValue(target.name, name, value)
    return Value(type_, code if type_.code == ir.U64 else ir.Convert(code, type_.code))
