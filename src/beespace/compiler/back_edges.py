"""Loops whose end falls into their beginning, which kernels before 6.8 refuse: a jump over nothing goes between.

The walk over a program's instructions that looks for loops (check_cfg() in kernel/bpf/verifier.c) lets jumps go back
since Linux 5.3, but until 6.8 no instruction that merely precedes the loop's first one.  LLVM lays loops out in that
way when something jumps into their middle.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Iterator, Mapping

from beespace.isa.opcodes import CALL, EXIT, InsnClass, JumpOp
from beespace.record import replace
from beespace.spec import FunctionSpec

__all__ = ["without_falling_back"]

_SIZE = 8
_GOTO, _GOTO_LONG = InsnClass.JMP | JumpOp.JA, InsnClass.JMP32 | JumpOp.JA
_INSN = struct.Struct("=BBhi")
_NOTHING = _INSN.pack(_GOTO, 0, 0, 0)
_ON_THE_WAY, _DONE = 1, 2


def without_falling_back(function: FunctionSpec) -> FunctionSpec:
    """The same function, with a jump to the next instruction before each loop that its end falls into."""
    code = function.code
    jumps = dict(_jumps(code))
    if not any(target <= at for at, target in jumps.items()):
        return function
    before = sorted(_falls_back(code, jumps))
    if not before:
        return function

    def moved(index: int) -> int:
        return index + bisect_right(before, index)

    done = bytearray()
    for at in range(len(code) // _SIZE):
        if at in before:
            done += _NOTHING
        done += code[_SIZE * at : _SIZE * (at + 1)]
    for at, target in jumps.items():
        offset = moved(target) - moved(at) - 1
        if code[_SIZE * at] == _GOTO_LONG:
            struct.pack_into("=i", done, _SIZE * moved(at) + 4, offset)
        else:
            struct.pack_into("=h", done, _SIZE * moved(at) + 2, offset)
    return replace(
        function,
        code=bytes(done),
        symbols=tuple(replace(each, index=moved(each.index)) for each in function.symbols),
        core=tuple(replace(each, index=moved(each.index)) for each in function.core),
        functions=tuple(replace(each, index=moved(each.index)) for each in function.functions),
        lines=tuple(replace(each, index=moved(each.index)) for each in function.lines),
        jump_tables=tuple(
            replace(each, targets=tuple(moved(target) for target in each.targets)) for each in function.jump_tables
        ),
    )


def _jumps(code: bytes) -> Iterator[tuple[int, int]]:
    """Every jump inside the function and where it goes, as indices of instructions."""
    for at, (opcode, _, offset, immediate) in enumerate(_INSN.iter_unpack(code)):
        if opcode & 7 in (InsnClass.JMP, InsnClass.JMP32) and opcode not in (CALL, EXIT):
            yield at, at + 1 + (immediate if opcode == _GOTO_LONG else offset)


def _falls_back(code: bytes, jumps: Mapping[int, int]) -> Iterator[int]:
    """Where loops begin that the instruction before falls into, in the order in which the kernel walks."""
    state = bytearray(len(code) // _SIZE)

    def following(at: int) -> Iterator[int]:
        if code[_SIZE * at] not in (EXIT, _GOTO, _GOTO_LONG) and at + 1 < len(state):
            yield at + 1
        if at in jumps:
            yield jumps[at]

    state[0] = _ON_THE_WAY
    way = [(0, following(0))]
    while way:
        at, others = way[-1]
        target = next(others, None)
        if target is None:
            state[at] = _DONE
            way.pop()
        elif not state[target]:
            state[target] = _ON_THE_WAY
            way.append((target, following(target)))
        elif state[target] == _ON_THE_WAY and at not in jumps:
            yield target
