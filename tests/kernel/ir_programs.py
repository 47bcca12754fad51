"""Programs of IR by hand, in few words: for the tests that compile, load and run them."""

from __future__ import annotations

from beespace.compiler import ir
from beespace.compiler.ir import (
    I32,
    U32,
    U64,
    Binary,
    BinaryOp,
    Compare,
    CompareOp,
    Const,
    Convert,
    Expression,
    Function,
    GlobalAddress,
    GlobalDefinition,
    Helper,
    Local,
    Module,
    Parameter,
    PointerType,
    Region,
    Return,
    Section,
    Slot,
    Statement,
    Store,
)
from beespace.compiler.worker import Worker
from beespace.elf import read
from beespace.isa.helpers import HELPERS
from beespace.kernel import LoadedObject, load
from beespace.schema import Kind
from beespace.types import u64

CTX = PointerType(Region.CONTEXT)
VALUE = PointerType(Region.MAP_VALUE)
PACKET = PointerType(Region.PACKET)
MAP = PointerType(Region.MAP)
RING = PointerType(Region.RING)
STACK = PointerType(Region.STACK)
SOCKET = PointerType(Region.SOCKET)
TRUSTED = PointerType(Region.KERNEL_TRUSTED)
UNTRUSTED = PointerType(Region.KERNEL_UNTRUSTED)
USER = PointerType(Region.USER)
EQ, NE, LT, LE, GT = CompareOp.EQ, CompareOp.NE, CompareOp.LT, CompareOp.LE, CompareOp.GT
EGRESS = "cgroup_skb/egress"
ctx = Local("ctx", CTX)


def n(value: int, type: ir.Type = U32) -> Const:
    return Const(value, type)


def null(type: ir.Type) -> Const:
    return Const(0, type)


def is_(op: CompareOp, left: Expression, right: Expression) -> Compare:
    return Compare(op, left, right)


def add(left: Expression, right: Expression) -> Binary:
    return Binary(BinaryOp.ADD, left, right)


def call(name: str, type: ir.Type, *arguments: Expression) -> Helper:
    return Helper(HELPERS[name].number, name, arguments, type)


def program(*body: Statement, name: str = "f", section: str = EGRESS, slots: tuple[Slot, ...] = ()) -> Function:
    return Function(name, (Parameter("ctx", CTX),), I32, body, section, slots, fallback=1)


def passes(value: Expression | int = 1) -> Return:
    return Return(Const(value, I32) if isinstance(value, int) else Convert(value, I32))


def out(name: str = "out", kind: Kind = u64, size: int = 8) -> GlobalDefinition:
    return GlobalDefinition(name, kind, Section.BSS, bytes(size))


def put(value: Expression, name: str = "out") -> Store:
    return Store(GlobalAddress(name), value if value.type == U64 else Convert(value, U64))


def open_module(worker: Worker, module: Module, **variables: int) -> LoadedObject:
    return load(read(worker.build(module).object, module.name), variables=variables)
