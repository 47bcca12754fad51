"""Addresses, loads, stores, copies: what a pointer's region means in instructions.

Invariant: the verifier accepts what stands here whatever LLVM makes of the surroundings.
Context and socket fields are read in place by one volatile access behind
``llvm.preserve.static.offset`` (else two loads are merged into one of a computed offset); addresses behind a
relocation go through ``llvm.bpf.passthrough``; packet pointers that moved by a variable, and pointers made
of 32-bit integers, pass an empty asm, so that LLVM neither computes them twice nor thinks them short.
Blocks of bytes are moved by plain loads and stores: a call of memcpy() cannot be linked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from beespace.compiler import ir
from beespace.compiler.llvm.core import Relocation
from beespace.compiler.llvm.writer import FunctionWriter, llvm_type

__all__ = [
    "add",
    "barrier",
    "context_field",
    "copy",
    "kernel_bitfield",
    "kernel_field",
    "load",
    "store",
    "zero",
]

_R = ir.Region
_FIXED = (_R.CONTEXT, _R.SOCKET)
_BY_FIELD = (_R.OBJECT, _R.LENT)  # the verifier lets no access reach over two fields, so that LLVM must not merge them
_PROBES = {_R.KERNEL_TRUSTED: 113, _R.KERNEL_UNTRUSTED: 113, _R.USER: 112}  # bpf_probe_read_kernel(), _user()
_MANY = 4  # as many pieces are zeroed by an instruction of LLVM's own
_UNROLLED = 64  # more pieces than this are moved by a loop
_PROBE_TEMPORARY = ".probe"


def region_of(pointer: ir.Expression) -> ir.Region:
    assert isinstance(pointer.type, ir.PointerType)  # the IR was verified
    return pointer.type.region


# --- addresses ---


def add(writer: FunctionWriter, pointer: str, offset: int | str, type: str = "ptr") -> str:
    """``pointer + offset``; ``offset`` is a number or an i64."""
    return pointer if offset == 0 else writer.value(f"getelementptr i8, {type} {pointer}, i64 {offset}")


def barrier(writer: FunctionWriter, type: str, value: str) -> str:
    """``value``, about which LLVM now knows nothing."""
    return writer.value(f'call {type} asm sideeffect "", "=r,0"({type} {value})')


def context_field(writer: FunctionWriter, pointer: str, offset: int) -> str:
    writer.unit.intrinsic("declare ptr @llvm.preserve.static.offset(ptr)")
    base = writer.value(f"call ptr @llvm.preserve.static.offset(ptr {pointer})")
    return writer.value(f"getelementptr i8, ptr {base}, i64 {offset}")


def kernel_field(writer: FunctionWriter, pointer: str, access: ir.CoreAccess) -> str:
    offset = writer.value(f"load i64, ptr {writer.unit.core.field(Relocation.BYTE_OFFSET, access)}, align 8")
    address = writer.value(f"getelementptr i8, ptr {pointer}, i64 {offset}")
    return pass_through(writer, "ptr", address)


def pass_through(writer: FunctionWriter, type: str, value: str) -> str:
    """``value`` through the intrinsic that keeps LLVM from merging what relocations depend on."""
    mark = "p0" if type == "ptr" else type
    writer.unit.intrinsic(f"declare {type} @llvm.bpf.passthrough.{mark}.{mark}(i32, {type})")
    number = writer.unit.pass_through
    writer.unit.pass_through += 1
    return writer.value(f"call {type} @llvm.bpf.passthrough.{mark}.{mark}(i32 {number}, {type} {value})")


# --- single values ---


def load(writer: FunctionWriter, pointer: str, node: ir.Load) -> str:
    region = region_of(node.pointer)
    if region in _PROBES and region is not _R.KERNEL_TRUSTED:
        pointer = probe(writer, region, pointer, node.type.size)
    volatile = " volatile" if node.volatile or region in (*_FIXED, *_BY_FIELD) else ""
    align = node.align or max(1, node.type.size)
    type = llvm_type(node.pointer.type)
    if isinstance(node.type, ir.BoolType):
        byte = writer.value(f"load{volatile} i8, {type} {pointer}, align 1")
        return writer.value(f"icmp ne i8 {byte}, 0")
    return writer.value(f"load{volatile} {llvm_type(node.type)}, {type} {pointer}, align {align}")


def probe(writer: FunctionWriter, region: ir.Region, pointer: str, size: int | str) -> str:
    """Read up to 8 bytes by helper; where they are now.  ``size`` is a number or an i64."""
    target = writer.memory(_PROBE_TEMPORARY, 8, 8)
    helper(writer, _PROBES[region], f"ptr {target}, i64 {size}, ptr {pointer}")
    return target


def helper(writer: FunctionWriter, number: int, arguments: str, result: str = "i64", attributes: str = "") -> str:
    return writer.value(f"call {result} inttoptr (i64 {number} to ptr)({arguments}){attributes}")


def store(writer: FunctionWriter, pointer: str, value: str, node: ir.Store) -> None:
    type = node.value.type
    volatile = " volatile" if node.volatile or region_of(node.pointer) in (*_FIXED, *_BY_FIELD) else ""
    if isinstance(type, ir.BoolType):
        value = writer.value(f"zext i1 {value} to i8")
    name = "i8" if isinstance(type, ir.BoolType) else llvm_type(type)
    place = f"{llvm_type(node.pointer.type)} {pointer}"
    writer.effect(f"store{volatile} {name} {value}, {place}, align {node.align or max(1, type.size)}")


def kernel_bitfield(writer: FunctionWriter, pointer: str, node: ir.KernelBitfield) -> str:
    """Read the unit that holds the bits, then shift them up and down, all by what the target kernel says."""
    core = writer.unit.core
    address = kernel_field(writer, pointer, node.access)

    def ask(question: Relocation) -> str:
        return pass_through(writer, "i64", writer.value(f"load i64, ptr {core.field(question, node.access)}, align 8"))

    unit = writer.memory(_PROBE_TEMPORARY, 8, 8)
    writer.effect(f"store i64 0, ptr {unit}, align 8")
    probe(writer, _R.KERNEL_UNTRUSTED, address, ask(Relocation.BYTE_SIZE))
    word = writer.value(f"load i64, ptr {unit}, align 8")
    left = writer.value(f"and i64 {ask(Relocation.LEFT_SHIFT)}, 63")
    right = writer.value(f"and i64 {ask(Relocation.RIGHT_SHIFT)}, 63")
    raised = writer.value(f"shl i64 {word}, {left}")
    signed = writer.value(f"icmp ne i64 {ask(Relocation.SIGNED)}, 0")
    with_sign = writer.value(f"ashr i64 {raised}, {right}")
    without = writer.value(f"lshr i64 {raised}, {right}")
    result = writer.value(f"select i1 {signed}, i64 {with_sign}, i64 {without}")
    return result if node.type.bits == 64 else writer.value(f"trunc i64 {result} to i{node.type.bits}")


# --- blocks of bytes ---


def copy(writer: FunctionWriter, target: str, source: str, node: ir.Copy) -> None:
    region = region_of(node.source)
    if region in _PROBES:
        helper(writer, _PROBES[region], f"ptr {target}, i64 {node.size}, ptr {source}")
        return

    reads, writes = llvm_type(node.source.type), llvm_type(node.target.type)
    reading = " volatile" if region in _BY_FIELD else ""
    writing = " volatile" if region_of(node.target) in _BY_FIELD else ""

    def piece(offset: int | str, size: int) -> None:
        place = f"{reads} {add(writer, source, offset, reads)}"
        value = writer.value(f"load{reading} i{size * 8}, {place}, align {size}")
        place = f"{writes} {add(writer, target, offset, writes)}"
        writer.effect(f"store{writing} i{size * 8} {value}, {place}, align {size}")

    _pieces(writer, node.size, node.align, piece)


def zero(writer: FunctionWriter, pointer: str, node: ir.Zero) -> None:
    type = llvm_type(node.pointer.type)
    volatile = " volatile" if region_of(node.pointer) in _BY_FIELD else ""
    plain = region_of(node.pointer) not in (*_BY_FIELD, _R.ARENA)
    if plain and _MANY <= node.size // node.align <= _UNROLLED:
        # One instruction for all of LLVM's passes, and these stores in the end.
        writer.unit.intrinsic("declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)")
        where = f"ptr align {node.align} {pointer}"
        writer.effect(f"call void @llvm.memset.p0.i64({where}, i8 0, i64 {node.size}, i1 false)")
        return

    def piece(offset: int | str, size: int) -> None:
        writer.effect(f"store{volatile} i{size * 8} 0, {type} {add(writer, pointer, offset, type)}, align {size}")

    _pieces(writer, node.size, node.align, piece)


def _pieces(writer: FunctionWriter, size: int, align: int, piece: Callable[[int | str, int], None]) -> None:
    """Do ``piece(offset, bytes)`` for every aligned piece of ``size`` bytes."""
    whole = size // align
    start = 0
    if whole > _UNROLLED:
        start = whole * align
        counter = writer.memory(writer.fresh(".i"), 8, 8)
        head, body, after = writer.fresh("head"), writer.fresh("body"), writer.fresh("after")
        writer.effect(f"store i64 0, ptr {counter}, align 8")
        writer.jump(head)
        writer.start(head)
        offset = writer.value(f"load i64, ptr {counter}, align 8")
        writer.branch(writer.value(f"icmp ult i64 {offset}, {start}"), body, after)
        writer.start(body)
        piece(offset, align)
        writer.effect(f"store i64 {writer.value(f'add i64 {offset}, {align}')}, ptr {counter}, align 8")
        writer.jump(head)
        writer.start(after)
    for offset_, length in _split(start, size, align):
        piece(offset_, length)


def _split(start: int, end: int, align: int) -> Iterator[tuple[int, int]]:
    while start < end:
        while start + align > end:
            align //= 2
        yield start, align
        start += align
