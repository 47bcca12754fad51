"""Fields of kernel objects, typed from BTF.

Invariant: a field's offset is never written down; what is read becomes a CO-RE access, so that the
object runs on kernels whose structs differ from those it was compiled with.
"""

from __future__ import annotations

import ast

from beespace import btf as kernel
from beespace.compiler import ir, rules
from beespace.compiler.diagnostics import did_you_mean
from beespace.compiler.frame import Frame
from beespace.compiler.types import BOOL, Int, KernelObject, KernelPointer, Optional, Type
from beespace.compiler.values import Value

__all__ = [
    "MAY_BE_NULL",
    "address",
    "argument",
    "char_array",
    "core_kind",
    "element",
    "field",
    "is_plain",
    "is_network_order",
    "member_names",
    "pointer_type",
    "read",
]

# Integers in network order, by the typedefs that the kernel marks them with (include/uapi/linux/types.h).
_NETWORK_ORDER = {"__be16", "__be32", "__be64"}

# Pointers that the verifier takes as null until they are checked: BTF_TYPE_SAFE_TRUSTED_OR_NULL and
# BTF_TYPE_SAFE_RCU_OR_NULL in kernel/bpf/verifier.c.
MAY_BE_NULL = {
    ("socket", "sk"),
    ("dentry", "d_inode"),
    ("vm_area_struct", "vm_mm"),
    ("vm_area_struct", "vm_file"),
    ("mm_struct", "exe_file"),
    ("sk_buff", "sk"),
    ("request_sock", "sk"),
}


def address(value: Value) -> ir.Expression:
    """The address of an embedded object."""
    assert isinstance(value.type, KernelObject)
    return ir.KernelField(_plain(value.expression), value.type.access)


def _plain(base: ir.Expression) -> ir.Expression:
    """A tracepoint's record is its context; as an address it is a kernel address like any other."""
    if base.type == ir.PointerType(ir.Region.CONTEXT):
        return ir.Convert(base, ir.PointerType(ir.Region.KERNEL_UNTRUSTED))
    return base


def char_array(frame: Frame, type_: KernelObject) -> int | None:
    """How many bytes an array of single bytes has (0: to its end); ``None`` for anything else."""
    target = frame.unit.btf.type(type_.target)
    if not isinstance(target, kernel.Array):
        return None
    of = frame.unit.btf.type(frame.unit.btf.resolve(target.type))
    return target.count if isinstance(of, kernel.Int) and of.size == 1 else None


def is_plain(frame: Frame, type_: KernelPointer) -> bool:
    """Whether it points to a number or to another pointer."""
    return isinstance(frame.unit.btf.type(type_.target), (kernel.Int, kernel.Enum, kernel.Pointer))


def member_names(btf: kernel.Btf, struct_id: int) -> list[str]:
    """The names that can be written after the dot, those of anonymous members included."""
    struct = btf.type(btf.resolve(struct_id))
    names: list[str] = []
    if isinstance(struct, kernel.Struct):
        for member in struct.members:
            names += [member.name] if member.name else member_names(btf, member.type)
    return names


def pointer_type(btf: kernel.Btf, type_id: int, *, trusted: bool) -> KernelPointer:
    """The static type of a pointer (a BTF id behind typedefs and modifiers)."""
    pointer = btf.type(btf.resolve(type_id))
    assert isinstance(pointer, kernel.Pointer)
    target = btf.resolve(pointer.type)
    declared = btf.type(target)
    # The verifier follows pointers to structs alone; what others point to is read by helper.
    trusted = trusted and isinstance(declared, (kernel.Struct, kernel.Forward))
    if isinstance(declared, kernel.Forward):
        target = _definition(btf, target)
        return KernelPointer(target, f"{'union' if declared.is_union else 'struct'} {declared.name}", trusted)
    return KernelPointer(target, btf.describe(target), trusted)


