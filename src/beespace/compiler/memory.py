"""Values in memory: reading, writing and comparing them by kind.

Invariant: whatever is written fills its place to the last byte, padding included.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from ipaddress import ip_address
from math import gcd

from beespace.compiler import ir, rules
from beespace.compiler.diagnostics import did_you_mean
from beespace.compiler.expressions.numbers import fit, present, swapped
from beespace.compiler.expressions.texts import (
    as_bytes,
    as_text,
    copied,
    equal_bytes,
    fill_bytes,
    fill_text,
    write_constant,
)
from beespace.compiler.frame import Frame
from beespace.compiler.kernel.types import address, char_array
from beespace.compiler.types import (
    ADDRESS,
    BOOL,
    Address,
    Array,
    Bytes,
    KernelObject,
    NoneType,
    Optional,
    Resource,
    StructType,
    Text,
    TextLiteral,
    is_memory,
    of_int,
    of_kind,
)
from beespace.compiler.values import Recipe, Value, offset, place_of
from beespace.compiler.variable import fill_variable
from beespace.schema import (
    AddressKind,
    ArrayKind,
    BoolKind,
    BytesKind,
    Field,
    IntKind,
    Kind,
    PointerKind,
    ResourceKind,
    Struct,
    TextKind,
    VariableKind,
)
from beespace.schema.kinds import is_variable, kind_align, kind_size

__all__ = [
    "ARENA", "SLOT_ALIGN", "address_bytes", "check_copied", "compared", "field_of", "in_memory", "leaves", "load",
    "located", "memory_align", "pointer_to_store", "read_field", "resource_in", "store",
]  # fmt: skip

SLOT_ALIGN = 8
ARENA = ir.PointerType(ir.Region.ARENA)
_KEPT = (ir.Region.MAP_VALUE, ir.Region.OBJECT, ir.Region.LENT)  # where locks, timers and links are at work
# Memory that is read and written by instructions of the program's own.
_DIRECT = (ir.Region.STACK, ir.Region.ARENA, ir.Region.RING, ir.Region.PACKET, *_KEPT)


def load(pointer: ir.Expression, kind: Kind, align: int) -> Value:
    """The value of ``kind`` that stands at ``pointer``."""
    if isinstance(kind, IntKind):
        type_ = of_int(kind)
        return Value(type_, swapped(ir.Load(pointer, type_.code), kind))
    if isinstance(kind, BoolKind):
        # Whatever others wrote there, anything but 0 is True.
        return Value(BOOL, ir.Convert(ir.Load(pointer, ir.U8), ir.BOOL))
    if isinstance(kind, PointerKind):
        return Value(of_kind(kind), ir.Load(pointer, ARENA), align=kind_align(kind.struct))
    return Value(of_kind(kind), pointer, align=align)


def memory_align(base: int, at: int) -> int:
    """What is known of an address ``at`` bytes after one that is aligned to ``base``."""
    return gcd(base, at) if at else base


def field_of(frame: Frame, cls: type[Struct], name: str, node: ast.AST) -> Field:
    """The field of that name, or a mistake."""
    try:
        return cls.layout.field(name)
    except KeyError:
        names = [field.name for field in cls.layout.fields]
        raise frame.error(
            rules.NoField, node, type=cls.__name__, name=name, known=", ".join(names),
            suggestion=did_you_mean(name, names),
        ) from None  # fmt: skip


def read_field(frame: Frame, value: Value, name: str, node: ast.AST) -> Value:
    """``value.name`` of a struct of the author's."""
    assert isinstance(value.type, StructType)
    field = field_of(frame, value.type.cls, name, node)
    if isinstance(field.kind, VariableKind):
        raise frame.error(
            rules.NotSupported, node, what="reading a field of variable length",
            suggestion="keep what it was made of in a local",
        )  # fmt: skip
    if isinstance(field.kind, ResourceKind):
        return Value(Resource(field.kind, value.type.cls), offset(value.expression, field.offset))
    return load(offset(value.expression, field.offset), field.kind, memory_align(value.align, field.offset))


