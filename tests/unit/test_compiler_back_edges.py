"""Loops whose end falls into their beginning: found as the kernel finds them, and a jump put between."""

from __future__ import annotations

import pytest

from beespace.compiler.back_edges import without_falling_back
from beespace.isa import Insn, decode, encode
from beespace.spec import FunctionSpec, JumpTable, LineInfo, SymbolKind, SymbolReloc

MOV, ADD, EXIT = Insn(0xB7, 0, imm=0), Insn(0x07, 0, imm=1), Insn(0x95)
NOTHING = Insn(0x05)


def goto(offset: int) -> Insn:
    return Insn(0x05, off=offset)


def below(limit: int, offset: int) -> Insn:
    return Insn(0xA5, 0, imm=limit, off=offset)


def function(*insns: Insn, **more: object) -> FunctionSpec:
    return FunctionSpec("f", encode(insns), **more)  # type: ignore[arg-type]


# Entered in the middle: 1 jumps to 4; 4 goes back to 3 if it is below 10, and 3 falls into 4.
INTO_THE_MIDDLE = (MOV, goto(2), EXIT, ADD, below(10, -2), EXIT)


def test_a_loop_that_its_end_falls_into() -> None:
    marks = {
        "symbols": (SymbolReloc(0, SymbolKind.MAP, "m"), SymbolReloc(3, SymbolKind.MAP, "m"),
                    SymbolReloc(4, SymbolKind.MAP, "m")),
        "lines": tuple(LineInfo(index, "p.py", "", index, 1) for index in (0, 3, 4, 5)),
        "jump_tables": (JumpTable("t", (3, 4)),),
    }  # fmt: skip
    fitted = without_falling_back(function(*INTO_THE_MIDDLE, **marks))
    assert decode(fitted.code) == [MOV, goto(3), EXIT, ADD, NOTHING, below(10, -3), EXIT]
    assert [each.index for each in fitted.symbols] == [0, 3, 5]
    assert [each.index for each in fitted.lines] == [0, 3, 5, 6]
    assert fitted.jump_tables == (JumpTable("t", (3, 5)),)
    assert without_falling_back(fitted) == fitted


@pytest.mark.parametrize(
    "insns",
    [
        pytest.param((MOV, ADD, EXIT), id="no loop"),
        pytest.param((MOV, ADD, below(10, -2), EXIT), id="a loop that is fallen into from before, once"),
        pytest.param((MOV, below(5, 1), ADD, EXIT), id="a branch that falls into where another goes"),
        pytest.param((MOV, MOV, ADD, below(10, -2), below(20, -4), EXIT), id="a loop in a loop"),
    ],
)
def test_what_kernels_take_stays_as_it_is(insns: tuple[Insn, ...]) -> None:
    spec = function(*insns)
    assert without_falling_back(spec) is spec


def test_long_jumps() -> None:
    fitted = without_falling_back(function(MOV, Insn(0x06, imm=2), EXIT, ADD, below(10, -2), EXIT))
    assert decode(fitted.code)[1] == Insn(0x06, imm=3)
