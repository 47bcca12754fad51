"""Arenas: memory that programs and user space share, in which structs point to each other.

Invariant: a pointer is an address as user space has it; address space 1 tells LLVM, which has the kernel turn it into
its own before each access (``addr_space_cast``, Linux 6.9).  Nothing is checked before an access: where the arena has
no page, what is read is zero and what is written is lost (kernel/bpf/arena.c, BPF_PROBE_MEM32).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from beespace.compiler import ir, rules
from beespace.compiler.expressions.numbers import present
from beespace.compiler.frame import Frame
from beespace.compiler.kernel.functions import kernel_functions
from beespace.compiler.lost import count_lost
from beespace.compiler.maps.operations import Place, arguments
from beespace.compiler.memory import ARENA
from beespace.compiler.types import U32, U64, VOID, Optional, StructType
from beespace.compiler.values import Value, not_null, number, sequence
from beespace.lang import Arena, Map
from beespace.schema import ArrayKind, IntKind
from beespace.schema.kinds import kind_align, kind_size

__all__ = ["allocate", "define", "free", "new", "value", "variables"]

_PAGE = 4096
_WORD = 8
_ANY_NODE = -1  # NUMA_NO_NODE
_POINTER = ir.CorePointer(arena=True)
_ALLOCATE = ir.CorePrototype(
    _POINTER, (ir.CorePointer(), _POINTER, ir.CoreInt(4), ir.CoreInt(4, signed=True), ir.CoreInt(8))
)
_FREE = ir.CorePrototype(None, (ir.CorePointer(), _POINTER, ir.CoreInt(4)))


def define(name: str, map: Map) -> ir.MapDefinition:
    """An arena has neither keys nor values; ``max_entries`` are pages."""
    return ir.MapDefinition(name, map.map_type, max_entries=map.max_entries, flags=map.flags)


def variables(name: str, map: Map) -> Iterator[ir.GlobalDefinition]:
    """What stands in the arena: its value, and where its pool begins and ends, which user space says."""
    if isinstance(map, Arena) and map.value_kind is not None:
        for variable, kind in ((map.variable, map.value_kind), (map.pool_variable, _POOL)):
            yield ir.GlobalDefinition(f"{name}{variable}", kind, ir.Section.ARENA, bytes(kind_size(kind)))


_POOL = ArrayKind(IntKind("u64", 64), 2)


def value(frame: Frame, place: Place) -> tuple[ir.Block, ir.Expression]:
    """``self.arena.value``: where it is."""
    assert isinstance(place.map, Arena)
    return (), ir.ArenaAddress(place.name + place.map.variable)


def _struct(frame: Frame, place: Place, node: ast.Call) -> StructType:
    """The class that a word is told."""
    from beespace.compiler.names import annotation  # which knows the words of maps

    (named,) = arguments(frame, place, node, "struct")
    type_ = annotation(frame, named)
    if not isinstance(type_, StructType):
        assert isinstance(node.func, ast.Attribute)
        where = f"{place.name}.{node.func.attr}()"
        raise frame.error(rules.TypeMismatch, named, place=where, expected="a Struct class", found=type_)
    return type_


def new(frame: Frame, place: Place, node: ast.Call) -> Value:
    """``self.arena.new(Node)``: the next bytes of the pool, or None."""
    arena = place.map
    assert isinstance(arena, Arena)
    type_ = _struct(frame, place, node)
    if not arena.pool:
        raise frame.error(
            rules.ArenaUse, node, what="new()", name=place.name, problem="has no memory to take from",
            suggestion=f'give it some: `{place.name} = Arena(..., pool="1 MiB")`',
        )  # fmt: skip
    size = -(-kind_size(type_.cls) // _WORD) * _WORD
    pool = ir.ArenaAddress(place.name + arena.pool_variable)
    taking = ir.Atomic(ir.AtomicOp.ADD, pool, number(size, U64))
    before, address = frame.bind(taking)
    last = ir.Binary(ir.BinaryOp.ADD, address, number(size, U64))
    fits = ir.Compare(ir.CompareOp.LE, last, ir.Load(ir.Offset(pool, _WORD), ir.U64))
    found = frame.scope.fresh("new")
    there = ir.Assign(found, ir.Convert(address, ARENA))
    block: ir.Block = (*before, ir.Declare(found, ARENA), ir.If(fits, (there,), count_lost(frame, place.name)))
    return Value(Optional(type_), sequence(block, ir.Local(found, ARENA)), align=kind_align(type_.cls))


def allocate(frame: Frame, place: Place, node: ast.Call) -> Value:
    """``self.arena.allocate(Chunk)``: pages of the kernel's, or None."""
    type_ = _struct(frame, place, node)
    _check_there(frame, "bpf_arena_alloc_pages", node)
    pages = -(-kind_size(type_.cls) // _PAGE)
    codes = (place.address, ir.Const(0, ARENA), number(pages, U32), ir.Const(_ANY_NODE, ir.I32), number(0, U64))
    span = frame.code_span(node)
    code = ir.KernelFunction("bpf_arena_alloc_pages", codes, ARENA, _ALLOCATE, span=span)
    before, pointer = frame.bind(code)
    lost = ir.If(ir.Not(not_null(pointer)), count_lost(frame, place.name))
    return Value(Optional(type_), sequence((*before, lost), pointer), align=kind_align(type_.cls))


def free(frame: Frame, place: Place, node: ast.Call) -> Value:
    """``self.arena.free(chunk)``: its pages go back to the kernel."""
    (named,) = arguments(frame, place, node, "pointer")
    found = present(frame, frame.value(named), named)
    if not isinstance(found.type, StructType) or found.code is None or found.code.type != ARENA:
        where = f"{place.name}.free()"
        raise frame.error(rules.TypeMismatch, named, place=where, expected="what allocate() gave", found=found.type)
    _check_there(frame, "bpf_arena_free_pages", node)
    pages = number(-(-kind_size(found.type.cls) // _PAGE), U32)
    codes = (place.address, found.code, pages)
    code = ir.KernelFunction("bpf_arena_free_pages", codes, ir.VOID, _FREE, span=frame.code_span(node))
    return Value(VOID, ir.Sequence((ir.Evaluate(code),), ir.Const(0, ir.U64)))


def _check_there(frame: Frame, name: str, node: ast.AST) -> None:
    if name not in kernel_functions(frame.unit.btf):
        raise frame.error(rules.NotInKernel, node, what=f"{name}()", since="6.9")
