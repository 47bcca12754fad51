"""Which opcodes are of which form: 129 opcodes of sixteen forms (RFC 9669 section 5, and Linux).

One table for everything that executes or translates instructions, so that all know the same ones.
"""

from __future__ import annotations

from typing import TypeVar

from beespace.isa.opcodes import CALL, EXIT, LD_IMM64, AluOp, InsnClass, JumpOp, Mode, Size, Source

__all__ = ["opcode_table"]

_Form = TypeVar("_Form")

_UNLIKE_BINARY = (AluOp.NEG, AluOp.MOV, AluOp.END)
_UNLIKE_JUMP_IF = (JumpOp.JA, JumpOp.CALL, JumpOp.EXIT, JumpOp.JCOND)


def opcode_table(
    *,
    binary: _Form,
    negate: _Form,
    move: _Form,
    byte_order: _Form,
    jump: _Form,
    jump_long: _Form,
    jump_if: _Form,
    may_go: _Form,
    call: _Form,
    exit: _Form,
    load: _Form,
    load_signed: _Form,
    store: _Form,
    atomic: _Form,
    load_immediate: _Form,
    load_packet: _Form,
) -> dict[int, _Form]:
    """Opcode -> its form.  What is not in the table is no instruction."""
    table = {
        LD_IMM64: load_immediate,
        CALL: call,
        CALL | Source.X: call,
        EXIT: exit,
        InsnClass.JMP | JumpOp.JA: jump,
        InsnClass.JMP32 | JumpOp.JA: jump_long,
        InsnClass.JMP | JumpOp.JCOND: may_go,
        InsnClass.ALU | AluOp.END | Source.K: byte_order,
        InsnClass.ALU | AluOp.END | Source.X: byte_order,
        InsnClass.ALU64 | AluOp.END: byte_order,
    }
    for number in (InsnClass.ALU, InsnClass.ALU64):
        table[number | AluOp.NEG] = negate
        for source in Source:
            table[number | source | AluOp.MOV] = move
            for operation in AluOp:
                if operation not in _UNLIKE_BINARY:
                    table[number | source | operation] = binary
    for number in (InsnClass.JMP, InsnClass.JMP32):
        for source in Source:
            for condition in JumpOp:
                if condition not in _UNLIKE_JUMP_IF:
                    table[number | source | condition] = jump_if
    for size in Size:
        table[InsnClass.LDX | Mode.MEM | size] = load
        table[InsnClass.ST | Mode.MEM | size] = store
        table[InsnClass.STX | Mode.MEM | size] = store
        table[InsnClass.STX | Mode.ATOMIC | size] = atomic
        if size is not Size.DW:
            table[InsnClass.LDX | Mode.MEMSX | size] = load_signed
            table[InsnClass.LD | Mode.ABS | size] = load_packet
            table[InsnClass.LD | Mode.IND | size] = load_packet
    return table
