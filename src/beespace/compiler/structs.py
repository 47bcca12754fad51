"""Structs of the author's: building them in place, assigning to their fields.

Invariant: the arguments of a constructor are evaluated before anything is written, so that a struct
built over its own old value, or in a ring that turns out to be full, is what Python makes.
"""

from __future__ import annotations

import ast

from beespace.compiler import interfaces, ir, rules
from beespace.compiler.contexts.structs import WRITES_PACKETS
from beespace.compiler.expressions.numbers import fit, present
from beespace.compiler.frame import Frame
from beespace.compiler.kernel import types as kernel_types
from beespace.compiler.memory import SLOT_ALIGN, field_of, memory_align, pointer_to_store, store
from beespace.compiler.types import (
    Address,
    Array,
    Bytes,
    Int,
    KernelObject,
    KernelPointer,
    Socket,
    StructType,
    Text,
    TextLiteral,
    is_memory,
    of_kind,
)
from beespace.compiler.values import Recipe, Value, offset
from beespace.hooks import resolve
from beespace.record import replace
from beespace.schema import ArrayKind, BytesKind, Field, Kind, PointerKind, Struct, VariableKind
from beespace.schema.kinds import kind_size

__all__ = ["assign", "assign_field", "check_writable", "construct", "display", "materialise", "zeroed"]


def construct(frame: Frame, cls: type[Struct], node: ast.Call) -> Value:
    """``Key(a=..., b=...)``: a recipe for a struct; fields that are not named are zero."""
    if node.args:
        example = cls.layout.fields[0].name if cls.layout.fields else "x"
        raise frame.error(
            rules.ArgumentNames, node.args[0], function=f"{cls.__name__}()", problem="takes its fields by name",
            suggestion=f"write {cls.__name__}({example}=...)",
        )  # fmt: skip
    prepare: ir.Block = ()
    parts: list[tuple[Field, Value, ast.expr]] = []
    reads = False
    for keyword in node.keywords:
        if keyword.arg is None:
            raise frame.error(rules.NotSupported, keyword.value, what="`**`", suggestion="name each field")
        if any(keyword.arg == field.name for field, _, _ in parts):
            raise frame.error(
                rules.ArgumentNames, keyword, function=f"{cls.__name__}()", problem=f"gets {keyword.arg} twice"
            )
        field = field_of(frame, cls, keyword.arg, keyword)
        if cls.layout.union and parts:
            raise frame.error(rules.UnionFields, keyword, name=cls.__name__, first=parts[0][0].name, second=field.name)
        value = frame.value(keyword.value, of_kind(field.kind))
        if not isinstance(field.kind, PointerKind):
            present(frame, value, keyword.value)
        place = f"{cls.__name__}.{field.name}"
        before, value, overlaps = _prepared(frame, value, field.kind, keyword.value, place)
        prepare += before
        reads = reads or overlaps
        parts.append((field, value, keyword.value))

    last = cls.layout.variable
    if last is not None and all(field is not last for field, _, _ in parts):
        assert isinstance(last.kind, VariableKind)
        parts.append((last, Value(TextLiteral(b"", raw=isinstance(last.kind.of, BytesKind))), node))

    def fill(target: ir.Expression, size: int, align: int) -> ir.Block:
        block = _zero_holes(cls, {field.name for field, _, _ in parts}, target, align)
        for field, value, value_node in parts:
            at = memory_align(align, field.offset)
            block += store(
                frame, offset(target, field.offset), at, field.kind, value, value_node, f"{cls.__name__}.{field.name}"
            )
        return block

    # Mistakes in what is stored show now, not where the recipe is carried out.
    fill(ir.Const(0, ir.PointerType(ir.Region.STACK)), cls.layout.size, cls.layout.align)
    return Value(StructType(cls), recipe=Recipe(fill, prepare, reads), align=cls.layout.align)


