"""Code -> text, as the kernel writes it (kernel/bpf/disasm.c), so it reads like a verifier log."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from beespace.isa.insn import ByteOrder, Insn, decode
from beespace.isa.opcodes import (
    CALL_HELPER,
    CALL_KFUNC,
    CALL_LOCAL,
    LD_IMM64,
    AluOp,
    AtomicOp,
    InsnClass,
    JumpOp,
    Mode,
    Pseudo,
    Size,
)

__all__ = ["disassemble", "text"]

_ALU = {
    AluOp.ADD: "+=", AluOp.SUB: "-=", AluOp.MUL: "*=", AluOp.DIV: "/=", AluOp.OR: "|=", AluOp.AND: "&=",
    AluOp.LSH: "<<=", AluOp.RSH: ">>=", AluOp.MOD: "%=", AluOp.XOR: "^=", AluOp.MOV: "=", AluOp.ARSH: "s>>=",
}  # fmt: skip
_JUMP = {
    JumpOp.JEQ: "==", JumpOp.JGT: ">", JumpOp.JGE: ">=", JumpOp.JSET: "&", JumpOp.JNE: "!=", JumpOp.JSGT: "s>",
    JumpOp.JSGE: "s>=", JumpOp.JLT: "<", JumpOp.JLE: "<=", JumpOp.JSLT: "s<", JumpOp.JSLE: "s<=",
}  # fmt: skip
_ATOMIC = {AtomicOp.ADD: "add", AtomicOp.AND: "and", AtomicOp.OR: "or", AtomicOp.XOR: "xor"}
_SIZE = {Size.W: "32", Size.H: "16", Size.B: "8", Size.DW: "64"}
_MAPS = {
    Pseudo.MAP_FD: "map[fd:{low}]",
    Pseudo.MAP_VALUE: "map[fd:{low}][0]+{high}",
    Pseudo.MAP_IDX: "map[idx:{low}]",
    Pseudo.MAP_IDX_VALUE: "map[idx:{low}]+{high}",
    Pseudo.FUNC: "subprog[{low:+d}]",
}
_SIGN_EXTENDED = {8: "(s8)", 16: "(s16)", 32: "(s32)"}


def disassemble(code: bytes, byteorder: ByteOrder = "little") -> list[str]:
    """One line an instruction: ``   0: (b7) r0 = 0``.  A 64-bit immediate load is one line of two slots.

    What is no instruction is shown as ``BUG_xx``, like the kernel does; ``FormatError`` only for a
    length that is not a multiple of eight.
    """
    insns = decode(code, byteorder)
    lines: list[str] = []
    index = 0
    while index < len(insns):
        lines.append(f"{index:4}: {text(insns[index : index + 2])}")
        index += 2 if insns[index].is_wide else 1
    return lines


def text(insns: Sequence[Insn]) -> str:
    """The first of ``insns`` in words; a second one is looked at for a 64-bit immediate only."""
    insn = insns[0]
    words = _WRITERS[insn.insn_class](insn, insns[1] if len(insns) > 1 else Insn(0))
    return f"({insn.opcode:02x}) {words}" if words else f"BUG_{insn.opcode:02x}"


def _arithmetic(insn: Insn, _: Insn) -> str | None:
    wide = insn.insn_class is InsnClass.ALU64
    r = "r" if wide else "w"
    dst, src, operation = f"{r}{insn.dst}", f"{r}{insn.src}", insn.operation
    if operation == AluOp.END:
        order = "bswap" if wide else "be" if insn.is_register else "le"
        return f"r{insn.dst} = {order}{insn.imm} r{insn.dst}"
    if operation == AluOp.NEG:
        return f"{dst} = -{dst}"
    sign = _ALU.get(AluOp(operation)) if operation <= AluOp.ARSH else None
    if sign is None:
        return None
    if operation in (AluOp.DIV, AluOp.MOD) and insn.off == 1:
        sign = f"s{sign}"
    if not insn.is_register:
        return f"{dst} {sign} {insn.imm}"
    if operation == AluOp.MOV and wide and insn.off == 1:
        return f"r{insn.dst} = addr_space_cast(r{insn.src}, {insn.imm >> 16 & 0xFFFF}, {insn.imm & 0xFFFF})"
    if operation == AluOp.MOV and wide and insn.off == -1:
        return f"r{insn.dst} = &(void __percpu *)(r{insn.src})"
    extended = _SIGN_EXTENDED.get(insn.off, "") if operation == AluOp.MOV else ""
    return f"{dst} {sign} {extended}{src}"


def _load_immediate(insn: Insn, second: Insn) -> str | None:
    width = _SIZE[insn.size]
    if insn.mode == Mode.ABS:
        return f"r0 = *(u{width} *)skb[{insn.imm}]"
    if insn.mode == Mode.IND:
        return f"r0 = *(u{width} *)skb[r{insn.src} + {insn.imm}]"
    if insn.opcode != LD_IMM64:
        return None
    form = _MAPS.get(Pseudo(insn.src)) if insn.src in set(Pseudo) else None
    if form:
        return f"r{insn.dst} = {form.format(low=insn.imm, high=second.imm)}"
    return f"r{insn.dst} = {(second.imm & 0xFFFFFFFF) << 32 | insn.imm & 0xFFFFFFFF:#x}"


def _load(insn: Insn, _: Insn) -> str | None:
    signs = {Mode.MEM: "u", Mode.MEMSX: "s"}
    sign = signs.get(Mode(insn.mode)) if insn.mode in signs else None
    return sign and f"r{insn.dst} = *({sign}{_SIZE[insn.size]} *)(r{insn.src} {insn.off:+d})"


def _store_immediate(insn: Insn, _: Insn) -> str | None:
    if insn.mode == Mode.ATOMIC:
        return "nospec"
    return f"*(u{_SIZE[insn.size]} *)(r{insn.dst} {insn.off:+d}) = {insn.imm}" if insn.mode == Mode.MEM else None


def _store(insn: Insn, _: Insn) -> str | None:
    place = f"(u{_SIZE[insn.size]} *)(r{insn.dst} {insn.off:+d})"
    if insn.mode == Mode.MEM:
        return f"*{place} = r{insn.src}"
    if insn.mode != Mode.ATOMIC:
        return None
    bits = "64" if insn.size is Size.DW else ""
    match insn.imm:
        case AtomicOp.ADD | AtomicOp.AND | AtomicOp.OR | AtomicOp.XOR:
            return f"lock *{place} {_ALU[AluOp(insn.imm)]} r{insn.src}"
        case AtomicOp.XCHG:
            return f"r{insn.src} = atomic{bits}_xchg({place}, r{insn.src})"
        case AtomicOp.CMPXCHG:
            return f"r0 = atomic{bits}_cmpxchg({place}, r0, r{insn.src})"
        case AtomicOp.LOAD_ACQ:
            return f"r{insn.dst} = load_acquire((u{_SIZE[insn.size]} *)(r{insn.src} {insn.off:+d}))"
        case AtomicOp.STORE_REL:
            return f"store_release({place}, r{insn.src})"
        case number if number & AtomicOp.FETCH and number & ~1 in set(_ATOMIC):
            return f"r{insn.src} = atomic{bits}_fetch_{_ATOMIC[AtomicOp(number & ~1)]}({place}, r{insn.src})"
    return None


def _call(insn: Insn) -> str | None:
    match insn.src:
        case n if n == CALL_HELPER:
            from beespace.isa.helpers import BY_NUMBER  # of all who import this room, few write text

            helper = BY_NUMBER.get(insn.imm)
            return f"call {'bpf_' + helper.name if helper else 'unknown'}#{insn.imm}"
        case n if n == CALL_LOCAL:
            return f"call pc{insn.imm:+d}"
        case n if n == CALL_KFUNC:
            return f"call kernel-function#{insn.imm}"
    return None


def _jump(insn: Insn, _: Insn) -> str | None:
    narrow = insn.insn_class is InsnClass.JMP32
    r = "w" if narrow else "r"
    match insn.operation:
        case JumpOp.JA:
            return f"gotol pc{insn.imm:+d}" if narrow else f"goto pc{insn.off:+d}"
        case JumpOp.CALL if not narrow:
            return _call(insn)
        case JumpOp.EXIT if not narrow:
            return "exit"
        case JumpOp.JCOND if not narrow:
            return f"may_goto pc{insn.off:+d}"
    sign = _JUMP.get(JumpOp(insn.operation)) if insn.operation <= JumpOp.JSLE else None
    if sign is None:
        return None
    other = f"{r}{insn.src}" if insn.is_register else f"{insn.imm & 0xFFFFFFFF:#x}"
    return f"if {r}{insn.dst} {sign} {other} goto pc{insn.off:+d}"


_WRITERS: dict[InsnClass, Callable[[Insn, Insn], str | None]] = {
    InsnClass.LD: _load_immediate,
    InsnClass.LDX: _load,
    InsnClass.ST: _store_immediate,
    InsnClass.STX: _store,
    InsnClass.ALU: _arithmetic,
    InsnClass.JMP: _jump,
    InsnClass.JMP32: _jump,
    InsnClass.ALU64: _arithmetic,
}
