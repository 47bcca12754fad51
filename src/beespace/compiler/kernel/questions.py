"""``exists()``, ``sizeof()``, ``offsetof()``: what the running kernel is asked when the object is loaded.

Invariant: an answer that the types of this compilation settle (there is no such field) leaves out what it guards,
and the build report says so; any other answer is the loader's, so that the object runs on both kinds of kernel.
"""

from __future__ import annotations

import ast
from collections.abc import Callable

from beespace import btf as kernel
from beespace.compiler import ir, rules
from beespace.compiler.contexts.prototypes import prototype_of
from beespace.compiler.frame import Frame
from beespace.compiler.kernel import views
from beespace.compiler.kernel.functions import kernel_function
from beespace.compiler.kernel.names import find, is_kernel_type, root_of
from beespace.compiler.kernel.types import core_kind
from beespace.compiler.memory import field_of
from beespace.compiler.names import constant_of, kind_named
from beespace.compiler.types import (
    BOOL,
    U64,
    KernelObject,
    KernelPointer,
    Literal,
    Optional,
    Static,
    StructType,
    TextLiteral,
    Type,
)
from beespace.compiler.values import Bounds, Value
from beespace.lang import KernelType, bpf
from beespace.lang import kernel_types as words
from beespace.schema import Struct
from beespace.schema.kinds import kind_size

__all__ = ["QUESTIONS", "field_offset"]

_Q = ir.CoreQuestion
_STRUCTS = (kernel.Kind.STRUCT, kernel.Kind.UNION)


def _exists(frame: Frame, node: ast.Call) -> Value:
    arguments = _arguments(frame, node, "exists", 1, 2)
    first = arguments[0]
    if isinstance(first, ast.Attribute) and constant_of(frame, first.value) is bpf:
        return _function_exists(frame, first.attr, node)
    if len(arguments) == 2:
        owner = _owner(frame, first)
        return _names_exist(frame, owner, _written(frame, arguments[1], "exists()").split("."), node)
    if isinstance(first, ast.Attribute):
        names = [first.attr]
        inner = first.value
        while isinstance(inner, ast.Attribute) and not isinstance(_static(frame, inner), Static):
            names.insert(0, inner.attr)
            inner = inner.value
        return _names_exist(frame, _owner(frame, inner), names, node)
    type_ = frame.value(first).type
    if isinstance(type_, Static) and is_kernel_type(type_.value):
        return _type_exists(frame, type_.value)
    raise frame.error(
        rules.Question, first, word="exists()", expected="a kernel type, a field or a member of an enum", found=type_,
        suggestion="write exists(task.field), exists(task_struct, \"field\") or exists(bpf_attach_type, \"BPF_XDP\")",
    )  # fmt: skip


def _function_exists(frame: Frame, word: str, node: ast.Call) -> Value:
    """Whether the kernel has a function for programs."""
    name = kernel_function(frame.unit.btf, word)
    if name is None:
        return _absent(frame, node, f"this kernel has no function bpf_{word} for programs")
    return Value(BOOL, ir.KernelFunctionExists(name, prototype_of(frame.unit.btf, name)))


def _static(frame: Frame, node: ast.expr) -> Type | None:
    """What a dotted name stands for if it is a compile-time thing; nothing is reported."""
    found = constant_of(frame, node)
    return Static(found) if is_kernel_type(found) else None


def _owner(frame: Frame, node: ast.expr) -> Type:
    """What is asked about: only its type matters, so it may be None."""
    type_ = frame.value(node).type
    return type_.inner if isinstance(type_, Optional) else type_


def _names_exist(frame: Frame, owner: Type, names: list[str], node: ast.Call) -> Value:
    """Whether ``owner`` has a field, or an enum a member."""
    if isinstance(owner, Static) and isinstance(owner.value, KernelType):
        target = _found(frame, owner.value)
        if target is None:
            return _absent(frame, node, f"this kernel has no type {owner.value.name}")
        declared = frame.unit.btf.type(target)
        if isinstance(declared, kernel.Enum):
            (name,) = names if len(names) == 1 else (".".join(names),)
            value = next((each.value for each in declared.values if each.name == name), None)
            if value is None:
                return _absent(frame, node, f"enum {declared.name} of this kernel has no {name}")
            return _answer(ir.CoreEnumValue(declared.name, name, value, exists=True))
    found = _path(frame, owner, names, node.args[0])
    if found is None:
        return _absent(frame, node, f"{_called(owner)} of this kernel has no {'.'.join(names)}")
    return _answer(ir.CoreInfo(_Q.FIELD_EXISTS, found))


def _called(owner: Type) -> str:
    return owner.value.name if isinstance(owner, Static) and isinstance(owner.value, KernelType) else str(owner)


def _type_exists(frame: Frame, found: object) -> Value:
    if isinstance(found, KernelType):
        target = _found(frame, found)
        if target is None:
            return Value(BOOL, ir.Const(0, ir.BOOL), settled=False)
        struct = frame.unit.btf.type(target)
        if not isinstance(struct, kernel.Struct) or not struct.name:
            return Value(BOOL, ir.Const(1, ir.BOOL), settled=True)
        return _answer(ir.CoreInfo(_Q.TYPE_EXISTS, ir.CoreAccess(struct.name, (), struct.is_union)))
    assert isinstance(found, type) and issubclass(found, words.KernelStruct)
    return _answer(ir.CoreInfo(_Q.TYPE_EXISTS, ir.CoreAccess(root_of(found), (), found.is_union)))