def _prepared(frame: Frame, value: Value, kind: Kind, node: ast.expr, place: str) -> tuple[ir.Block, Value, bool]:
    """A field's value with everything evaluated but the bytes that are written straight to their place."""
    if isinstance(kind, PointerKind):
        before, code = frame.bind(pointer_to_store(frame, kind, value, node, place))
        return before, Value(of_kind(kind), code), False
    if not is_memory(kind):
        type_ = of_kind(kind)
        before, code = frame.bind(fit(frame, value, type_, node, place))
        return before, Value(type_, code), False
    if value.recipe is not None:
        return value.recipe.prepare, replace(value, recipe=replace(value.recipe, prepare=())), value.recipe.reads
    if value.code is not None:
        before, code = frame.bind_address(value.code)
        return before, replace(value, code=code), isinstance(value.type, (Text, Bytes, Address, Array, StructType))
    return (), value, False


def display(frame: Frame, node: ast.List | ast.Tuple, kind: ArrayKind) -> Value:
    """``[1, 2, 3, 4]`` where an array is wanted: as many values as it has, each evaluated before any is stored."""
    if len(node.elts) != kind.length:
        found = f"a list of {len(node.elts)}"
        raise frame.error(rules.TypeMismatch, node, place=f"an {of_kind(kind)}", expected=f"{kind.length} values",
                          found=found)  # fmt: skip
    prepare: ir.Block = ()
    parts: list[Value] = []
    reads = False
    size = kind_size(kind.element)
    for element in node.elts:
        value = frame.value(element, of_kind(kind.element))
        if not isinstance(kind.element, PointerKind):
            present(frame, value, element)
        before, value, overlaps = _prepared(frame, value, kind.element, element, "an element")
        prepare += before
        reads = reads or overlaps
        parts.append(value)

    def fill(target: ir.Expression, room: int, align: int) -> ir.Block:
        block: ir.Block = ()
        for number, (value, element) in enumerate(zip(parts, node.elts, strict=True)):
            at = memory_align(align, number * size)
            block += store(frame, offset(target, number * size), at, kind.element, value, element, "an element")
        return block

    fill(ir.Const(0, ir.PointerType(ir.Region.STACK)), kind.size, kind.align)  # mistakes show now
    return Value(Array(kind), recipe=Recipe(fill, prepare, reads), align=kind.align)


def _zero_holes(cls: type[Struct], given: set[str], target: ir.Expression, align: int) -> ir.Block:
    """Zero what no argument covers: fields that are not named, and padding."""
    covered = sorted((field.offset, field.offset + field.size) for field in cls.layout.fields if field.name in given)
    holes: list[tuple[int, int]] = []
    reached = 0
    for start, end in [*covered, (cls.layout.size, cls.layout.size)]:
        if start > reached:
            holes.append((reached, start - reached))
        reached = max(reached, end)
    return tuple(_zero(target, at, at + size, align) for at, size in holes)


def _zero(target: ir.Expression, start: int, end: int, align: int) -> ir.Zero:
    return ir.Zero(offset(target, start), end - start, memory_align(align, start))


def zeroed(frame: Frame, type_: Text | Bytes | Array) -> Value:
    """``text(64)``: an empty text, as the first value of a local."""
    return Value(type_, recipe=Recipe(lambda target, size, align: (ir.Zero(target, size, align),)))


def materialise(frame: Frame, value: Value, kind: Kind, node: ast.AST) -> Value:
    """A value with memory of its own, where a recipe has none yet."""
    if value.recipe is None:
        return value
    slot = frame.scope.slot(kind_size(kind))
    block = value.recipe.prepare + value.recipe.fill(slot, kind_size(kind), SLOT_ALIGN)
    return Value(value.type, ir.Sequence(block, slot) if block else slot, align=SLOT_ALIGN)