def address_bytes(text: str) -> bytes | None:
    """The 16 bytes of an address that is written out; ``None`` if it is none."""
    try:
        parsed = ip_address(text)
    except ValueError:
        return None
    return parsed.packed if parsed.version == 6 else b"\0" * 10 + b"\xff\xff" + parsed.packed


def store(
    frame: Frame, target: ir.Expression, align: int, kind: Kind, value: Value, node: ast.AST, place: str
) -> ir.Block:
    """Write ``value`` at ``target``; ``target`` must be safe to evaluate more than once."""
    if isinstance(kind, PointerKind):
        return (ir.Store(target, pointer_to_store(frame, kind, value, node, place)),)
    present(frame, value, node)
    size = kind_size(kind)
    if target.type == ARENA and is_memory(kind) and not _is_direct(value):
        # Helpers do not write into an arena.
        slot = frame.scope.slot(size)
        made = store(frame, slot, SLOT_ALIGN, kind, value, node, place)
        return (*made, ir.Copy(target, slot, size, min(align, SLOT_ALIGN)))
    if isinstance(kind, IntKind):
        code = fit(frame, value, of_int(kind), node, place)
        return (ir.Store(target, swapped(code, kind)),)
    if isinstance(kind, BoolKind):
        return (ir.Store(target, fit(frame, value, BOOL, node, place)),)
    if isinstance(kind, VariableKind):
        return fill_variable(frame, target, kind, value, node, place)
    if isinstance(kind, TextKind):
        return fill_text(frame, target, size, align, value, node, place)
    if isinstance(kind, BytesKind):
        return fill_bytes(frame, target, size, align, value, node, place)
    if isinstance(kind, AddressKind):
        value = _as_address(frame, value, node)
    check_copied(frame, kind, node, value.code, target)
    if value.type != of_kind(kind):
        raise frame.error(rules.TypeMismatch, node, place=place, expected=of_kind(kind), found=value.type)
    if value.recipe is not None:
        return value.recipe.prepare + value.recipe.fill(target, size, align)
    before, source = frame.bind_address(value.expression)
    if {_region(target), _region(source)} & {ir.Region.OBJECT, ir.Region.LENT}:
        parts = ((at, part, memory_align(align, at), memory_align(value.align, at)) for at, part in leaves(kind))
        return before + tuple(
            statement for at, part, ours, theirs in parts
            for statement in copied(offset(target, at), part, ours, offset(source, at), part, theirs)
        )  # fmt: skip
    return before + copied(target, size, align, source, size, value.align)


def _region(pointer: ir.Expression) -> ir.Region | None:
    return pointer.type.region if isinstance(pointer.type, ir.PointerType) else None


def leaves(kind: Kind, base: int = 0) -> Iterator[tuple[int, int]]:
    """Offset and size of each field, those of structs inside by themselves; what is the kernel's own is left out."""
    if isinstance(kind, ResourceKind):
        return
    if isinstance(kind, ArrayKind) and isinstance(kind.element, type | ArrayKind):
        for index in range(kind.length):
            yield from leaves(kind.element, base + index * kind_size(kind.element))
    elif isinstance(kind, type) and not kind.layout.union:
        for field in kind.layout.fields:
            yield from leaves(field.kind, base + field.offset)
    else:
        yield base, kind_size(kind)


def _is_direct(value: Value) -> bool:
    """Whether the value needs nobody's help to be copied."""
    if isinstance(value.type, TextLiteral):
        return True
    code = value.code.type if value.code is not None and value.recipe is None else None
    return isinstance(code, ir.PointerType) and code.region in _DIRECT and not isinstance(value.type, KernelObject)


