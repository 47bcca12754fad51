"""Which instructions the verifier and the JIT take, by loading a program of each.

A *level* is what clang calls ``-mcpu``: v1 the first set, v2 (4.14) jumps on "less", v3 (5.1) 32-bit jumps, v4 (6.6)
sign extension, signed division, byte swaps and long jumps.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from beespace.errors import KernelError, NotSupported, VerifierError
from beespace.isa import Insn, ProgramType
from beespace.kernel.features.feature import Feature, attempt
from beespace.kernel.features.program_types import Smallest, smallest
from beespace.record import dataclass

__all__ = ["INSTRUCTIONS", "instruction", "instruction_level", "instructions"]

_STACK = Insn(0x7A, dst=10, off=-8, imm=1)  # *(u64 *)(r10 - 8) = 1
_ONE = Insn(0xB7, dst=1, imm=1)  # r1 = 1


def _atomic(operation: int) -> tuple[Insn, ...]:
    return (_STACK, _ONE, Insn(0xDB, dst=10, src=1, off=-8, imm=operation), Insn(0xB7))


@dataclass(frozen=True, slots=True)
class Instruction:
    """What shows that an instruction is there.

    ``code`` is loaded as a program of ``program`` type before ``r0 = 0; exit``.  ``known`` is what the verifier says
    to it when it knows the instruction, but misses what goes with it (an arena, a table of targets).  ``since`` is
    the first kernel with it; some are missing from some JITs.
    """

    code: tuple[Insn, ...]
    since: str
    level: int = 0  # the instruction set it belongs to; 0: none of them
    known: str = ""
    program: int = ProgramType.SOCKET_FILTER
    returns: int = 0


INSTRUCTIONS: dict[str, Instruction] = {
    "jump if less": Instruction((Insn(0xA5, imm=1),), "4.14", 2),
    "32-bit jumps": Instruction((Insn(0x16),), "5.1", 3),
    "32-bit arithmetic": Instruction((Insn(0xB4), Insn(0x04, imm=1), Insn(0xB7)), "3.18", 1),
    "atomic add": Instruction(_atomic(0x00), "3.18", 1),
    "atomic fetch and exchange": Instruction(_atomic(0xE1), "5.12", 3),
    "sign-extending moves": Instruction((Insn(0xBF, off=8), Insn(0xB7)), "6.6", 4),
    "sign-extending loads": Instruction((_STACK, Insn(0x91, src=10, off=-8), Insn(0xB7)), "6.6", 4),
    "signed division": Instruction((_ONE, Insn(0x3F, src=1, off=1)), "6.6", 4),
    "unconditional byte swap": Instruction((Insn(0xD7, imm=16),), "6.6", 4),
    "long jumps": Instruction((Insn(0x06),), "6.6", 4),
    "load-acquire": Instruction((_STACK, Insn(0xDB, src=10, off=-8, imm=0x100), Insn(0xB7)), "6.15"),
    "store-release": Instruction((_ONE, Insn(0xDB, dst=10, src=1, off=-8, imm=0x110)), "6.15"),
    "may_goto": Instruction((Insn(0xE5, off=1), Insn(0xB7), Insn(0xB7)), "6.9"),
    "address space cast": Instruction((Insn(0xBF, dst=1, src=1, off=1, imm=1),), "6.9", known="arena"),
    "indirect jumps": Instruction((Insn(0x0D, dst=1),), "6.19", known="PTR_TO_INSN|insn_array|jump table"),
    "bounded loops": Instruction((Insn(0x07, imm=1), Insn(0xA5, off=-2, imm=10), Insn(0xB7)), "5.3"),
    "calls of functions in the object": Instruction((Insn(0x85, src=1, imm=1), Insn(0x95), Insn(0xB7)), "4.16"),
    # Nothing but a helper's argument may be one, and that wants types: kernel commit 69c087ba6225.
    "addresses of functions": Instruction(
        (Insn(0x18, dst=1, src=4, imm=3), Insn(0), Insn(0xB7), Insn(0x95)), "5.13", known="func_info"
    ),
}


def instruction(name: str) -> Feature:
    """Whether the kernel takes the instruction ``name``; ``KeyError`` for one that is not in :data:`INSTRUCTIONS`."""
    found = INSTRUCTIONS[name]
    return attempt("instruction", name, lambda: _load(name, found))


def instructions() -> Iterator[Feature]:
    """All of :data:`INSTRUCTIONS`, then each level as a whole."""
    for name in INSTRUCTIONS:
        yield instruction(name)
    for level in range(1, 5):
        yield attempt("instruction", f"set v{level}", _level(level))


def instruction_level() -> int:
    """The highest instruction set of which the kernel takes everything: 1 to 4 (0: it loads no program at all)."""
    return max((level for level in range(1, 5) if attempt("instruction", f"set v{level}", _level(level)).available),
               default=0)  # fmt: skip


def _level(level: int) -> Callable[[], None]:
    def check() -> None:
        for name, found in INSTRUCTIONS.items():
            if 0 < found.level <= level:
                feature = instruction(name)
                if not feature.available:
                    raise NotSupported(f"instruction set v{level} ({name} is missing)", errno=feature.errno)

    return check


def _load(name: str, found: Instruction) -> None:
    try:
        smallest(found.program, like=Smallest(returns=found.returns), before_exit=found.code).close()
    except VerifierError as error:
        if found.known and re.search(found.known, error.log):
            return
        raise NotSupported(f"{name} ({error.reason})", errno=error.errno, call=error.call) from error
    except KernelError as error:
        if error.errno in (1, 13):
            raise
        raise NotSupported(f"{name} (older, or its JIT does not translate it)", errno=error.errno) from error
