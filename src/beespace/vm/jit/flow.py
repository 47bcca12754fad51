"""Where a program's functions begin, and the basic blocks of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from beespace.isa.insn import Insn
from beespace.isa.opcodes import CALL, CALL_LOCAL, EXIT, LD_IMM64, InsnClass, JumpOp, Mode, Pseudo, Source
from beespace.vm.instructions import INSTRUCTIONS

__all__ = ["blocks", "called_from_outside", "checkpoints", "entries", "jumps_to", "leaves_registers"]

_CLASS = 0x07
_JUMPS = (InsnClass.JMP, InsnClass.JMP32)


def entries(insns: Sequence[Insn]) -> list[int]:
    """The first instruction, and those that calls and addresses of functions name."""
    calls = (at + insn.imm + 1 for at, insn in enumerate(insns) if insn.opcode == CALL and insn.src == CALL_LOCAL)
    return sorted({*called_from_outside(insns), *(index for index in calls if 0 <= index < len(insns))})


def called_from_outside(insns: Sequence[Insn]) -> list[int]:
    """Those of which somebody may have the address."""
    loads = (at + insn.imm for at, insn in enumerate(insns) if insn.opcode == LD_IMM64 and insn.src == Pseudo.FUNC)
    return sorted({0, *(index for index in loads if 0 <= index < len(insns))})


def jumps_to(index: int, insn: Insn) -> int:
    """Where a jump goes."""
    return index + 1 + (insn.imm if insn.opcode == InsnClass.JMP32 | JumpOp.JA else insn.off)


def leaves_registers(insn: Insn) -> bool:
    """Whether Python may be asked to do it: then it is the last of its block."""
    return insn.opcode in (CALL, CALL | Source.X) or (
        insn.opcode & _CLASS == InsnClass.LD and insn.mode in (Mode.ABS, Mode.IND)
    )


def _next(index: int, insn: Insn) -> tuple[list[int], bool]:
    """What may come after an instruction, and whether its block ends with it."""
    if insn.opcode not in INSTRUCTIONS or insn.opcode == EXIT:
        return [], True
    if insn.opcode in (InsnClass.JMP | JumpOp.JA, InsnClass.JMP32 | JumpOp.JA):
        return [jumps_to(index, insn)], True
    if leaves_registers(insn):
        return [index + 1], True
    if insn.opcode & _CLASS in _JUMPS:
        return [index + 1, jumps_to(index, insn)], True
    return [index + 2 if insn.opcode == LD_IMM64 else index + 1], False


def blocks(insns: Sequence[Insn], entry: int) -> dict[int, list[int]]:
    """The instructions of each block by its first one, all that can be reached from ``entry``."""
    leaders, seen, work = {entry}, set[int](), [entry]
    while work:
        index = work.pop()
        if index in seen or not 0 <= index < len(insns):
            continue
        seen.add(index)
        after, ends = _next(index, insns[index])
        if ends:
            leaders.update(after)
        work += after
    return {leader: _block(insns, leader, leaders) for leader in sorted(leaders & seen)}


def _block(insns: Sequence[Insn], leader: int, leaders: set[int]) -> list[int]:
    found, index = [leader], leader
    while True:
        after, ends = _next(index, insns[index])
        if ends or after[0] in leaders or after[0] >= len(insns):
            return found
        index = after[0]
        found.append(index)


def checkpoints(insns: Sequence[Insn], parts: Mapping[int, Sequence[int]], entry: int) -> tuple[set[int], set[int]]:
    """Blocks of which every round of a loop goes through one, with those behind calls and the first; and those alone
    that loops go through."""
    found, loops = {entry}, set[int]()
    open_, done = {entry}, set[int]()
    path = [(entry, iter(_after(insns, parts[entry])))]
    while path:
        leader, rest = path[-1]
        into = next(rest, None)
        if into is None:
            path.pop()
            open_.discard(leader)
            done.add(leader)
        elif into in open_ or leaves_registers(insns[parts[leader][-1]]):
            found.add(into)
            if into in open_:
                loops.add(into)
        if into is not None and into in parts and into not in open_ and into not in done:
            open_.add(into)
            path.append((into, iter(_after(insns, parts[into]))))
    return found, loops


def _after(insns: Sequence[Insn], part: Sequence[int]) -> list[int]:
    return _next(part[-1], insns[part[-1]])[0]
