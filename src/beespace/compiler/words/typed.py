"""Words that say what an address points to, and read it as a value of a type.

Invariant: what only the author says of an address is not trusted: it is read by bpf_probe_read_kernel() or
bpf_probe_read_user(), where a fault reads as zero.
"""

from __future__ import annotations

import ast

from beespace import btf as kernel
from beespace.compiler import ir, rules
from beespace.compiler.expressions.numbers import fit, present
from beespace.compiler.expressions.texts import string_recipe
from beespace.compiler.frame import Frame
from beespace.compiler.kernel.names import is_kernel_type, pointer_to
from beespace.compiler.kernel.questions import field_offset
from beespace.compiler.kernel.types import address as address_of
from beespace.compiler.memory import SLOT_ALIGN, load
from beespace.compiler.names import kind_named
from beespace.compiler.types import (
    U64,
    Bool,
    Int,
    KernelObject,
    KernelPointer,
    Literal,
    Static,
    Text,
    TextLiteral,
    is_memory,
    of_kind,
)
from beespace.compiler.values import Recipe, Value, sequence
from beespace.compiler.words.word import Word
from beespace.record import replace
from beespace.schema import TextKind
from beespace.schema.kinds import kind_size

__all__ = ["WORDS"]

_KERNEL = ir.PointerType(ir.Region.KERNEL_UNTRUSTED)
_USER = ir.PointerType(ir.Region.USER)


def _where(frame: Frame, node: ast.expr, word: str) -> Value:
    """A number, a pointer or something in the kernel, as an address."""
    value = present(frame, frame.value(node, U64), node)
    if isinstance(value.type, KernelPointer):
        return value
    if isinstance(value.type, KernelObject):
        return replace(value, code=address_of(value))
    if isinstance(value.type, (Int, Literal)) and not isinstance(value.type, Bool):
        return Value(U64, fit(frame, value, U64, node, f"bpf.{word}()"))
    raise frame.error(
        rules.WrongPointer, node, word=f"bpf.{word}()", expected="an address: a number or a kernel pointer",
        found=value.type,
    )  # fmt: skip


def _pointer(frame: Frame, node: ast.expr, word: str) -> KernelPointer:
    """The kernel type that the second argument names."""
    type_ = frame.value(node).type
    if isinstance(type_, Static) and is_kernel_type(type_.value):
        return pointer_to(frame, type_.value, node)
    raise frame.error(
        rules.Question, node, word=f"bpf.{word}()", expected="a kernel type", found=type_,
        suggestion="name one: `from beespace.kernel import task_struct`, or a class of KernelStruct",
    )  # fmt: skip


def _cast(frame: Frame, node: ast.Call) -> Value:
    """``bpf.cast(address, sock)``; another view of a trusted pointer to the same struct stays trusted."""
    value = _where(frame, node.args[0], "cast")
    pointer = _pointer(frame, node.args[1], "cast")
    if isinstance(value.type, KernelPointer) and value.type.target == pointer.target and pointer.target:
        return Value(replace(pointer, trusted=value.type.trusted), value.expression)
    return Value(pointer, ir.Convert(value.expression, _KERNEL))


def _container(frame: Frame, node: ast.Call) -> Value:
    """``bpf.container(pointer, type, "member")``: the struct that a member stands in."""
    value = _where(frame, node.args[0], "container")
    pointer = _pointer(frame, node.args[1], "container")
    name = frame.value(node.args[2])
    if not isinstance(name.type, TextLiteral):
        raise frame.error(rules.NotConstant, node.args[2], what="the member's name", suggestion="write the text out")
    at = field_offset(frame, node.args[1], name.type.value.decode(), node.args[2])
    start = ir.Binary(ir.BinaryOp.SUB, _number(value.expression), at.expression)
    return Value(pointer, ir.Convert(start, _KERNEL))


def _number(code: ir.Expression) -> ir.Expression:
    return code if code.type == ir.U64 else ir.Convert(code, ir.U64)


def _read(region: ir.PointerType, word: str) -> Word:
    """``bpf.read(address, Type)``: a copy of what stands there, as a value of the type."""

    def read(frame: Frame, node: ast.Call) -> Value:
        value = _where(frame, node.args[0], word)
        named = frame.value(node.args[1]).type if isinstance(node.args[1], ast.Name | ast.Attribute) else None
        if isinstance(named, Static) and is_kernel_type(named.value):
            if region == _USER:
                return Value(pointer_to(frame, named.value, node.args[1]), ir.Convert(value.expression, _USER))
            raise frame.error(
                rules.Question, node.args[1], word=f"bpf.{word}()", expected="a type to copy into", found=named,
                suggestion="fields of kernel types are read by name: bpf.cast(address, type).field",
            )  # fmt: skip
        kind = kind_named(frame, node.args[1])
        size = kind_size(kind)
        _check_room(frame, value, size, node, word)
        source = value.expression
        if source.type != region and not isinstance(value.type, KernelObject):
            source = ir.Convert(source, region)
        before, source = frame.bind_address(source)
        if isinstance(kind, TextKind):
            # Whatever stands behind the end of the text is no part of it.
            return Value(Text(size), recipe=replace(string_recipe(frame, source, size), prepare=before))
        copying: ir.Block = ()
        if is_memory(kind):
            recipe = Recipe(lambda to, room, align: (ir.Copy(to, source, min(size, room)),), before)
            return Value(of_kind(kind), recipe=recipe)
        slot = frame.scope.slot(size)
        copying = (*before, ir.Copy(slot, source, size))
        found = load(slot, kind, SLOT_ALIGN)
        return replace(found, code=sequence(copying, found.expression))

    return read


def _check_room(frame: Frame, value: Value, size: int, node: ast.Call, word: str) -> None:
    """A struct of the kernel is at least as long as what is copied out of it."""
    if not isinstance(value.type, (KernelPointer, KernelObject)):
        return
    target = frame.unit.btf.type(value.type.target)
    if isinstance(target, kernel.Struct) and target.size < size:
        raise frame.error(
            rules.Question, node.args[1], word=f"bpf.{word}()",
            expected=f"a type of at most the {target.size} bytes of {value.type.name}", found=f"{size} bytes long",
        )  # fmt: skip


WORDS: dict[str, tuple[int, Word]] = {
    "cast": (2, _cast),
    "container": (3, _container),
    "read": (2, _read(_KERNEL, "read")),
    "user": (2, _read(_USER, "user")),
}