def pointer_to_store(frame: Frame, kind: PointerKind, value: Value, node: ast.AST, place: str) -> ir.Expression:
    """``value`` as what a pointer field holds: the address of something in the arena, or null."""
    if isinstance(value.type, NoneType):
        return ir.Const(0, ARENA)
    inner = value.type.inner if isinstance(value.type, Optional) else value.type
    if inner != StructType(kind.struct):
        raise frame.error(rules.TypeMismatch, node, place=place, expected=of_kind(kind), found=value.type)
    if value.recipe is not None or value.expression.type != ARENA:
        where = "new" if value.recipe is not None else place_of(value.expression)
        raise frame.error(rules.NotInArena, node, place=place, type=inner, where=where)
    return value.expression


def check_copied(frame: Frame, kind: Kind, node: ast.AST, *places: ir.Expression | None) -> None:
    """A mistake if a lock or timer of a map would be read or written with the rest of its struct."""
    kept = any(
        place is not None and isinstance(place.type, ir.PointerType) and place.type.region in _KEPT for place in places
    )
    held = resource_in(kind) if kept else None
    if held is not None:
        raise frame.error(rules.ResourceCopied, node, type=of_kind(kind), what=held.name)


def resource_in(kind: Kind) -> ResourceKind | None:
    """What a struct has of the kernel's own."""
    if isinstance(kind, ResourceKind):
        return kind
    if not isinstance(kind, type):
        return None
    return next(filter(None, (resource_in(field.kind) for field in kind.layout.fields)), None)


def _as_address(frame: Frame, value: Value, node: ast.AST) -> Value:
    """A written-out address, ``struct in6_addr`` or 16 bytes of the kernel, as an Address; anything else as it is."""
    if isinstance(value.type, TextLiteral) and not value.type.raw:
        data = address_bytes(value.type.value.decode())
        if data is None:
            raise frame.error(rules.TypeMismatch, node, place="an Address", expected="an IPv4 or IPv6 address",
                              found=value.type)  # fmt: skip
        return Value(ADDRESS, recipe=Recipe(lambda to, size, align: write_constant(to, data, align)))
    if isinstance(value.type, KernelObject) and (
        value.type.name == "struct in6_addr" or char_array(frame, value.type) == kind_size(AddressKind())
    ):
        source = address(value)
        return Value(ADDRESS, recipe=Recipe(lambda to, size, align: (ir.Copy(to, source, size),)))
    return value


def located(frame: Frame, value: Value, kind: Kind, node: ast.AST, place: str) -> tuple[ir.Block, ir.Expression]:
    """The address of memory that holds ``value`` as ``kind``, for a helper to read."""
    present(frame, value, node)
    check_copied(frame, kind, node, value.code)
    region = value.code.type.region if value.code and isinstance(value.code.type, ir.PointerType) else None
    direct = value.type == of_kind(kind) and not isinstance(kind, (IntKind, BoolKind))
    if direct and region in (ir.Region.STACK, ir.Region.MAP_VALUE):
        return frame.bind_address(value.expression)
    slot = frame.scope.slot(kind_size(kind))
    return store(frame, slot, SLOT_ALIGN, kind, value, node, place), slot


def compared(frame: Frame, left: Value, right: Value, node: ast.Compare, operator: str) -> ir.Expression | None:
    """``left == right`` of what has more bytes than a register; ``None`` if these are not of such types."""
    if isinstance(left.type, Address) or isinstance(right.type, Address):
        left, right = _as_address(frame, left, node), _as_address(frame, right, node)
    left, right = as_text(frame, left), as_text(frame, right)
    if isinstance(left.type, (Text, TextLiteral)) and isinstance(right.type, (Text, TextLiteral)):
        return _compared_texts(frame, left, right, node, operator)
    if isinstance(left.type, Bytes) or isinstance(right.type, Bytes):
        left, right = as_bytes(frame, left), as_bytes(frame, right)
        if isinstance(left.type, (Bytes, TextLiteral)) and isinstance(right.type, (Bytes, TextLiteral)):
            return _compared_texts(frame, left, right, node, operator)
    if left.type == right.type and isinstance(left.type, (Address, StructType, Array)):
        kind: Kind
        if isinstance(left.type, StructType):
            kind = left.type.cls
        else:
            kind = left.type.kind if isinstance(left.type, Array) else AddressKind()
        size = kind_size(kind)
        if is_variable(kind):
            suggestion = "compare the fields that have one size"
            raise frame.error(
                rules.Comparison, node, left=left.type, right=right.type, operator=operator, suggestion=suggestion
            )
        check_copied(frame, kind, node, left.code, right.code)
        before, ours, align = in_memory(frame, left, size)
        between, theirs, other = in_memory(frame, right, size)
        return ir.Sequence(before + between, equal_bytes(ours, theirs, size, min(align, other)))
    return None


