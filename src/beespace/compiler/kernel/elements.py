"""Elements of arrays in the kernel, and what pointers to numbers and pointers point to.

Invariant: an array's index is certainly within where the kernel says how long the array is; what is read by a
computed address is read by bpf_probe_read_kernel() (or _user()), where a fault reads as zero.
"""

from __future__ import annotations

import ast

from beespace import btf as kernel
from beespace.compiler import ir, rules
from beespace.compiler.expressions.numbers import check_index, known
from beespace.compiler.frame import Frame
from beespace.compiler.kernel.types import address, element, pointer_type
from beespace.compiler.types import BOOL, U64, Int, KernelObject, KernelPointer, Literal
from beespace.compiler.values import Value, number, offset

__all__ = ["pointed", "subscript"]

_USER = ir.PointerType(ir.Region.USER)
_KERNEL = ir.PointerType(ir.Region.KERNEL_UNTRUSTED)


def subscript(frame: Frame, owner: Value, node: ast.Subscript) -> Value:
    """``task.comm[i]``, ``pointer[i]``."""
    type_ = owner.type
    index = known(frame, frame.value(node.slice, U64), node.slice, "an index")
    if isinstance(type_, KernelPointer):
        return _at(frame, owner.expression, type_.target, index, node)
    assert isinstance(type_, KernelObject)
    if isinstance(index.type, Literal):
        return element(frame, owner, index.type.value, node)
    array = frame.unit.btf.type(type_.target)
    if not isinstance(array, kernel.Array):
        raise frame.error(rules.NotCallable, node, found=f"{type_}[...]", suggestion="only arrays have elements")
    if array.count:
        check_index(frame, index, array.count, node.slice)
    return _at(frame, address(owner), frame.unit.btf.resolve(array.type), index, node)


def pointed(frame: Frame, owner: Value, node: ast.Attribute) -> Value:
    """``pointer.value`` of a pointer to a number or to another pointer."""
    assert isinstance(owner.type, KernelPointer)
    return _at(frame, owner.expression, owner.type.target, Value(Literal(0)), node)


def _at(frame: Frame, base: ir.Expression, target: int, index: Value, node: ast.AST) -> Value:
    """What stands ``index`` elements of type ``target`` after ``base``."""
    btf = frame.unit.btf
    resolved = btf.resolve(target)
    found = btf.type(resolved)
    if isinstance(found, (kernel.Void, kernel.Forward, kernel.Array, kernel.FunctionPrototype)):
        raise frame.error(
            rules.UnreadableField, node, name="an element", found=btf.describe(resolved), why="of no known size",
            suggestion="say what stands there: bpf.cast(address, type), bpf.read(address, u32)",
        )  # fmt: skip
    size = btf.size(resolved)
    region = _USER if base.type == _USER else _KERNEL
    place: ir.Expression = base if base.type == region else ir.Convert(base, region)
    if isinstance(index.type, Literal):
        place = offset(place, index.type.value * size)
    else:
        assert isinstance(index.type, Int)
        if index.type.signed and index.range.low < 0:
            raise frame.error(rules.WrongSign, node, expected=U64, found=index.type)
        wide: ir.Expression = index.expression if index.type == U64 else ir.Convert(index.expression, ir.U64)
        place = ir.Offset(place, ir.Binary(ir.BinaryOp.MUL, wide, number(size, U64)) if size != 1 else wide)
    span = frame.code_span(node)
    if isinstance(found, kernel.Int) and found.encoding & kernel.IntEncoding.BOOL:
        return Value(BOOL, ir.Convert(ir.Load(place, ir.U8), ir.BOOL))
    if isinstance(found, (kernel.Int, kernel.Enum)) and found.size in (1, 2, 4, 8):
        type_ = Int(8 * found.size, found.is_signed)
        return Value(type_, ir.Load(place, type_.code, span=span))
    if isinstance(found, kernel.Pointer):
        return Value(pointer_type(btf, resolved, trusted=False), ir.Load(place, region, span=span))
    if isinstance(found, kernel.Struct):
        return Value(KernelPointer(resolved, btf.describe(resolved), False), place)
    raise frame.error(
        rules.UnreadableField, node, name="an element", found=btf.describe(resolved),
        why="no number, pointer or struct",
    )  # fmt: skip
