"""Functions of two numbers around each instruction that there is, for the kernel and the machine.

Each finds the numbers in r1 and r2 and leaves its result in r0; r6 and r7 are the caller's.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from beespace.isa import AluOp, AtomicOp, Insn, InsnClass, JumpOp, Mode, Size
from beespace.isa.opcodes import CALL_LOCAL, LD_IMM64, Source

NUMBERS = (
    0, 1, 7, 31, 64, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 32, (1 << 63) - 1, 1 << 63, (1 << 64) - 1,
    0x0123456789ABCDEF, 0xFEDCBA98FFFF8081,
)  # fmt: skip
IMMEDIATES = (0, 1, 7, -1, -9, (1 << 31) - 1, -(1 << 31))
SHIFTS = (AluOp.LSH, AluOp.RSH, AluOp.ARSH)
DIVISIONS = (AluOp.DIV, AluOp.MOD)
BINARY = (
    AluOp.ADD, AluOp.SUB, AluOp.MUL, AluOp.DIV, AluOp.OR, AluOp.AND, AluOp.LSH, AluOp.RSH, AluOp.MOD, AluOp.XOR,
    AluOp.ARSH,
)  # fmt: skip
CONDITIONS = tuple(each for each in JumpOp if each not in (JumpOp.JA, JumpOp.CALL, JumpOp.EXIT, JumpOp.JCOND))
MOVE, EXIT = 0xBF, Insn(0x95)
LOAD, STORE = 0x79, 0x7B


class Case(NamedTuple):
    """``functions`` stand behind the program; a local call's ``imm`` is the index of one."""

    name: str
    body: tuple[Insn, ...]
    since: str = ""  # the first kernel, if later than 5.10
    functions: tuple[tuple[Insn, ...], ...] = ()


def cases() -> Iterator[Case]:
    for group in (_arithmetic, _moves, _jumps, _loads, _stores, _atomics, _flow):
        yield from group()


def _arithmetic() -> Iterator[Case]:
    first = Insn(MOVE, 0, 1)
    for bits, number in ((64, InsnClass.ALU64), (32, InsnClass.ALU)):
        for operation in BINARY:
            for off in (0, 1) if operation in DIVISIONS else (0,):
                name, since = f"{'s' * off}{operation.name}{bits}", "6.6" if off else ""
                yield Case(f"{name}-reg", (first, Insn(number | Source.X | operation, 0, 2, off)), since)
                for imm in (0, 1, 7, bits - 1) if operation in SHIFTS else IMMEDIATES:
                    if imm or operation not in DIVISIONS:  # the kernel refuses to divide by a constant zero
                        yield Case(f"{name}-{imm}", (first, Insn(number | operation, 0, 0, off, imm)), since)
        yield Case(f"NEG{bits}", (first, Insn(number | AluOp.NEG, 0)))
    for width in (16, 32, 64):
        yield Case(f"le{width}", (first, Insn(0xD4, 0, imm=width)))
        yield Case(f"be{width}", (first, Insn(0xDC, 0, imm=width)))
        yield Case(f"bswap{width}", (first, Insn(0xD7, 0, imm=width)), "6.6")


def _moves() -> Iterator[Case]:
    for bits, number in ((64, InsnClass.ALU64), (32, InsnClass.ALU)):
        yield Case(f"MOV{bits}-reg", (Insn(number | Source.X | AluOp.MOV, 0, 1),))
        for imm in IMMEDIATES:
            yield Case(f"MOV{bits}-{imm}", (Insn(number | AluOp.MOV, 0, imm=imm),))
        for width in (8, 16, 32)[: 3 if bits == 64 else 2]:
            yield Case(f"MOV{bits}-s{width}", (Insn(number | Source.X | AluOp.MOV, 0, 1, width),), "6.6")
    yield Case("lddw", (Insn(LD_IMM64, 0, imm=-0x12345678), Insn(0, imm=0x0FEDCBA9)))


def _jumps() -> Iterator[Case]:
    yes, no = Insn(0xB7, 0, imm=1), Insn(0xB7, 0, imm=2)
    for bits, number in ((64, InsnClass.JMP), (32, InsnClass.JMP32)):
        for condition in CONDITIONS:
            yield Case(f"{condition.name}{bits}-reg", (yes, Insn(number | Source.X | condition, 1, 2, 1), no))
            for imm in IMMEDIATES:
                yield Case(f"{condition.name}{bits}-{imm}", (yes, Insn(number | condition, 1, 0, 1, imm), no))


def _loads() -> Iterator[Case]:
    kept = (Insn(STORE, 10, 1, -16), Insn(STORE, 10, 2, -8))
    for size in Size:
        for place in (-16, -8, -size.width):
            yield Case(f"load-{size.name}{place}", (*kept, Insn(InsnClass.LDX | Mode.MEM | size, 0, 10, place)))
            if size is not Size.DW:
                opcode = InsnClass.LDX | Mode.MEMSX | size
                yield Case(f"load-signed-{size.name}{place}", (*kept, Insn(opcode, 0, 10, place)), "6.6")


