"""BPF instructions: encoding, text, and the numbers of the kernel's interface.

May import: ``errors`` and the standard library.  Invariant: pure, and an instruction that is decoded and
encoded again is the same eight bytes.

The instruction set: RFC 9669 and Documentation/bpf/standardization/instruction-set.rst.  Code is
little-endian (``bpfel``) unless the byte order is said to be ``"big"``.
"""

from beespace.isa.constants import AttachType, LinkType, MapType, ProgramType
from beespace.isa.insn import ByteOrder, Insn, decode, encode, turn
from beespace.isa.opcodes import AluOp, AtomicOp, InsnClass, JumpOp, Mode, Pseudo, Size, Source
from beespace.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from beespace.isa.disassembly import disassemble, text

__all__ = [
    "ByteOrder", "Insn", "decode", "encode", "turn", "disassemble", "text",
    "InsnClass", "AluOp", "JumpOp", "AtomicOp", "Mode", "Size", "Source", "Pseudo",
    "MapType", "ProgramType", "AttachType", "LinkType",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """What loading does not need is imported when it is asked for."""
    if name in ("disassemble", "text"):
        from beespace.isa import disassembly

        return getattr(disassembly, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