def in_memory(frame: Frame, value: Value, size: int) -> tuple[ir.Block, ir.Expression, int]:
    """The value's own memory, or a temporary copy of what has none."""
    if value.recipe is None:
        before, pointer = frame.bind_address(value.expression)
        return before, pointer, value.align
    slot = frame.scope.slot(size)
    return value.recipe.prepare + value.recipe.fill(slot, size, SLOT_ALIGN), slot, SLOT_ALIGN


def _compared_texts(frame: Frame, left: Value, right: Value, node: ast.Compare, operator: str) -> ir.Expression:
    if isinstance(left.type, TextLiteral) and isinstance(right.type, TextLiteral):
        return ir.Const(int(left.type.value == right.type.value), ir.BOOL)
    if isinstance(left.type, TextLiteral):
        left, right = right, left
    assert isinstance(left.type, (Text, Bytes))
    raw = isinstance(left.type, Bytes)
    if isinstance(right.type, TextLiteral):
        return _compared_literal(frame, left, right.type, node, raw=raw)
    assert isinstance(right.type, (Text, Bytes))
    sizes = [size for size in (left.type.size, right.type.size) if size is not None]
    if not sizes or (raw and len({left.type.size, right.type.size}) > 1):
        raise frame.error(
            rules.Comparison, node, left=left.type, right=right.type, operator=operator,
            suggestion="store one of them into a sized local first",
        )  # fmt: skip
    # Of an unsized text one byte more than the other can hold is read, so that a longer one differs.
    longer = max(sizes) + (1 if len(sizes) == 1 else 0)
    before, ours, align = in_memory(frame, left, left.type.size or longer)
    between, theirs, other = in_memory(frame, right, right.type.size or longer)
    ours_size, theirs_size = left.type.size or longer, right.type.size or longer
    shared = min(ours_size, theirs_size)
    same = equal_bytes(ours, theirs, shared, min(align, other))
    if ours_size != theirs_size:
        rest = ours if ours_size > theirs_size else theirs
        ends = ir.Compare(ir.CompareOp.EQ, ir.Load(offset(rest, shared), ir.U8), ir.Const(0, ir.U8))
        same = ir.And(same, ends)
    return ir.Sequence(before + between, same)


def _compared_literal(
    frame: Frame, left: Value, literal: TextLiteral, node: ast.Compare, *, raw: bool
) -> ir.Expression:
    assert isinstance(left.type, (Text, Bytes))
    if literal.raw != raw:
        raise frame.error(
            rules.Comparison, node, left=left.type, right=literal, operator="==",
            suggestion="compare raw bytes with b\"...\" and texts with \"...\"",
        )  # fmt: skip
    length = len(literal.value)
    size = left.type.size if left.type.size is not None else length + 2
    if length > size or (raw and length != size):
        raise frame.error(rules.TextTooLong, node, found=literal, size=size, length=length)
    before, ours, align = in_memory(frame, left, size)
    # The zero byte behind a shorter literal ends the comparison; nothing after it counts.
    data = literal.value if raw or length == size else literal.value + b"\0"
    return (
        ir.Sequence(before, equal_bytes(ours, data, len(data), align))
        if before
        else equal_bytes(ours, data, len(data), align)
    )