def _definition(btf: kernel.Btf, forward: int) -> int:
    kind = kernel.Kind.UNION if getattr(btf.type(forward), "is_union", False) else kernel.Kind.STRUCT
    try:
        return btf.find(btf.name(forward), kind)
    except KeyError:
        return forward


def field(frame: Frame, value: Value, name: str, node: ast.AST) -> Value:
    """``value.name`` where value is a kernel pointer or an object embedded in one."""
    btf = frame.unit.btf
    type_ = value.type
    assert isinstance(type_, (KernelPointer, KernelObject))
    struct = btf.type(type_.target)
    if not isinstance(struct, kernel.Struct):
        raise frame.error(
            rules.UnreadableField, node, name=name, found=f"a field of {type_}", why=f"{type_.name} has no fields",
            suggestion="only structs and unions that the kernel's type information defines have fields",
        )  # fmt: skip
    try:
        path = btf.member(type_.target, name)
    except KeyError:
        raise frame.error(
            rules.NoKernelField, node, type=type_.name, name=name,
            suggestion=did_you_mean(name, member_names(btf, type_.target)),
        ) from None  # fmt: skip
    if isinstance(type_, KernelPointer):
        if not struct.name:
            raise frame.error(rules.NoKernelName, node, type=type_.name)
        access = ir.CoreAccess(struct.name, (), struct.is_union)
    else:
        access = type_.access
    step = ir.CoreMember(name, core_kind(btf, path.type_id, path.bitfield_size))
    access = ir.CoreAccess(access.root, (*access.steps, step), access.union)
    may_be_null = (struct.name, name) in MAY_BE_NULL
    return read(
        frame, value.expression, access, path.type_id, path.bitfield_size, type_.trusted, name, node, may_be_null
    )


def element(frame: Frame, value: Value, index: int, node: ast.AST) -> Value:
    """One element of an array embedded in a kernel object."""
    btf = frame.unit.btf
    type_ = value.type
    assert isinstance(type_, KernelObject)
    array = btf.type(type_.target)
    if not isinstance(array, kernel.Array):
        raise frame.error(rules.NotCallable, node, found=f"{type_}[...]", suggestion="only arrays have elements")
    if not 0 <= index < max(array.count, 1):
        raise frame.error(rules.IndexOutOfRange, node, found=f"the index is {index}", length=array.count)
    access = ir.CoreAccess(type_.access.root, (*type_.access.steps, ir.CoreElement(index)), type_.access.union)
    return read(frame, value.expression, access, array.type, 0, type_.trusted, f"[{index}]", node, may_be_null=False)


def read(
    frame: Frame,
    base: ir.Expression,
    access: ir.CoreAccess,
    type_id: int,
    bits: int,
    trusted: bool,
    name: str,
    node: ast.AST,
    may_be_null: bool,
) -> Value:
    """The value at ``access``: a number or pointer is loaded, a struct or array is left where it is."""
    btf = frame.unit.btf
    resolved = btf.resolve(type_id)
    target = btf.type(resolved)
    place = ir.KernelField(base, access)
    if bits:
        if base.type == ir.PointerType(ir.Region.USER):
            raise frame.error(
                rules.UnreadableField, node, name=name, found="a bit-field", why="in memory of a process",
                suggestion="read the number that it is part of: bpf.user(address, u32)",
            )  # fmt: skip
        signed = _is_signed(target)
        width = next(width for width in (8, 16, 32, 64) if bits <= width)
        type_ = Int(width, signed)
        return Value(type_, ir.KernelBitfield(_plain(base), access, type_.code))
    if isinstance(target, kernel.Int) and target.encoding & kernel.IntEncoding.BOOL:
        return Value(BOOL, ir.Convert(ir.Load(place, ir.U8), ir.BOOL))
    if isinstance(target, (kernel.Int, kernel.Enum)) and target.size in (1, 2, 4, 8):
        type_ = Int(8 * target.size, _is_signed(target))
        load: ir.Expression = ir.Load(place, type_.code, span=frame.code_span(node))
        if target.size > 1 and is_network_order(btf, type_id):
            load = ir.ByteSwap(load)
        return Value(type_, load)
    if isinstance(target, kernel.Pointer):
        pointer: Type = pointer_type(btf, resolved, trusted=trusted)
        if may_be_null:
            pointer = Optional(pointer)
        return Value(pointer, ir.Load(place, _like(base, trusted), span=frame.code_span(node)))
    if isinstance(target, (kernel.Struct, kernel.Array)):
        return Value(KernelObject(resolved, btf.describe(resolved), trusted, access), base)
    raise frame.error(
        rules.UnreadableField, node, name=name, found=btf.describe(type_id), why="no number, pointer, struct or array",
    )  # fmt: skip


