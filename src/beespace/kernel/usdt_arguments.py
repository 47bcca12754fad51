"""Where the arguments of a static probe are: ``-4@-20(%rbp) 8@%rax 4@$7``, as the compiler wrote it into the note.

An argument is its size in bytes (negative: signed), ``@``, and an operand of the assembler: a constant, a register,
memory at a register plus an offset, memory at a register plus another one times 1, 2, 4 or 8, or a variable by name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from enum import IntEnum

from beespace.errors import UsageError
from beespace.record import dataclass

__all__ = ["Argument", "Kind", "parse_arguments"]

_I386, _X86_64, _AARCH64 = 3, 62, 183  # e_machine


class Kind(IntEnum):
    """``enum __bpf_usdt_arg_type`` of libbpf's ``usdt.bpf.h``."""

    CONSTANT = 0
    REGISTER = 1
    MEMORY = 2
    INDEXED = 3


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument: ``size`` bytes at what ``kind`` says.

    ``value`` is the constant, or the offset from the register; ``register`` and ``index`` are byte offsets in
    ``struct pt_regs``, ``scale`` is how many bits ``index`` is shifted.
    """

    size: int
    signed: bool
    kind: Kind
    value: int = 0
    register: int = 0
    index: int = 0
    scale: int = 0


def _x86_registers() -> Mapping[str, int]:
    """Name -> offset in ``struct pt_regs`` (arch/x86/include/asm/ptrace.h): the low part of a register lies first."""
    order = "r15 r14 r13 r12 bp bx r11 r10 r9 r8 ax cx dx si di orig ip cs flags sp"
    found: dict[str, int] = {}
    for place, name in enumerate(order.split(" ")):
        if name[0] == "r" and name[1:].isdigit():
            spelt = [name, name + "d", name + "w", name + "b"]
        else:
            low = name[0] + "l" if name in ("ax", "bx", "cx", "dx") else name + "l"
            spelt = ["r" + name, "e" + name, name, low]
        found |= dict.fromkeys(spelt, place * 8)
    return found


def _arm_registers() -> Mapping[str, int]:
    """``struct user_pt_regs`` (arch/arm64/include/uapi/asm/ptrace.h)."""
    found = {f"{letter}{number}": number * 8 for number in range(31) for letter in "xw"}
    return found | {"fp": 29 * 8, "lr": 30 * 8, "sp": 31 * 8, "wsp": 31 * 8, "pc": 32 * 8}


_NUMBER = r"[+-]?(?:0x[0-9a-f]+|\d+)"
_X86_CONSTANT = re.compile(rf"\$({_NUMBER})", re.I)
_X86_REGISTER = re.compile(r"%(\w+)")
_X86_MEMORY = re.compile(rf"({_NUMBER})?\(%(\w+)\)", re.I)
_X86_INDEXED = re.compile(rf"({_NUMBER})?\((?:%(\w+))?,\s*%(\w+)(?:,\s*([1248]))?\)", re.I)
_X86_VARIABLE = re.compile(rf"({_NUMBER}\+)?([A-Za-z_.$][\w.$@]*)({_NUMBER})?\(%rip\)", re.I)
_ARM_CONSTANT = re.compile(rf"#?({_NUMBER})", re.I)
_ARM_REGISTER = re.compile(r"(\w+)")
_ARM_MEMORY = re.compile(rf"\[\s*(\w+)\s*(?:,\s*#?({_NUMBER})\s*)?\]", re.I)
_ARM_INDEXED = re.compile(r"\[\s*(\w+)\s*,\s*(x\w+)\s*(?:,\s*lsl\s*#?([0123])\s*)?\]", re.I)

# An argument goes on to the next size, because operands of arm64 have spaces in them.
_ARGUMENT = re.compile(r"(-?\d+)(f?)@(.*?)(?=\s+-?\d+f?@|\s*$)", re.S)
_SIZES = (1, 2, 4, 8)
Variables = Callable[[str], int | None]


def parse_arguments(text: str, machine: int, address: int = 0, variable: Variables | None = None) -> list[Argument]:
    """The arguments of a note, for the ``e_machine`` of its binary.

    ``address`` is that of the probe's instruction, ``variable`` gives addresses of variables in the binary: those
    are told from there.  Raises :class:`UsageError` for an operand that programs cannot read.
    """
    machines = {_X86_64: _x86, _I386: _x86, _AARCH64: _arm}
    if machine not in machines:
        raise UsageError(f"arguments of static probes are not known for ELF machine {machine}")
    return [_argument(*found, machines[machine], address, variable) for found in _split(text)]


def _split(text: str) -> Iterator[tuple[str, str, str]]:
    at = 0
    text = text.strip()
    for found in _ARGUMENT.finditer(text):
        if text[at : found.start()].strip():
            break
        yield found[1], found[2], found[3].strip()
        at = found.end()
    if text[at:].strip():
        raise _unreadable(text[at:].strip())


def _argument(
    size: str,
    floating: str,
    operand: str,
    read: Callable[[str, int, Variables | None], tuple[Kind, int, int, int, int] | None],
    address: int,
    variable: Variables | None,
) -> Argument:
    text = f"{size}{floating}@{operand}"
    found = None if floating or abs(int(size)) not in _SIZES else read(operand, address, variable)
    if found is None:
        raise _unreadable(text)
    return Argument(abs(int(size)), int(size) < 0, *found)


def _unreadable(text: str) -> UsageError:
    return UsageError(
        f"no program can read the argument of a static probe that is at {text!r}",
        help="programs read integers of 1, 2, 4 and 8 bytes in registers and memory",
    )


def _x86(operand: str, address: int, variable: Variables | None) -> tuple[Kind, int, int, int, int] | None:
    registers = _X86
    if found := _X86_CONSTANT.fullmatch(operand):
        return Kind.CONSTANT, int(found[1], 0), 0, 0, 0
    if (found := _X86_REGISTER.fullmatch(operand)) and found[1] in registers:
        return Kind.REGISTER, 0, registers[found[1]], 0, 0
    if (found := _X86_MEMORY.fullmatch(operand)) and found[2] in registers:
        return Kind.MEMORY, int(found[1] or "0", 0), registers[found[2]], 0, 0
    if (found := _X86_INDEXED.fullmatch(operand)) and found[2] in registers and found[3] in registers:
        scale = int(found[4] or "1").bit_length() - 1
        return Kind.INDEXED, int(found[1] or "0", 0), registers[found[2]], registers[found[3]], scale
    if (found := _X86_VARIABLE.fullmatch(operand)) and variable is not None:
        place = variable(found[2])
        if place is not None:  # the probe sees the address of its own instruction in %rip
            offset = int((found[1] or "0").removesuffix("+"), 0) + int(found[3] or "0", 0)
            return Kind.MEMORY, place + offset - address, registers["rip"], 0, 0
    return None


def _arm(operand: str, address: int, variable: Variables | None) -> tuple[Kind, int, int, int, int] | None:
    registers = _ARM
    if operand in ("xzr", "wzr"):
        return Kind.CONSTANT, 0, 0, 0, 0
    if found := _ARM_CONSTANT.fullmatch(operand):
        return Kind.CONSTANT, int(found[1], 0), 0, 0, 0
    if (found := _ARM_REGISTER.fullmatch(operand)) and found[1] in registers:
        return Kind.REGISTER, 0, registers[found[1]], 0, 0
    if (found := _ARM_INDEXED.fullmatch(operand)) and found[1] in registers and found[2] in registers:
        return Kind.INDEXED, 0, registers[found[1]], registers[found[2]], int(found[3] or "0")
    if (found := _ARM_MEMORY.fullmatch(operand)) and found[1] in registers:
        return Kind.MEMORY, int(found[2] or "0", 0), registers[found[1]], 0, 0
    return None


_X86, _ARM = _x86_registers(), _arm_registers()
