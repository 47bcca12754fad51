"""Where functions find their arguments and leave their result: registers, by machine.

Offsets are those in ``struct pt_regs`` as BPF programs see it: of x86-64 in arch/x86/include/asm/ptrace.h, of arm64
``struct user_pt_regs`` in arch/arm64/include/uapi/asm/ptrace.h.  The order of arguments is that of the C calling
convention; system calls of x86-64 have their fourth argument in another place, because ``syscall`` overwrites rcx.
"""

from __future__ import annotations

from beespace.record import dataclass

__all__ = ["ARM64", "X86_64", "Registers"]


@dataclass(frozen=True, slots=True)
class Registers:
    """Byte offsets in ``struct pt_regs``.

    ``large_in_memory``: a struct of more than 16 bytes is passed on the stack, else by its address in a register.
    """

    machine: str
    arguments: tuple[int, ...]
    syscall_arguments: tuple[int, ...]
    result: int
    instruction: int
    large_in_memory: bool


_X86 = {
    name: 8 * place
    for place, name in enumerate(
        [
            "r15",
            "r14",
            "r13",
            "r12",
            "bp",
            "bx",
            "r11",
            "r10",
            "r9",
            "r8",
            "ax",
            "cx",
            "dx",
            "si",
            "di",
            "orig_ax",
            "ip",
            "cs",
            "flags",
            "sp",
            "ss",
        ]
    )
}

X86_64 = Registers(
    "x86-64",
    tuple(_X86[name] for name in ("di", "si", "dx", "cx", "r8", "r9")),
    tuple(_X86[name] for name in ("di", "si", "dx", "r10", "r8", "r9")),
    _X86["ax"],
    _X86["ip"],
    large_in_memory=True,
)
ARM64 = Registers(
    "arm64",
    tuple(8 * number for number in range(8)),
    tuple(8 * number for number in range(6)),
    0,
    8 * 32,
    large_in_memory=False,
)
