"""What each instruction does to a frame: one function for each form, and one table from opcode to function.

A :class:`~beespace.vm.run.Frame` has registers, the run with its memory, and ``pc``, which already stands on the next
instruction.  What is in no table is no instruction.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from beespace.isa.insn import Insn
from beespace.isa.opcode_table import opcode_table
from beespace.isa.opcodes import CALL_HELPER, CALL_KFUNC, CALL_LOCAL, AtomicOp, InsnClass, Mode, Pseudo
from beespace.vm.arithmetic import ATOMIC, BINARY, COMPARE, SIGNED, U64, signed, swapped
from beespace.vm.memory import Violation

if TYPE_CHECKING:
    from beespace.vm.run import Frame

__all__ = ["INSTRUCTIONS"]

Form: TypeAlias = "Callable[[Frame, Insn], None]"

_U32 = (1 << 32) - 1
_CLASS = 0x07  # of an opcode
_NONE = "there is no such instruction"
_CALLER_SAVED = range(1, 6)
_CAST = 1  # BPF_ADDR_SPACE_CAST: a move that turns pointers into an arena (Linux 6.9)


def _second(frame: Frame, insn: Insn) -> int:
    """The second operand: the source register, or the immediate, extended with its sign."""
    return frame.get(insn.src) if insn.is_register else insn.imm & U64


# -- arithmetic ----------------------------------------------------------------------------------------------------


def _binary(frame: Frame, insn: Insn) -> None:
    bits, mask = (64, U64) if insn.opcode & _CLASS == InsnClass.ALU64 else (32, _U32)
    compute = BINARY[insn.operation] if insn.off == 0 else SIGNED.get(insn.operation) if insn.off == 1 else None
    if compute is None:
        raise Violation(_NONE)
    frame.set(insn.dst, compute(frame.get(insn.dst) & mask, _second(frame, insn) & mask, bits) & mask)


def _negate(frame: Frame, insn: Insn) -> None:
    mask = U64 if insn.opcode & _CLASS == InsnClass.ALU64 else _U32
    frame.set(insn.dst, -frame.get(insn.dst) & mask)


def _move(frame: Frame, insn: Insn) -> None:
    wide = insn.opcode & _CLASS == InsnClass.ALU64
    value = _second(frame, insn)
    if insn.off == _CAST and wide and insn.is_register:
        frame.set(insn.dst, frame.run.machine.arena_pointer(value, insn.imm))
        return
    if insn.off:
        if not insn.is_register or insn.off not in ((8, 16, 32) if wide else (8, 16)):
            raise Violation(_NONE)
        value = signed(value, insn.off)
    frame.set(insn.dst, value & (U64 if wide else _U32))


def _byte_order(frame: Frame, insn: Insn) -> None:
    """To little-endian, which the machine is: only cut; to big-endian and ``bswap``: swapped."""
    if insn.imm not in (16, 32, 64):
        raise Violation(_NONE)
    value = frame.get(insn.dst)
    swap = insn.opcode & _CLASS == InsnClass.ALU64 or insn.is_register
    frame.set(insn.dst, swapped(value, insn.imm) if swap else value & (1 << insn.imm) - 1)


# -- jumps ---------------------------------------------------------------------------------------------------------


def _jump(frame: Frame, insn: Insn) -> None:
    frame.pc += insn.off


def _jump_long(frame: Frame, insn: Insn) -> None:
    frame.pc += insn.imm


def _jump_if(frame: Frame, insn: Insn) -> None:
    bits, mask = (64, U64) if insn.opcode & _CLASS == InsnClass.JMP else (32, _U32)
    if COMPARE[insn.operation](frame.get(insn.dst) & mask, _second(frame, insn) & mask, bits):
        frame.pc += insn.off


def _may_go(frame: Frame, insn: Insn) -> None:
    """``may_goto``: leaves a loop that took too many rounds (include/linux/bpf.h: ``BPF_MAX_LOOPS``)."""
    if frame.rounds_left == 0:
        frame.pc += insn.off
    else:
        frame.rounds_left -= 1


def _exit(frame: Frame, insn: Insn) -> None:
    frame.done = True


def _call(frame: Frame, insn: Insn) -> None:
    arguments = [frame.registers[number] for number in _CALLER_SAVED]
    if insn.is_register:  # callx: a function's address, or the number of a helper
        result = frame.run.call_address(frame.get(insn.dst), arguments)
    elif insn.src == CALL_LOCAL:
        result = frame.run.call(frame.code, frame.pc + insn.imm, arguments)
    elif insn.src == CALL_HELPER:
        result = frame.run.call_helper(insn.imm, arguments)
    elif insn.src == CALL_KFUNC:
        result = frame.run.call_kfunc(insn.imm, arguments)
    else:
        raise Violation(_NONE)
    if frame.replaced:  # a tail call: this is another program now
        frame.replaced = False
        return
    for number in _CALLER_SAVED:
        frame.registers[number] = None
    frame.registers[0] = result


# -- memory --------------------------------------------------------------------------------------------------------


def _load(frame: Frame, insn: Insn) -> None:
    frame.set(insn.dst, frame.run.memory.load(frame.get(insn.src) + insn.off & U64, insn.size.width))


def _load_signed(frame: Frame, insn: Insn) -> None:
    width = insn.size.width
    value = frame.run.memory.load(frame.get(insn.src) + insn.off & U64, width)
    frame.set(insn.dst, signed(value, 8 * width) & U64)


def _store(frame: Frame, insn: Insn) -> None:
    value = insn.imm if insn.opcode & _CLASS == InsnClass.ST else frame.get(insn.src)
    frame.run.memory.store(frame.get(insn.dst) + insn.off & U64, insn.size.width, value)


def _atomic(frame: Frame, insn: Insn) -> None:
    width, memory = insn.size.width, frame.run.memory
    mask = (1 << 8 * width) - 1
    if insn.imm == AtomicOp.LOAD_ACQ:
        frame.set(insn.dst, memory.load(_aligned(frame.get(insn.src) + insn.off, width), width))
        return
    address = _aligned(frame.get(insn.dst) + insn.off, width)
    if insn.imm == AtomicOp.STORE_REL:
        memory.store(address, width, frame.get(insn.src))
        return
    operation = insn.imm & ~AtomicOp.FETCH
    if width < 4 or (insn.imm not in (AtomicOp.XCHG, AtomicOp.CMPXCHG) and operation not in ATOMIC):
        raise Violation(_NONE)
    old, source = memory.load(address, width), frame.get(insn.src)
    if insn.imm == AtomicOp.CMPXCHG:
        memory.store(address, width, source if old == frame.get(0) & mask else old)
        frame.set(0, old)
        return
    memory.store(address, width, source if insn.imm == AtomicOp.XCHG else ATOMIC[operation](old, source))
    if insn.imm & AtomicOp.FETCH:
        frame.set(insn.src, old)


def _aligned(address: int, width: int) -> int:
    if address % width:
        raise Violation(f"an atomic access of {width} bytes at {address & U64:#x}, which is not aligned")
    return address & U64


def _load_immediate(frame: Frame, insn: Insn) -> None:
    upper = frame.code.insns[frame.pc] if frame.pc < len(frame.code.insns) else None
    if upper is None or upper.opcode:
        raise Violation("a 64-bit immediate without its second half")
    frame.pc += 1
    low, high = insn.imm & _U32, upper.imm & _U32
    match insn.src:
        case Pseudo.NONE:
            value = high << 32 | low
        case Pseudo.MAP_FD | Pseudo.MAP_IDX:
            value = frame.run.machine.map_handle(insn.imm)
        case Pseudo.MAP_VALUE | Pseudo.MAP_IDX_VALUE:
            value = frame.run.machine.map_value(insn.imm) + high
        case Pseudo.FUNC:
            value = frame.run.machine.function(frame.code, frame.pc - 1 + insn.imm)
        case _:
            raise Violation("a 64-bit immediate of a kind that this machine does not have")
    frame.set(insn.dst, value & U64)


def _load_packet(frame: Frame, insn: Insn) -> None:
    """Classic packet loads: big-endian, into r0; outside of the packet the function ends with 0."""
    offset = insn.imm if insn.mode == Mode.ABS else signed(frame.get(insn.src) + insn.imm, 32)
    packet = frame.run.packet
    if packet is None:
        raise Violation("loads from a packet, and there is none")
    data = packet.at(offset, insn.size.width)
    for number in _CALLER_SAVED:
        frame.registers[number] = None
    frame.registers[0] = int.from_bytes(data, "big") if data is not None else 0
    frame.done = data is None  # of the function that it stands in, as in Linux


INSTRUCTIONS = opcode_table(
    binary=_binary, negate=_negate, move=_move, byte_order=_byte_order,
    jump=_jump, jump_long=_jump_long, jump_if=_jump_if, may_go=_may_go, call=_call, exit=_exit,
    load=_load, load_signed=_load_signed, store=_store, atomic=_atomic, load_immediate=_load_immediate,
    load_packet=_load_packet,
)  # fmt: skip
