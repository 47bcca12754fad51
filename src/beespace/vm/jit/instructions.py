"""What each instruction is in LLVM's language: the forms of :mod:`beespace.vm.instructions`, in the same order.

A form gives up, before it has done anything, wherever the interpreter would find something wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from beespace.isa.insn import Insn
from beespace.isa.opcode_table import opcode_table
from beespace.isa.opcodes import (
    CALL,
    CALL_HELPER,
    CALL_KFUNC,
    CALL_LOCAL,
    AluOp,
    AtomicOp,
    InsnClass,
    Mode,
    Pseudo,
    Source,
)
from beespace.vm.jit import layout
from beespace.vm.jit.arithmetic import ATOMIC, BINARY, COMPARE, SIGNED
from beespace.vm.jit.flow import jumps_to
from beespace.vm.jit.function import FAULT, RESULT, WRITTEN, Function

__all__ = ["FORMS"]

Form: TypeAlias = Callable[[Function, Insn], None]

_CLASS = 0x07
_U32 = (1 << 32) - 1
_FRAME_POINTER = 10


def _bits(insn: Insn) -> int:
    return 64 if insn.opcode & _CLASS in (InsnClass.ALU64, InsnClass.JMP) else 32


def _second(f: Function, insn: Insn, bits: int) -> str:
    return f.narrow(f.get(insn.src), bits) if insn.is_register else str(insn.imm)


# -- arithmetic ----------------------------------------------------------------------------------------------------


def _binary(f: Function, insn: Insn) -> None:
    bits = _bits(insn)
    compute = BINARY[insn.operation] if insn.off == 0 else SIGNED.get(insn.operation) if insn.off == 1 else None
    if compute is None:
        raise f.give_up()
    f.writable(insn.dst)
    on_stack = f.offsets.get(insn.dst)
    first, second = f.narrow(f.get(insn.dst), bits), _second(f, insn, bits)
    f.set(insn.dst, f.wide(compute(f, first, second, bits), bits))
    if on_stack is not None and insn.opcode == InsnClass.ALU64 | AluOp.ADD:
        f.offsets[insn.dst] = on_stack + insn.imm


def _negate(f: Function, insn: Insn) -> None:
    bits = _bits(insn)
    f.writable(insn.dst)
    f.set(insn.dst, f.wide(f.value(f"sub i{bits} 0, {f.narrow(f.get(insn.dst), bits)}"), bits))


def _move(f: Function, insn: Insn) -> None:
    bits = _bits(insn)
    if insn.off and (not insn.is_register or insn.off not in ((8, 16, 32) if bits == 64 else (8, 16))):
        raise f.give_up()
    f.writable(insn.dst)
    value = _second(f, insn, bits)
    if insn.off:
        value = f.value(f"sext i{insn.off} {f.value(f'trunc i{bits} {value} to i{insn.off}')} to i{bits}")
    elif bits == 32 and not insn.is_register:
        value = str(insn.imm & _U32)
    on_stack = None
    if insn.opcode == InsnClass.ALU64 | AluOp.MOV | Source.X and not insn.off:
        on_stack = 0 if insn.src == _FRAME_POINTER else f.offsets.get(insn.src)
    f.set(insn.dst, f.wide(value, bits) if insn.is_register else value)
    if on_stack is not None:
        f.offsets[insn.dst] = on_stack


def _byte_order(f: Function, insn: Insn) -> None:
    if insn.imm not in (16, 32, 64):
        raise f.give_up()
    f.writable(insn.dst)
    value = f.narrow(f.get(insn.dst), insn.imm)
    if insn.opcode & _CLASS == InsnClass.ALU64 or insn.is_register:
        value = f.value(f"call i{insn.imm} @llvm.bswap.i{insn.imm}(i{insn.imm} {value})")
    f.set(insn.dst, f.wide(value, insn.imm))


# -- jumps ---------------------------------------------------------------------------------------------------------


def _jump(f: Function, insn: Insn) -> None:
    f.effect(f"br label %{f.at_target(jumps_to(f.at, insn))}")


def _jump_if(f: Function, insn: Insn) -> None:
    bits = _bits(insn)
    first, second = f.narrow(f.get(insn.dst), bits), _second(f, insn, bits)
    _branch(f, insn, COMPARE[insn.operation](f, first, second, bits))


def _branch(f: Function, insn: Insn, condition: str) -> None:
    there, on = f.at_target(jumps_to(f.at, insn)), f.at_target(f.at + 1)
    f.effect(f"br i1 {condition}, label %{there}, label %{on}")


def _may_go(f: Function, insn: Insn) -> None:
    left = f.value("load i64, ptr %rounds")
    none = f.value(f"icmp eq i64 {left}, 0")
    less = f.value(f"sub i64 {left}, 1")
    f.effect(f"store i64 {f.value(f'select i1 {none}, i64 0, i64 {less}')}, ptr %rounds")
    _branch(f, insn, none)


def _exit(f: Function, insn: Insn) -> None:
    f.leave()


def _call(f: Function, insn: Insn) -> None:
    target = f.at + 1 + insn.imm
    if insn.opcode == CALL and insn.src == CALL_LOCAL and 0 <= target < len(f.insns):
        _call_local(f, target)
    elif insn.is_register or insn.src in (CALL_HELPER, CALL_KFUNC):
        if insn.is_register:
            f.get(insn.dst)
        f.assist()
        f.set_left(f.load_word(layout.LEFT))  # of callbacks, too
        written = f.value(f"icmp ne i64 {f.load_word(layout.WRITTEN)}, 0")
        f.result(f.load_word(layout.REGISTERS), written)
        f.clobbered()
        f.forget()
    else:
        raise f.give_up()
    f.effect(f"br label %{f.at_target(f.at + 1)}")


def _call_local(f: Function, target: int) -> None:
    f.unless(f.value(f"icmp ult i64 %inside, {layout.MAX_FRAMES}"), f.giving_up())
    values = [f.left_of(), f.value("load i64, ptr %next"), "%inside"]
    values += [f.value(f"load i64, ptr %r{number}") for number in range(1, 6)]
    arguments = ", ".join(f"i64 {value}" for value in (*values, f.written(range(1, 6))))
    got = f.value(f"call {RESULT} @f{target}(ptr %s, {arguments})")
    value, left, last = (f.value(f"extractvalue {RESULT} {got}, {place}") for place in range(3))
    status = f.value(f"and i64 {last}, 3")
    f.set_left(left)
    f.effect(f"store i64 {f.value(f'lshr i64 {last}, 2')}, ptr %next")
    f.effect(f"store i32 {FAULT}, ptr %status")
    f.effect("store i64 0, ptr %result")
    f.unless(f.value(f"icmp ne i64 {status}, {FAULT}"), "leave")
    f.result(value, f.value(f"icmp eq i64 {status}, {WRITTEN}"))
    f.clobbered()
    if target not in f.quiet:
        f.forget()


# -- memory --------------------------------------------------------------------------------------------------------


def _load(f: Function, insn: Insn) -> None:
    f.writable(insn.dst)
    bits = 8 * insn.size.width
    place = f.reach(insn.src, insn.off, insn.size.width, writes=False)
    f.set(insn.dst, f.wide(f.value(f"load i{bits}, ptr {place}, align 1"), bits))


def _load_signed(f: Function, insn: Insn) -> None:
    f.writable(insn.dst)
    bits = 8 * insn.size.width
    place = f.reach(insn.src, insn.off, insn.size.width, writes=False)
    f.set(insn.dst, f.value(f"sext i{bits} {f.value(f'load i{bits}, ptr {place}, align 1')} to i64"))


def _store(f: Function, insn: Insn) -> None:
    bits = 8 * insn.size.width
    place = f.reach(insn.dst, insn.off, insn.size.width, writes=True)
    value = str(insn.imm) if insn.opcode & _CLASS == InsnClass.ST else f.get(insn.src)
    value = f.value(f"trunc i64 {value} to i{bits}") if bits < 64 else value
    f.effect(f"store i{bits} {value}, ptr {place}, align 1")


def _atomic(f: Function, insn: Insn) -> None:
    """Nobody else runs meanwhile: a load and a store will do."""
    width = insn.size.width
    bits = 8 * width
    if insn.imm == AtomicOp.LOAD_ACQ:
        _check_alignment(f, insn.src, insn.off, width)
        _load(f, insn)
        return
    if insn.imm == AtomicOp.STORE_REL:
        _check_alignment(f, insn.dst, insn.off, width)
        _store(f, insn)
        return
    operation = insn.imm & ~AtomicOp.FETCH
    if width < 4 or (insn.imm not in (AtomicOp.XCHG, AtomicOp.CMPXCHG) and operation not in ATOMIC):
        raise f.give_up()
    fetches = insn.imm & AtomicOp.FETCH and insn.imm != AtomicOp.CMPXCHG
    if fetches:
        f.writable(insn.src)
    _check_alignment(f, insn.dst, insn.off, width)
    f.reach(insn.dst, insn.off, width, writes=False)
    place = f.reach(insn.dst, insn.off, width, writes=True)
    source = f.narrow(f.get(insn.src), bits)
    expected = f.narrow(f.get(0), bits) if insn.imm == AtomicOp.CMPXCHG else ""
    old = f.value(f"load i{bits}, ptr {place}, align 1")
    if insn.imm == AtomicOp.CMPXCHG:
        new = f.value(f"select i1 {f.value(f'icmp eq i{bits} {old}, {expected}')}, i{bits} {source}, i{bits} {old}")
    elif insn.imm == AtomicOp.XCHG:
        new = source
    else:
        new = ATOMIC[operation](f, old, source, bits)
    f.effect(f"store i{bits} {new}, ptr {place}, align 1")
    if insn.imm == AtomicOp.CMPXCHG:
        f.set(0, f.wide(old, bits))
    elif fetches:
        f.set(insn.src, f.wide(old, bits))


def _check_alignment(f: Function, number: int, offset: int, width: int) -> None:
    past = f.value(f"and i64 {f.address(number, offset)}, {width - 1}")
    f.unless(f.value(f"icmp eq i64 {past}, 0"), f.giving_up())


def _load_immediate(f: Function, insn: Insn) -> None:
    upper = f.insns[f.at + 1] if f.at + 1 < len(f.insns) else None
    if upper is None or upper.opcode:
        raise f.give_up()
    f.writable(insn.dst)
    if insn.src == Pseudo.NONE:
        f.set(insn.dst, str(upper.imm << 32 | insn.imm & _U32))
        return
    # The machine says what it is, once; what it says holds for ever.
    place = f.value(f"getelementptr i64, ptr %constants, i64 {f.at}")
    value, known, first = f.value(f"load i64, ptr {place}"), f.fresh("known"), f.fresh("first")
    f.effect(f"store i64 {value}, ptr %result")
    f.effect(f"br i1 {f.value(f'icmp ne i64 {value}, 0')}, label %{known}, label %{first}, !prof !0")
    f.label(first)
    f.assist()
    f.effect(f"store i64 {f.value(f'load i64, ptr {place}')}, ptr %result")
    f.effect(f"br label %{known}")
    f.label(known)
    f.set(insn.dst, f.value("load i64, ptr %result"))


def _load_packet(f: Function, insn: Insn) -> None:
    if insn.mode == Mode.IND:
        f.get(insn.src)
    f.assist()
    f.result(f.load_word(layout.REGISTERS), "true")
    f.clobbered()
    f.effect(f"br label %{f.at_target(f.at + 1)}")


FORMS: Mapping[int, Form] = opcode_table(
    binary=_binary, negate=_negate, move=_move, byte_order=_byte_order,
    jump=_jump, jump_long=_jump, jump_if=_jump_if, may_go=_may_go, call=_call, exit=_exit,
    load=_load, load_signed=_load_signed, store=_store, atomic=_atomic, load_immediate=_load_immediate,
    load_packet=_load_packet,
)  # fmt: skip
