"""Loops laid out so that their end falls into their beginning, which kernels before 6.8 refuse as they are."""

from __future__ import annotations

import pytest

from beespace.compiler.back_edges import without_falling_back
from beespace.isa import Insn, ProgramType, encode
from beespace.spec import FunctionSpec
from beespace.syscall import bpf

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("no_leaks")]

# r0 = 0; enter at the condition; the body, a call and an addition, falls into the condition.
BODY = (
    Insn(0xB7, 6), Insn(0x05, off=3),
    Insn(0x85, imm=5), Insn(0x07, 6, imm=1), Insn(0xBF, 0, 6),
    Insn(0xA5, 6, imm=10, off=-4), Insn(0xBF, 0, 6), Insn(0x95),
)  # fmt: skip


def test_the_kernel_takes_the_loop_and_it_counts() -> None:
    fitted = without_falling_back(FunctionSpec("f", encode(BODY)))
    assert len(fitted.code) == 8 * (len(BODY) + 1)
    descriptor, _ = bpf.prog_load(ProgramType.SOCKET_FILTER, fitted.code, name="loop", license="GPL")
    with descriptor:
        assert bpf.prog_test_run(descriptor, data_in=bytes(64)).retval == 10