def assign(
    frame: Frame, target: ir.Expression, align: int, kind: Kind, value: Value, node: ast.AST, place: str
) -> ir.Block:
    """Write ``value`` to memory that may be part of what it is made from; the value is evaluated first."""
    check_writable(frame, target, place, node)
    if isinstance(kind, PointerKind):
        before, code = frame.bind(pointer_to_store(frame, kind, value, node, place))
        between, pointer = frame.bind_address(target)
        return (*before, *between, ir.Store(pointer, code))
    if not is_memory(kind):
        before, code = frame.bind(fit(frame, value, of_kind(kind), node, place))
        between, pointer = frame.bind_address(target)
        return before + between + store(frame, pointer, align, kind, Value(of_kind(kind), code), node, place)
    present(frame, value, node)
    if value.recipe is not None and value.recipe.reads:
        value = materialise(frame, value, kind, node)
    before, pointer = frame.bind_address(target)
    if value.code is not None and not isinstance(value.type, (KernelObject, KernelPointer)):
        between, code = frame.bind_address(value.code)
        return between + before + store(frame, pointer, align, kind, replace(value, code=code), node, place)
    return before + store(frame, pointer, align, kind, value, node, place)


def assign_field(frame: Frame, owner: Value, node: ast.Attribute, value: Value, value_node: ast.AST) -> ir.Block:
    """``owner.name = value``."""
    type_ = owner.type
    if isinstance(type_, (KernelPointer, KernelObject)):
        return assign_kernel_field(frame, owner, node, value, value_node)
    if isinstance(type_, Socket):
        raise frame.error(rules.ReadOnly, node, what=f"{node.attr} of {type_}", why="read only")
    if not isinstance(type_, StructType):
        raise frame.error(rules.AssignTarget, node, what=f"a field of {type_}")
    field = field_of(frame, type_.cls, node.attr, node)
    check_writable(frame, owner.expression, f"{type_} in a packet", node)
    target = offset(owner.expression, field.offset)
    align = memory_align(owner.align, field.offset)
    return assign(frame, target, align, field.kind, value, value_node, f"{type_}.{field.name}")


def assign_kernel_field(frame: Frame, owner: Value, node: ast.Attribute, value: Value, value_node: ast.AST) -> ir.Block:
    """``sk.snd_cwnd = n``, where the interface that the program implements allows it."""
    type_ = owner.type
    assert isinstance(type_, (KernelPointer, KernelObject))
    current = kernel_types.field(frame, owner, node.attr, node)
    place = current.code
    if not type_.trusted or not isinstance(place, ir.Load) or not isinstance(place.pointer, ir.KernelField):
        raise frame.error(rules.KernelReadOnly, node, found=type_)
    access = place.pointer.access
    path = ".".join(step.name for step in access.steps if isinstance(step, ir.CoreMember))
    if not isinstance(current.type, Int) or not interfaces.may_write(frame, access.root, path):
        raise frame.error(rules.KernelReadOnly, node, found=type_)
    code = fit(frame, value, current.type, value_node, f"{access.root}.{path}")
    return (ir.Store(place.pointer, code, span=frame.code_span(node)),)


def check_writable(frame: Frame, target: ir.Expression, what: str, node: ast.AST) -> None:
    """A mistake if ``target`` lies in a packet, at a hook that may not change packets."""
    if target.type == ir.PointerType(ir.Region.PACKET) and not _changes_packets(frame):
        raise frame.error(
            rules.ReadOnly, node, what=what, why="packets are read only here",
            suggestion="copy the field into a local; programs of @xdp, @tc, @sk_msg and @sk_skb may change packets",
        )  # fmt: skip


def _changes_packets(frame: Frame) -> bool:
    """Whether this program may write into packets; of a sub-program, whether all programs of the class may."""
    if frame.attachment is not None:
        return frame.attachment.hook.program_type in WRITES_PACKETS
    programs = frame.unit.declaration.programs.values()
    return all(resolve(each.section).hook.program_type in WRITES_PACKETS for each in programs)