def _like(base: ir.Expression, trusted: bool) -> ir.PointerType:
    """A pointer that is found in user memory points to user memory."""
    if base.type == ir.PointerType(ir.Region.USER):
        return ir.PointerType(ir.Region.USER)
    return ir.PointerType(ir.Region.KERNEL_TRUSTED if trusted else ir.Region.KERNEL_UNTRUSTED)


def argument(
    frame: Frame, slot: ir.Expression, type_id: int, *, trusted: bool, may_be_null: bool, node: ast.AST
) -> Value:
    """A tracepoint's argument: ``slot`` is the address of its 64 bits."""
    btf = frame.unit.btf
    resolved = btf.resolve(type_id)
    target = btf.type(resolved)
    if isinstance(target, kernel.Pointer):
        region = ir.Region.KERNEL_TRUSTED if trusted else ir.Region.KERNEL_UNTRUSTED
        pointer: Type = pointer_type(btf, resolved, trusted=trusted)
        return Value(Optional(pointer) if may_be_null else pointer, ir.Load(slot, ir.PointerType(region)))
    if isinstance(target, kernel.Int) and target.encoding & kernel.IntEncoding.BOOL:
        return Value(BOOL, ir.Convert(ir.Convert(ir.Load(slot, ir.U64), ir.U8), ir.BOOL))
    if isinstance(target, (kernel.Int, kernel.Enum)) and target.size in (1, 2, 4, 8):
        type_ = Int(8 * target.size, _is_signed(target))
        code: ir.Expression = ir.Load(slot, ir.U64)
        code = code if type_.code == ir.U64 else ir.Convert(code, type_.code)
        return Value(type_, ir.ByteSwap(code) if target.size > 1 and is_network_order(btf, type_id) else code)
    raise frame.error(
        rules.UnreadableField, node, name="the argument", found=btf.describe(type_id), why="no number or pointer",
        suggestion="a struct passed by value is not reached",
    )  # fmt: skip


def _is_signed(target: kernel.Type) -> bool:
    return target.is_signed if isinstance(target, (kernel.Int, kernel.Enum)) else False


def is_network_order(btf: kernel.Btf, type_id: int) -> bool:
    current = type_id
    while isinstance(found := btf.type(current), (kernel.Typedef, kernel.Modifier)):
        if isinstance(found, kernel.Typedef) and found.name in _NETWORK_ORDER:
            return True
        current = found.type
    return False


def core_kind(btf: kernel.Btf, type_id: int, bits: int) -> ir.CoreKind:
    """What CO-RE must know of a member's type; ``bits`` is its width if it is a bit-field."""
    resolved = btf.resolve(type_id)
    match btf.type(resolved):
        case kernel.Int() as number:
            return ir.CoreInt(number.size, number.is_signed, bits or None)
        case kernel.Enum() as enum:
            if bits:
                return ir.CoreInt(enum.size, enum.is_signed, bits)
            return ir.CoreEnum(enum.name, enum.size)
        case kernel.Struct() as struct:
            return ir.CoreStruct(struct.name, struct.is_union)
        case kernel.Array() as array:
            return ir.CoreArray(core_kind(btf, array.type, 0), array.count)
        case _:
            return ir.CorePointer()