def _stores() -> Iterator[Case]:
    for size in Size:
        read = (Insn(LOAD, 0, 10, -8),)
        yield Case(f"store-{size.name}", (
            Insn(STORE, 10, 1, -8), Insn(InsnClass.STX | Mode.MEM | size, 10, 2, -size.width), *read,
        ))  # fmt: skip
        for imm in IMMEDIATES:
            yield Case(f"store-{size.name}-{imm}", (
                Insn(STORE, 10, 1, -8), Insn(InsnClass.ST | Mode.MEM | size, 10, 0, -8, imm), *read,
            ))  # fmt: skip


def _atomics() -> Iterator[Case]:
    kept = (Insn(STORE, 10, 1, -8), Insn(MOVE, 3, 2))
    # Both what is in memory and what is in the register count.
    mixed = (Insn(LOAD, 4, 10, -8), Insn(0x27, 3, imm=31), Insn(0x0F, 3, 4), Insn(MOVE, 0, 3))
    for size in (Size.W, Size.DW):
        opcode = InsnClass.STX | Mode.ATOMIC | size
        for operation in (AtomicOp.ADD, AtomicOp.OR, AtomicOp.AND, AtomicOp.XOR):
            plain = "" if operation is AtomicOp.ADD else "5.12"
            yield Case(
                f"atomic-{operation.name}-{size.name}", (*kept, Insn(opcode, 10, 3, -8, operation), *mixed), plain
            )
            fetch = Insn(opcode, 10, 3, -8, operation | AtomicOp.FETCH)
            yield Case(f"atomic-fetch-{operation.name}-{size.name}", (*kept, fetch, *mixed), "5.12")
        yield Case(f"atomic-XCHG-{size.name}", (*kept, Insn(opcode, 10, 3, -8, AtomicOp.XCHG), *mixed), "5.12")
        exchange = Insn(opcode, 10, 3, -8, AtomicOp.CMPXCHG)
        seen = (Insn(LOAD, 4, 10, -8), Insn(0x27, 0, imm=31), Insn(0x0F, 0, 4))
        for name, compared in (("same", 1), ("other", 2)):
            body = (*kept, Insn(MOVE, 0, compared), exchange, *seen)
            yield Case(f"atomic-CMPXCHG-{size.name}-{name}", body, "5.12")
    for size in Size:
        opcode = InsnClass.STX | Mode.ATOMIC | size
        acquire, release = Insn(opcode, 0, 10, -8, AtomicOp.LOAD_ACQ), Insn(opcode, 10, 2, -8, AtomicOp.STORE_REL)
        yield Case(f"load-acquire-{size.name}", (*kept, acquire), "6.15")
        yield Case(f"store-release-{size.name}", (*kept, release, Insn(LOAD, 0, 10, -8)), "6.15")


def _flow() -> Iterator[Case]:
    for name, forward, since in (("goto", Insn(0x05, off=2), ""), ("gotol", Insn(0x06, imm=2), "6.6")):
        back = Insn(0x05, off=-3) if name == "goto" else Insn(0x06, imm=-3)
        yield Case(name, (Insn(MOVE, 0, 1), forward, Insn(0x07, 0, imm=5), Insn(0x05, off=1), back), since)
    counted = (Insn(0xB7, 0), Insn(0xE5, off=3), Insn(0x07, 0, imm=1), Insn(0x15, 0, 0, 1, 20), Insn(0x05, off=-4))
    yield Case("may_goto", counted, "6.9")
    # A sub-program that calls another; what it leaves in r6 is its own.
    inner = (Insn(MOVE, 6, 1), Insn(0x1F, 6, 2), Insn(MOVE, 0, 6), EXIT)
    outer = (Insn(MOVE, 6, 2), Insn(0x85, src=CALL_LOCAL, imm=0), Insn(0x0F, 0, 6), EXIT)
    yield Case("call", (Insn(0x85, src=CALL_LOCAL, imm=1),), functions=(inner, outer))


def program(case: Case, value: tuple[Insn, Insn], pairs: int) -> list[Insn]:
    """The whole: for each pair in the map whose value ``value`` loads the address of, the body, and its result."""
    code: list[Insn] = [Insn(value[0].opcode, 6, value[0].src, 0, value[0].imm), value[1]]
    for index in range(pairs):
        code += [Insn(LOAD, 1, 6, 16 * index), Insn(LOAD, 2, 6, 16 * index + 8), *case.body]
        code += [Insn(STORE, 6, 0, 16 * pairs + 8 * index)]
    code += [Insn(0xB7, 0), EXIT]
    starts = []
    for function in case.functions:
        starts.append(len(code))
        code += function
    local = [index for index, insn in enumerate(code) if insn.opcode == 0x85 and insn.src == CALL_LOCAL]
    for index in local:
        code[index] = Insn(0x85, src=CALL_LOCAL, imm=starts[code[index].imm] - index - 1)
    return code