def _found(frame: Frame, type_: KernelType) -> int | None:
    btf = frame.unit.btf
    try:
        return btf.resolve(btf.find(type_.name))
    except KeyError:
        return None


def _answer(code: ir.Expression) -> Value:
    return Value(BOOL, ir.Convert(code, ir.BOOL))


def _absent(frame: Frame, node: ast.AST, why: str) -> Value:
    """No, as the types that are compiled with say; what it guards could not be typed, so it is left out."""
    frame.unit.left_out.append((frame.code_span(node), why))
    return Value(BOOL, ir.Const(0, ir.BOOL), settled=False)


def _path(frame: Frame, owner: Type, names: list[str], node: ast.AST) -> ir.CoreAccess | None:
    """The way from a struct to a field in it; ``None`` if there is no such field."""
    btf = frame.unit.btf
    view = owner.value if isinstance(owner, Static) else getattr(owner, "view", None)
    if isinstance(view, type) and issubclass(view, words.KernelStruct):
        if len(names) > 1:
            raise frame.error(rules.NoField, node, type=view.__name__, name=".".join(names), known="", suggestion="")
        return views.access(frame, view, names[0], node)
    if isinstance(owner, Static) and isinstance(owner.value, KernelType):
        target = find(frame, owner.value.name, node)
        access = None
    elif isinstance(owner, (KernelPointer, KernelObject)):
        target = owner.target
        access = owner.access if isinstance(owner, KernelObject) else None
    else:
        raise frame.error(
            rules.Question, node, word="exists()", expected="a field of a kernel struct", found=owner,
            suggestion="fields of the author's own structs are always there",
        )  # fmt: skip
    for name in names:
        struct = btf.type(target)
        if isinstance(struct, kernel.Pointer):  # a.b.c through a pointer: the question is about what it points to
            target, access = btf.resolve(struct.type), None
            struct = btf.type(target)
        if not isinstance(struct, kernel.Struct):
            return None
        if access is None:
            access = ir.CoreAccess(struct.name, (), struct.is_union)
        try:
            member = btf.member(target, name)
        except KeyError:
            return None
        step = ir.CoreMember(name, core_kind(btf, member.type_id, member.bitfield_size))
        access = ir.CoreAccess(access.root, (*access.steps, step), access.union)
        target = btf.resolve(member.type_id)
    assert access is not None
    return access


# --- sizes and places ----------------------------------------------------------------------------


def _sizeof(frame: Frame, node: ast.Call) -> Value:
    (argument,) = _arguments(frame, node, "sizeof", 1, 1)
    found = frame.value(argument) if isinstance(argument, ast.Name | ast.Attribute) else None
    type_ = found.type if found is not None else None
    if isinstance(type_, Static) and isinstance(type_.value, KernelType):
        target = find(frame, type_.value.name, argument)
        struct = frame.unit.btf.type(target)
        if isinstance(struct, kernel.Struct) and struct.name:
            return _number(ir.CoreInfo(_Q.TYPE_SIZE, ir.CoreAccess(struct.name, (), struct.is_union)))
        return Value(Literal(frame.unit.btf.size(target)))
    if isinstance(type_, StructType):
        return Value(Literal(type_.cls.layout.size))
    return Value(Literal(kind_size(kind_named(frame, argument))))


def _offsetof(frame: Frame, node: ast.Call) -> Value:
    owner, name = _arguments(frame, node, "offsetof", 2, 2)
    return field_offset(frame, owner, _written(frame, name, "offsetof()"), node)


def field_offset(frame: Frame, owner: ast.expr, name: str, node: ast.AST) -> Value:
    """Where a field stands in its struct, in bytes."""
    type_ = frame.value(owner).type
    if isinstance(type_, Static) and isinstance(type_.value, type) and issubclass(type_.value, Struct):
        at, cls = 0, type_.value
        for part in name.split("."):
            field = field_of(frame, cls, part, node)
            at, cls = at + field.offset, field.kind if isinstance(field.kind, type) else Struct
        return Value(Literal(at))
    if not isinstance(type_, Static) or not is_kernel_type(type_.value):
        raise frame.error(
            rules.Question, owner, word="offsetof()", expected="a Struct or a kernel struct, and a field's name",
            found=type_,
        )  # fmt: skip
    found = _path(frame, type_, name.split("."), owner)
    if found is None:
        raise frame.error(rules.NoKernelField, node, type=_called(type_), name=name, suggestion="")
    return _number(ir.CoreInfo(_Q.FIELD_OFFSET, found))


def _number(code: ir.Expression) -> Value:
    return Value(U64, code, Bounds(0, (1 << 32) - 1))


def _written(frame: Frame, node: ast.expr, word: str) -> str:
    value = frame.value(node)
    if not isinstance(value.type, TextLiteral) or value.type.raw:
        raise frame.error(rules.NotConstant, node, what=f"the name that {word} takes", suggestion="write the text out")
    return value.type.value.decode()


def _arguments(frame: Frame, node: ast.Call, name: str, least: int, most: int) -> list[ast.expr]:
    if node.keywords:
        raise frame.error(rules.ArgumentNames, node.keywords[0], function=f"{name}()", problem="takes no names")
    if not least <= len(node.args) <= most:
        expected = f"{least} argument{'' if least == 1 else 's'}" if least == most else f"{least} or {most} arguments"
        raise frame.error(rules.ArgumentCount, node, function=f"{name}()", expected=expected, found=len(node.args))
    return node.args


QUESTIONS: dict[object, Callable[[Frame, ast.Call], Value]] = {
    words.exists: _exists,
    words.sizeof: _sizeof,
    words.offsetof: _offsetof,
}
