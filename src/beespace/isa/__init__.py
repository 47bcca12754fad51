"""BPF instructions: encoding, text, and the numbers of the kernel's interface.

May import: ``errors`` and the standard library.  Invariant: pure, and an instruction that is decoded and
encoded again is the same eight bytes.

The instruction set: RFC 9669 and Documentation/bpf/standardization/instruction-set.rst.  All code is
little-endian (``bpfel``), as on every machine that beespace supports.
"""

from beespace.isa.constants import AttachType, Cmd, LinkType, MapType, ProgramType
from beespace.isa.disassemble import disassemble, text
from beespace.isa.insn import Insn, decode, encode
from beespace.isa.opcodes import AluOp, AtomicOp, InsnClass, JumpOp, Mode, Pseudo, Size, Source

__all__ = [
    "Insn", "decode", "encode", "disassemble", "text",
    "InsnClass", "AluOp", "JumpOp", "AtomicOp", "Mode", "Size", "Source", "Pseudo",
    "Cmd", "MapType", "ProgramType", "AttachType", "LinkType",
]  # fmt: skip
