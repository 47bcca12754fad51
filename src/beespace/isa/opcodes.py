"""The opcode byte as data: RFC 9669 section 3, include/uapi/linux/bpf.h and bpf_common.h.

An opcode is ``class`` (3 bits) and then either ``source`` (1 bit) and ``operation`` (4 bits) for
arithmetic and jumps, or ``size`` (2 bits) and ``mode`` (3 bits) for loads and stores.
"""

from __future__ import annotations

from beespace.enumeration import IntEnum

__all__ = ["AluOp", "AtomicOp", "InsnClass", "JumpOp", "Mode", "Pseudo", "Size", "Source"]


class InsnClass(IntEnum):
    """``BPF_CLASS``: bits 0-2."""

    LD = 0x00
    LDX = 0x01
    ST = 0x02
    STX = 0x03
    ALU = 0x04  # 32 bits; the upper half of the result is zero
    JMP = 0x05
    JMP32 = 0x06  # compares the lower halves (Linux 5.1)
    ALU64 = 0x07


class Source(IntEnum):
    """``BPF_SRC``: bit 3 of arithmetic and jumps."""

    K = 0x00  # the immediate
    X = 0x08  # the source register


class AluOp(IntEnum):
    """``BPF_OP`` of arithmetic: bits 4-7."""

    ADD = 0x00
    SUB = 0x10
    MUL = 0x20
    DIV = 0x30  # signed if off is 1 (Linux 6.6)
    OR = 0x40
    AND = 0x50
    LSH = 0x60
    RSH = 0x70
    NEG = 0x80
    MOD = 0x90  # signed if off is 1 (Linux 6.6)
    XOR = 0xA0
    MOV = 0xB0  # sign-extends the lower off bits if off is 8, 16 or 32 (Linux 6.6)
    ARSH = 0xC0
    END = 0xD0  # byte swaps; unconditional in ALU64 (Linux 6.6)


class JumpOp(IntEnum):
    """``BPF_OP`` of jumps: bits 4-7."""

    JA = 0x00
    JEQ = 0x10
    JGT = 0x20
    JGE = 0x30
    JSET = 0x40
    JNE = 0x50
    JSGT = 0x60
    JSGE = 0x70
    CALL = 0x80
    EXIT = 0x90
    JLT = 0xA0
    JLE = 0xB0
    JSLT = 0xC0
    JSLE = 0xD0
    JCOND = 0xE0  # may_goto (Linux 6.9)


class Size(IntEnum):
    """``BPF_SIZE``: bits 3-4 of loads and stores."""

    W = 0x00
    H = 0x08
    B = 0x10
    DW = 0x18

    @property
    def width(self) -> int:
        """In bytes."""
        return _WIDTHS[self]

    @classmethod
    def of(cls, width: int) -> Size:
        """The size that is ``width`` bytes wide; ``KeyError`` if there is none."""
        return _BY_WIDTH[width]


_WIDTHS = {Size.B: 1, Size.H: 2, Size.W: 4, Size.DW: 8}
_BY_WIDTH = {width: size for size, width in _WIDTHS.items()}


class Mode(IntEnum):
    """``BPF_MODE``: bits 5-7 of loads and stores."""

    IMM = 0x00  # LD: 64-bit immediate, two slots
    ABS = 0x20  # LD: packet byte, classic
    IND = 0x40
    MEM = 0x60
    MEMSX = 0x80  # LDX: sign-extending (Linux 6.6)
    ATOMIC = 0xC0  # STX; in ST the kernel's own nospec barrier


class AtomicOp(IntEnum):
    """``imm`` of an atomic: what it does (Linux 5.12 for all but ADD without FETCH)."""

    ADD = 0x00
    OR = 0x40
    AND = 0x50
    XOR = 0xA0
    FETCH = 0x01  # a flag: the old value goes to the source register
    XCHG = 0xE1
    CMPXCHG = 0xF1  # compares with and loads into r0
    LOAD_ACQ = 0x100  # Linux 6.15
    STORE_REL = 0x110


class Pseudo(IntEnum):
    """``src_reg`` of a 64-bit immediate load (``BPF_PSEUDO_*``)."""

    NONE = 0
    MAP_FD = 1
    MAP_VALUE = 2
    BTF_ID = 3
    FUNC = 4
    MAP_IDX = 5
    MAP_IDX_VALUE = 6


CALL_HELPER = 0  # src_reg of a call
CALL_LOCAL = 1  # BPF_PSEUDO_CALL
CALL_KFUNC = 2  # BPF_PSEUDO_KFUNC_CALL

LD_IMM64 = InsnClass.LD | Size.DW | Mode.IMM
CALL = InsnClass.JMP | JumpOp.CALL
EXIT = InsnClass.JMP | JumpOp.EXIT
