"""What a refused program asks of its kernel that only newer ones have: looked for in its code, then tried."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

from beespace.errors import NotSupported, VerifierError
from beespace.kernel.features import INSTRUCTIONS, instruction, kfunc

__all__ = ["RECOGNISED", "missing_callback_lock", "missing_instruction", "missing_stack_access"]

_ATOMIC = (0xC3, 0xCB, 0xD3, 0xDB)
_DIVISIONS = (0x34, 0x37, 0x3C, 0x3F, 0x94, 0x97, 0x9C, 0x9F)
_WIDE = 0x18  # ld_imm64: two slots

# By the names of INSTRUCTIONS: whether an instruction (opcode, source register, offset, immediate) is one of these.
RECOGNISED: dict[str, Callable[[int, int, int, int], bool]] = {
    "atomic fetch and exchange": lambda op, src, off, imm: op in _ATOMIC and 0 < imm < 0x100,
    "load-acquire": lambda op, src, off, imm: op in _ATOMIC and imm == 0x100,
    "store-release": lambda op, src, off, imm: op in _ATOMIC and imm == 0x110,
    "sign-extending moves": lambda op, src, off, imm: op in (0xBC, 0xBF) and off in (8, 16, 32),
    "sign-extending loads": lambda op, src, off, imm: op in (0x81, 0x89, 0x91),
    "signed division": lambda op, src, off, imm: op in _DIVISIONS and off == 1,
    "unconditional byte swap": lambda op, src, off, imm: op == 0xD7,
    "long jumps": lambda op, src, off, imm: op == 0x06,
    "may_goto": lambda op, src, off, imm: op == 0xE5,
    "address space cast": lambda op, src, off, imm: op == 0xBF and off == 1,
    "indirect jumps": lambda op, src, off, imm: op == 0x0D,
    "addresses of functions": lambda op, src, off, imm: op == _WIDE and src == 4,
}


def missing_instruction(error: VerifierError, code: bytes) -> NotSupported | None:
    """The error to raise instead of ``error``, if ``code`` has instructions that this kernel takes from nobody."""
    used = {name for each in _instructions(code) for name, is_one in RECOGNISED.items() if is_one(*each)}
    for name in sorted(used):
        if not instruction(name).available:
            return NotSupported(
                f"{name}, in program {error.program!r}",
                since=INSTRUCTIONS[name].since or None, call=error.call, errno=error.errno,
            )  # fmt: skip
    return None


def missing_stack_access(error: VerifierError) -> NotSupported | None:
    """The same where an index into memory of the stack is computed: kernel commit 01f810ace9ed.

    Newer kernels say other words, and these only with others about rights behind them.
    """
    if "variable stack access var_off=" not in error.log or "!root" in error.log:
        return None
    return NotSupported(
        f"a computed index into an array on the stack, in program {error.program!r}", since="5.12", call=error.call,
        errno=error.errno, help="keep the array in a map or a Global: every kernel takes any index there",
    )  # fmt: skip


def missing_callback_lock(error: VerifierError, code: bytes) -> NotSupported | None:
    """The same where a callback locks the value that it is given: the verifier of Linux 6.2 was the first to follow it.

    Kernel commit 4e814da0d599, of one series with the functions that make objects for programs.
    """
    if "bpf_spin_unlock without taking a lock" not in error.log:
        return None
    has_callbacks = any(RECOGNISED["addresses of functions"](*each) for each in _instructions(code))
    if not has_callbacks or kfunc("bpf_obj_new_impl").available:
        return None
    return NotSupported(
        f"a lock in the value that a callback is given, in program {error.program!r}", since="6.2", call=error.call,
        errno=error.errno, help="look the value up in its map again, by the key that the callback is given",
    )  # fmt: skip


def _instructions(code: bytes) -> Iterator[tuple[int, int, int, int]]:
    second = False
    for opcode, registers, offset, immediate in struct.iter_unpack("=BBhi", code):
        if not second:
            yield opcode, registers >> 4, offset, immediate
        second = not second and opcode == _WIDE
