"""For this kernel alone: what kernel types answer becomes constants, so that nothing is left for the loader.

Portable objects ask the kernel that loads them (CO-RE records).  Compiled on the machine that runs it, a program can
have the answers built in.  What these types do not have stays a question: the loader knows how to say so.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from beespace import btf as kernel
from beespace.compiler import ir
from beespace.compiler.ir.walk import rewrite
from beespace.record import dataclass, replace

__all__ = ["fold"]

_Q = ir.CoreQuestion


@dataclass(frozen=True, slots=True)
class _Place:
    """A field: its distance from the start of the outermost type in bits, its type, its own bits (0: all)."""

    offset: int
    type: int
    bits: int


def fold(btf: kernel.Btf, module: ir.Module) -> ir.Module:
    """``module`` with the offsets, sizes and values that ``btf`` has."""
    change = partial(_folded, btf)
    functions = (replace(function, body=rewrite(function.body, change)) for function in module.functions)
    return replace(module, functions=tuple(functions))


def _folded(btf: kernel.Btf, node: Any) -> Any:
    match node:
        case ir.KernelField():
            place = _place(btf, node.access)
            if place is None or place.bits or place.offset % 8:
                return node
            if node.pointer.type == ir.PointerType(ir.Region.CONTEXT):
                return ir.ContextField(node.pointer, place.offset // 8, node.span)
            return ir.Offset(node.pointer, place.offset // 8, node.span)
        case ir.KernelBitfield():
            place = _place(btf, node.access)
            return node if place is None or not place.bits else _bits(btf, node, place)
        case ir.CoreInfo():
            answer = _answer(btf, node)
            return node if answer is None else ir.Const(answer, ir.U64, node.span)
        case ir.CoreEnumValue():
            value = _enumerator(btf, node.name, node.enumerator)
            if node.exists:
                return ir.Const(int(value is not None), ir.U64, node.span)
            return node if value is None else ir.Const(value & (1 << 64) - 1, ir.U64, node.span)
        case _:
            return node


def _place(btf: kernel.Btf, access: ir.CoreAccess) -> _Place | None:
    """Where ``access`` leads, or ``None`` if this kernel has no such way."""
    try:
        wanted = kernel.Kind.UNION if access.union else kernel.Kind.STRUCT
        current = btf.find(kernel.essential_name(access.root), wanted)
        offset = bits = 0
        for step in access.steps:
            if isinstance(step, ir.CoreElement):
                array = btf.type(btf.resolve(current))
                if not isinstance(array, kernel.Array):
                    return None
                offset += 8 * step.index * btf.size(array.type)
                current, bits = array.type, 0
            else:
                path = btf.member(current, step.name)
                offset += path.bit_offset
                current, bits = path.type_id, path.bitfield_size
    except (KeyError, TypeError):
        return None
    return _Place(offset, current, bits)


def _answer(btf: kernel.Btf, node: ir.CoreInfo) -> int | None:
    if node.question in (_Q.TYPE_EXISTS, _Q.TYPE_SIZE):
        place = _place(btf, replace(node.access, steps=()))
        if node.question is _Q.TYPE_EXISTS:
            return int(place is not None)
        return None if place is None else btf.size(place.type)
    place = _place(btf, node.access)
    if node.question is _Q.FIELD_EXISTS:
        return int(place is not None)
    if place is None or place.bits:
        return None
    if node.question is _Q.FIELD_OFFSET:
        return place.offset // 8
    if node.question is _Q.FIELD_SIZE:
        return btf.size(place.type)
    target = btf.type(btf.resolve(place.type))
    return int(isinstance(target, (kernel.Int, kernel.Enum)) and target.is_signed)


def _enumerator(btf: kernel.Btf, name: str, enumerator: str) -> int | None:
    for kind in (kernel.Kind.ENUM, kernel.Kind.ENUM64):
        try:
            enum = btf.type(btf.find(kernel.essential_name(name), kind))
        except KeyError:
            continue
        assert isinstance(enum, kernel.Enum)
        return next((value.value for value in enum.values if value.name == enumerator), None)
    return None


def _bits(btf: kernel.Btf, node: ir.KernelBitfield, place: _Place) -> ir.Expression:
    """The unit that holds the bits, read at once, then shifted up and down."""
    size = 1
    while size < 8 and place.offset % (8 * size) + place.bits > 8 * size:
        size *= 2
    start = place.offset // (8 * size) * size
    shift = place.offset - 8 * start
    if shift + place.bits > 64:
        return node
    unit = ir.IntType(8 * size, signed=False)
    untrusted = ir.Convert(node.pointer, ir.PointerType(ir.Region.KERNEL_UNTRUSTED), node.span)
    wide = ir.IntType(64, signed=node.type.signed)
    value: ir.Expression = ir.Convert(ir.Load(ir.Offset(untrusted, start), unit, span=node.span), ir.U64)
    value = ir.Binary(ir.BinaryOp.SHL, value, ir.Const(64 - shift - place.bits, ir.U64))
    value = ir.Binary(ir.BinaryOp.SHR, ir.Convert(value, wide), ir.Const(64 - place.bits, wide))
    return ir.Convert(value, node.type, node.span)
