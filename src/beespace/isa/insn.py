"""``Insn``: one slot of eight bytes."""

from __future__ import annotations

import struct
from collections.abc import Iterable

from beespace.errors import FormatError
from beespace.isa.opcodes import LD_IMM64, InsnClass, Mode, Size
from beespace.record import dataclass
from beespace.typed import Literal, TypeAlias

__all__ = ["ByteOrder", "Insn", "decode", "encode", "turn"]

ByteOrder: TypeAlias = Literal["little", "big"]

_SLOTS = {"little": struct.Struct("<BBhi"), "big": struct.Struct(">BBhi")}
#: A byte with its halves exchanged: registers are bit-fields, which compilers lay out from the other end.
_HALVES = bytes(byte >> 4 | (byte & 0xF) << 4 for byte in range(256))


@dataclass(frozen=True, slots=True)
class Insn:
    """``struct bpf_insn``: ``off`` is 16 bits signed, ``imm`` 32 bits signed.

    A 64-bit immediate load takes two: the second has opcode 0 and the upper half as its ``imm``.
    """

    opcode: int
    dst: int = 0
    src: int = 0
    off: int = 0
    imm: int = 0

    @property
    def insn_class(self) -> InsnClass:
        """Bits 0-2 of the opcode."""
        return InsnClass(self.opcode & 0x07)

    @property
    def size(self) -> Size:
        """Width of a load or store."""
        return Size(self.opcode & 0x18)

    @property
    def mode(self) -> int:
        """:class:`Mode` of a load or store; not every number is one."""
        return self.opcode & 0xE0

    @property
    def operation(self) -> int:
        """:class:`AluOp` or :class:`JumpOp`; not every number is one."""
        return self.opcode & 0xF0

    @property
    def is_register(self) -> bool:
        """Whether an operation's second operand is the source register, not the immediate."""
        return bool(self.opcode & 0x08)

    @property
    def is_wide(self) -> bool:
        """Whether this is the first half of a 64-bit immediate load."""
        return self.opcode == LD_IMM64

    @property
    def is_atomic(self) -> bool:
        """Whether this is an atomic operation on memory."""
        return self.insn_class is InsnClass.STX and self.mode == Mode.ATOMIC


def turn(code: bytes | bytearray) -> bytes:
    """Code of the one byte order in the other one; what is left behind the last whole slot stays as it is."""
    whole = len(code) // 8 * 8
    out = bytearray(code)
    out[1:whole:8] = code[1:whole:8].translate(_HALVES)
    for first, second in ((2, 3), (3, 2), (4, 7), (5, 6), (6, 5), (7, 4)):
        out[first:whole:8] = code[second:whole:8]
    return bytes(out)


def decode(code: bytes, byteorder: ByteOrder = "little") -> list[Insn]:
    """Every slot of ``code``.  ``FormatError`` unless it is a multiple of eight bytes."""
    if len(code) % 8:
        raise FormatError(f"BPF code of {len(code)} bytes is not a multiple of 8", offset=len(code) // 8 * 8)
    rows = _SLOTS[byteorder].iter_unpack(code)
    if byteorder == "big":
        return [Insn(opcode, regs >> 4, regs & 0xF, off, imm) for opcode, regs, off, imm in rows]
    return [Insn(opcode, regs & 0xF, regs >> 4, off, imm) for opcode, regs, off, imm in rows]


def encode(insns: Iterable[Insn], byteorder: ByteOrder = "little") -> bytes:
    """The bytes of the instructions.  ``FormatError`` when a field does not fit its bits."""
    out = bytearray()
    for index, insn in enumerate(insns):
        try:
            if not (0 <= insn.dst < 16 and 0 <= insn.src < 16):
                raise struct.error
            out += _SLOTS["little"].pack(insn.opcode, insn.src << 4 | insn.dst, insn.off, insn.imm)
        except struct.error:
            raise FormatError(f"instruction {index} does not fit its eight bytes: {insn}") from None
    return bytes(out) if byteorder == "little" else turn(out)
