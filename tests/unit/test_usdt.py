"""Arguments of static probes, as compilers write them into notes."""

from __future__ import annotations

import pytest

from beespace.errors import UsageError
from beespace.kernel.usdt_arguments import Argument, Kind, parse_arguments

X86, ARM, I386 = 62, 183, 3
# Offsets in struct pt_regs (arch/x86/include/uapi/asm/ptrace.h) and struct user_pt_regs (arch/arm64).
RBP, RBX, RAX, RSI, RDI, R8, RIP, RSP = 32, 40, 80, 104, 112, 72, 128, 152


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-4@$-9", Argument(4, True, Kind.CONSTANT, -9)),
        ("8@$0x10", Argument(8, False, Kind.CONSTANT, 16)),
        ("8@%rax", Argument(8, False, Kind.REGISTER, 0, RAX)),
        ("-4@%eax", Argument(4, True, Kind.REGISTER, 0, RAX)),
        ("2@%ax", Argument(2, False, Kind.REGISTER, 0, RAX)),
        ("-1@%al", Argument(1, True, Kind.REGISTER, 0, RAX)),
        ("4@%r8d", Argument(4, False, Kind.REGISTER, 0, R8)),
        ("1@%sil", Argument(1, False, Kind.REGISTER, 0, RSI)),
        ("1@%dil", Argument(1, False, Kind.REGISTER, 0, RDI)),
        ("-4@-20(%rbp)", Argument(4, True, Kind.MEMORY, -20, RBP)),
        ("8@(%rsp)", Argument(8, False, Kind.MEMORY, 0, RSP)),
        ("8@0x20(%rsp)", Argument(8, False, Kind.MEMORY, 32, RSP)),
        ("1@-96(%rbp,%rax,8)", Argument(1, False, Kind.INDEXED, -96, RBP, RAX, 3)),
        ("8@(%rbx,%rax)", Argument(8, False, Kind.INDEXED, 0, RBX, RAX, 0)),
        ("8@4(%rbx, %rax, 2)", Argument(8, False, Kind.INDEXED, 4, RBX, RAX, 1)),
        ("-4@number(%rip)", Argument(4, True, Kind.MEMORY, 0x3000, RIP)),
        ("-4@number+8(%rip)", Argument(4, True, Kind.MEMORY, 0x3008, RIP)),
        ("-4@-8+number(%rip)", Argument(4, True, Kind.MEMORY, 0x2FF8, RIP)),
    ],
)
def test_x86(text: str, expected: Argument) -> None:
    variable = {"number": 0x4000}.get
    assert parse_arguments(text, X86, 0x1000, variable) == [expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-4@5", Argument(4, True, Kind.CONSTANT, 5)),
        ("-4@#-5", Argument(4, True, Kind.CONSTANT, -5)),
        ("8@xzr", Argument(8, False, Kind.CONSTANT, 0)),
        ("8@x0", Argument(8, False, Kind.REGISTER, 0, 0)),
        ("-4@w19", Argument(4, True, Kind.REGISTER, 0, 19 * 8)),
        ("8@sp", Argument(8, False, Kind.REGISTER, 0, 248)),
        ("-4@[sp, 60]", Argument(4, True, Kind.MEMORY, 60, 248)),
        ("-4@[x29, #-16]", Argument(4, True, Kind.MEMORY, -16, 29 * 8)),
        ("8@[x1]", Argument(8, False, Kind.MEMORY, 0, 8)),
        ("8@[x1, x2]", Argument(8, False, Kind.INDEXED, 0, 8, 16, 0)),
        ("8@[x1, x2, lsl 3]", Argument(8, False, Kind.INDEXED, 0, 8, 16, 3)),
    ],
)
def test_arm64(text: str, expected: Argument) -> None:
    assert parse_arguments(text, ARM) == [expected]


def test_several() -> None:
    found = parse_arguments("-4@%edi 8@-8(%rbp,%rcx,4) 1@$200", X86)
    assert [each.kind for each in found] == [Kind.REGISTER, Kind.INDEXED, Kind.CONSTANT]
    assert [each.size for each in parse_arguments(" 8@[sp, 8]   -4@[x19, 4] 2@3 ", ARM)] == [8, 4, 2]
    assert parse_arguments("", X86) == parse_arguments("  ", ARM) == []


def test_a_program_of_32_bits() -> None:
    assert parse_arguments("-4@-12(%ebp) 4@%esi", I386) == [
        Argument(4, True, Kind.MEMORY, -12, RBP), Argument(4, False, Kind.REGISTER, 0, RSI),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text",
    ["8f@%xmm0", "4f@%eax", "1@%ah", "3@%eax", "16@%rax", "4@foo", "4@%nosuch", "x 4@%eax", "4@%eax y", "4@", "4@(%rip",
     "8@missing(%rip)", "8@%st(0)"],
)  # fmt: skip
def test_what_no_program_can_read(text: str) -> None:
    with pytest.raises(UsageError, match=r"no program can read the argument of a static probe that is at '"):
        parse_arguments(text, X86, 0, lambda name: None)


def test_another_machine() -> None:
    with pytest.raises(UsageError, match="not known for ELF machine 243"):
        parse_arguments("8@a0", 243)
