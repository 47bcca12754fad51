"""Writing a value into an instruction."""

from __future__ import annotations

from beespace.errors import RelocationError
from beespace.isa import Insn, InsnClass, Size, decode, encode
from beespace.isa.opcodes import CALL
from beespace.record import replace
from beespace.reloc.report import POISON
from beespace.reloc.value import Value

__all__ = ["patch", "poison"]

_U32 = (1 << 32) - 1
_POISON = Insn(CALL, imm=POISON)


def poison(code: bytearray, index: int) -> None:
    """Make the instruction one that no verifier accepts, and whose number it prints.  In dead code it does no harm."""
    wide = decode(bytes(code[8 * index : 8 * index + 8]))[0].is_wide
    for slot in range(index, index + (2 if wide else 1)):
        code[8 * slot : 8 * slot + 8] = encode([_POISON])


def patch(code: bytearray, index: int, expected: Value, wanted: Value) -> None:
    """Write ``wanted`` where the compiler wrote ``expected``.

    ``rX = imm``, ``rX += imm`` and the like: the immediate; loads and stores: the offset, and the
    width if the field has another; ``rX = imm64``: both halves.
    """
    insns = decode(bytes(code[8 * index : 8 * index + 16]))
    insn = insns[0]
    match insn.insn_class:
        case InsnClass.ALU | InsnClass.ALU64 if not insn.is_register:
            _expect(insn.imm, expected, _U32)
            insns[0] = replace(insn, imm=_signed32(wanted.number))
        case InsnClass.LDX | InsnClass.ST | InsnClass.STX:
            _expect(insn.off, expected, 0xFFFF)
            if not 0 <= wanted.number < 1 << 15:
                raise RelocationError(f"offset {wanted.number} does not fit a load or store")
            insns[0] = replace(insn, off=wanted.number, opcode=_resized(insn, expected, wanted))
        case InsnClass.LD if insn.is_wide and len(insns) == 2 and not insn.src and not insns[1].opcode:
            found = (insns[1].imm & _U32) << 32 | insn.imm & _U32
            # An enumerator of 32 bits stands in 64 with or without its sign.
            _expect(found, expected, _U32 if expected.number < 1 << 31 and not found >> 32 else (1 << 64) - 1)
            number = wanted.number & _U32 if expected.number < 0 and not found >> 32 else wanted.number
            insns = [replace(insn, imm=_signed32(number)), replace(insns[1], imm=_signed32(number >> 32))]
        case _:
            raise RelocationError(f"an instruction with opcode {insn.opcode:#04x} cannot take a CO-RE value")
    code[8 * index : 8 * index + 8 * len(insns)] = encode(insns)


def _expect(found: int, expected: Value, mask: int) -> None:
    if expected.exact and (found ^ expected.number) & mask:
        raise RelocationError(
            f"the instruction holds {found}, but by the object's own types it should be {expected.number}",
            help="the object file is damaged or was changed after it was compiled",
        )


def _resized(insn: Insn, expected: Value, wanted: Value) -> int:
    if expected.size == wanted.size:
        return insn.opcode
    if insn.size.width != expected.size:
        raise RelocationError(f"the instruction accesses {insn.size.width} bytes of a field of {expected.size}")
    try:
        size = Size.of(wanted.size)
    except KeyError:
        raise RelocationError(f"the field has {wanted.size} bytes there, which no single load reads") from None
    return insn.opcode & ~0x18 | size


def _signed32(number: int) -> int:
    number &= _U32
    return number - (1 << 32) if number >> 31 else number
