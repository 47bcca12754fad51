"""Instructions with labels, and the words that random programs are made of."""

from __future__ import annotations

from beespace.isa import AluOp, AtomicOp, Insn, InsnClass, JumpOp, Mode, Size
from beespace.isa.helpers import HELPERS
from beespace.isa.opcodes import CALL, CALL_LOCAL, EXIT, LD_IMM64, Pseudo, Source

__all__ = ["FRAME", "SIZES", "Assembly"]

FRAME = 10
SIZES = {1: Size.B, 2: Size.H, 4: Size.W, 8: Size.DW}
_WIDE, _NARROW = InsnClass.ALU64, InsnClass.ALU


class Assembly:
    """Code that is written forwards; places that are not known yet are numbers from :meth:`label`."""

    def __init__(self) -> None:
        self.insns: list[Insn] = []
        self._places: dict[int, int] = {}
        self._open: list[tuple[int, int, str]] = []  # instruction, label, which field
        self._labels = 0

    def emit(self, opcode: int, dst: int = 0, src: int = 0, off: int = 0, imm: int = 0) -> None:
        self.insns.append(Insn(opcode, dst, src, off, imm))

    def address(self, dst: int, below: int) -> None:
        """Of memory on the stack, ``below`` the frame pointer: a negative number."""
        self.move(dst, FRAME)
        self.alu(AluOp.ADD, dst, below)

    # -- places --------------------------------------------------------------------------------------------------

    def label(self) -> int:
        self._labels += 1
        return self._labels

    def place(self, label: int) -> None:
        self._places[label] = len(self.insns)

    def jump(
        self, label: int, opcode: int = InsnClass.JMP | JumpOp.JA, dst: int = 0, src: int = 0, imm: int = 0
    ) -> None:
        self._open.append((len(self.insns), label, "off"))
        self.emit(opcode, dst, src, 0, imm)

    def jump_long(self, label: int) -> None:
        self._open.append((len(self.insns), label, "imm"))
        self.emit(InsnClass.JMP32 | JumpOp.JA)

    def call_local(self, label: int) -> None:
        self._open.append((len(self.insns), label, "imm"))
        self.emit(CALL, src=CALL_LOCAL)

    def function(self, dst: int, label: int) -> None:
        """The address of a function."""
        self._open.append((len(self.insns), label, "imm"))
        self.emit(LD_IMM64, dst, Pseudo.FUNC)
        self.emit(0)

    def finished(self) -> list[Insn]:
        code = list(self.insns)
        for index, label, what in self._open:
            distance, insn = self._places[label] - index - 1, code[index]
            off, imm = (distance, insn.imm) if what == "off" else (insn.off, distance)
            code[index] = Insn(insn.opcode, insn.dst, insn.src, off, imm)
        return code

    def where(self, label: int) -> int:
        return self._places[label]

    # -- words ---------------------------------------------------------------------------------------------------

    def number(self, dst: int, value: int) -> None:
        """64 bits."""
        low, high = value & 0xFFFFFFFF, value >> 32 & 0xFFFFFFFF
        self.emit(LD_IMM64, dst, 0, 0, low - (low >> 31 << 32))
        self.emit(0, imm=high - (high >> 31 << 32))

    def map(self, dst: int, index: int, value: bool = False, offset: int = 0) -> None:
        """The map of that index, or the address of its first value."""
        self.emit(LD_IMM64, dst, Pseudo.MAP_VALUE if value else Pseudo.MAP_FD, 0, index)
        self.emit(0, imm=offset)

    def move(self, dst: int, src: int) -> None:
        self.emit(_WIDE | AluOp.MOV | Source.X, dst, src)

    def constant(self, dst: int, imm: int) -> None:
        self.emit(_WIDE | AluOp.MOV, dst, imm=imm)

    def alu(self, operation: int, dst: int, imm: int) -> None:
        self.emit(_WIDE | operation, dst, imm=imm)

    def alu_register(self, operation: int, dst: int, src: int) -> None:
        self.emit(_WIDE | operation | Source.X, dst, src)

    def load(self, width: int, dst: int, base: int, off: int, signed: bool = False) -> None:
        self.emit(InsnClass.LDX | (Mode.MEMSX if signed else Mode.MEM) | SIZES[width], dst, base, off)

    def store(self, width: int, base: int, off: int, src: int) -> None:
        self.emit(InsnClass.STX | Mode.MEM | SIZES[width], base, src, off)

    def store_constant(self, width: int, base: int, off: int, imm: int) -> None:
        self.emit(InsnClass.ST | Mode.MEM | SIZES[width], base, 0, off, imm)

    def atomic(self, operation: int, width: int, base: int, off: int, src: int) -> None:
        if operation == AtomicOp.LOAD_ACQ:  # here `base` is what is written
            self.emit(InsnClass.STX | Mode.ATOMIC | SIZES[width], src, base, off, operation)
        else:
            self.emit(InsnClass.STX | Mode.ATOMIC | SIZES[width], base, src, off, operation)

    def helper(self, name: str) -> None:
        self.emit(CALL, imm=HELPERS[name].number)

    def exit(self) -> None:
        self.emit(EXIT)
