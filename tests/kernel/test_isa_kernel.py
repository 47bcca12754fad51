"""Our text of a program against the kernel's own, from the verifier's log."""

from __future__ import annotations

import re

import pytest

from beespace.errors import VerifierError
from beespace.isa import Insn, ProgramType, disassemble, encode
from beespace.isa.helpers import HELPERS
from beespace.isa.opcodes import LD_IMM64
from beespace.syscall import bpf

pytestmark = pytest.mark.kernel

SCALARS = [Insn(0xB7, 1, 0, 0, 100), Insn(0xB4, 2, 0, 0, -7), Insn(LD_IMM64, 3, 0, 0, -1), Insn(0, imm=5)]


def arithmetic() -> list[Insn]:
    ops = (0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0x90, 0xA0, 0xC0, 0xB0)
    out = [*SCALARS]
    for op in ops:
        shift = op in (0x60, 0x70, 0xC0)
        for cls in (0x04, 0x07):
            out += [Insn(op | cls, 1, 0, 0, 3 if shift else 77), *([] if shift else [Insn(op | cls | 8, 1, 2)])]
    out += [Insn(0x84, 1), Insn(0x87, 1)]
    return out + [Insn(opcode, 1, 0, 0, bits) for opcode in (0xD4, 0xDC) for bits in (16, 32, 64)]


def memory() -> list[Insn]:
    out = [*SCALARS]
    for size in (0x00, 0x08, 0x10, 0x18):
        out += [Insn(0x62 | size, 10, 0, -8, 5), Insn(0x63 | size, 10, 1, -8), Insn(0x61 | size, 0, 10, -8)]
    out += [Insn(0x7B, 10, 1, -8)]
    return out + [Insn(size, 10, 1, -8) for size in (0xC3, 0xDB)]


def atomics() -> list[Insn]:
    out = [*SCALARS, Insn(0x7A, 10, 0, -8, 5)]
    for size in (0xC3, 0xDB):
        for op in (0x00, 0x40, 0x50, 0xA0, 0x01, 0x41, 0x51, 0xA1, 0xE1):
            out += [Insn(size, 10, 1, -8, op)]
        out += [Insn(0xB7, 0), Insn(size, 10, 1, -8, 0xF1)]
    return out


def jumps() -> list[Insn]:
    call = Insn(0x85, 0, 0, 0, HELPERS["get_prandom_u32"].number)
    out = [call, Insn(0xBF, 6, 0), call, Insn(0xBF, 7, 0)]  # two numbers that the verifier does not know
    for op in (0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0xA0, 0xB0, 0xC0, 0xD0):
        for cls in (0x05, 0x06):
            out += [Insn(op | cls, 6, 0, 0, -9), Insn(op | cls | 8, 6, 7, 0)]
    return [*out, Insn(0x05, 0, 0, 0)]


def packets() -> list[Insn]:
    loads = [Insn(size | 0x20, 0, 0, 0, 12) for size in (0x00, 0x08, 0x10)]
    indirect = [Insn(size | 0x40, 0, 7, 0, 14) for size in (0x00, 0x08, 0x10)]
    return [Insn(0xBF, 6, 1), Insn(0xB7, 7, 0, 0, 2), *loads, *indirect]


FETCH = [Insn(0x7A, 10, 0, -8, 5), Insn(0xDB, 10, 1, -8, 0x01)]  # Linux 5.12
NEWER = [  # Linux 6.6
    Insn(0xBF, 1, 2, 8), Insn(0xBF, 1, 2, 32), Insn(0xBC, 1, 2, 16), Insn(0x37, 1, 0, 1, 7), Insn(0x9C, 1, 2, 1),
    Insn(0xD7, 1, 0, 0, 32), Insn(0x7A, 10, 0, -8, 3), Insn(0x81, 1, 10, -8), Insn(0x91, 1, 10, -8),
    Insn(0x06, 0, 0, 0, 0),
]  # fmt: skip
NEWEST = [Insn(0x7A, 10, 0, -8, 3), Insn(0xDB, 1, 10, -8, 0x100), Insn(0xDB, 10, 1, -8, 0x110)]  # Linux 6.15


def known(program: list[Insn]) -> bool:
    try:
        with bpf.prog_load(ProgramType.SOCKET_FILTER, encode([*program, Insn(0xB7), Insn(0x95)]))[0]:
            return True
    except VerifierError:
        return False


@pytest.mark.parametrize(
    "program",
    [arithmetic(), memory(), atomics(), jumps(), packets(), [*SCALARS, *NEWER], NEWEST],
    ids=["arithmetic", "memory", "atomics", "jumps", "packets", "newer", "newest"],
)
def test_the_kernel_writes_the_same(program: list[Insn]) -> None:
    if program is NEWEST and not known(program):
        pytest.skip("this kernel has no load-acquire and store-release (Linux 6.15)")
    if program[-1] == NEWER[-1] and not known([*SCALARS, NEWER[0]]):
        pytest.skip("this kernel has no sign-extending moves (Linux 6.6)")
    if program == atomics() and not known([*SCALARS, *FETCH]):
        pytest.skip("this kernel has no atomics but addition (Linux 5.12)")
    code = encode([*program, Insn(0xB7), Insn(0x95)])
    descriptor, log = bpf.prog_load(ProgramType.SOCKET_FILTER, code, log_level=2, log_size=1 << 20)
    descriptor.close()
    theirs: dict[int, str] = {}
    for line in log.splitlines():
        found = re.match(r"(?:from \d+ to )?(\d+): (\([0-9a-f]{2}\) .*)", line)
        if found:
            theirs[int(found[1])] = re.sub(r"\s+;.*", "", found[2]).strip()
    ours = {int(index): text for index, _, text in (line.partition(": ") for line in disassemble(code))}
    assert theirs
    assert {index: ours[index] for index in theirs} == theirs
    assert len(theirs) > 0.9 * len(ours)
