"""Whether a refused program has instructions that its kernel lacks: the code is ours, the kernel's answer given."""

from __future__ import annotations

import pytest

from beespace.errors import VerifierError
from beespace.isa import Insn, encode
from beespace.kernel import newer
from beespace.kernel.features import INSTRUCTIONS, Feature

CODE = {  # each is in INSTRUCTIONS as well, as the smallest program of it
    "atomic fetch and exchange": Insn(0xDB, 10, 1, -8, 0xF1),
    "load-acquire": Insn(0xCB, 1, 10, -8, 0x100),
    "sign-extending moves": Insn(0xBC, 1, 2, 16),
    "signed division": Insn(0x97, 1, 0, 1, 7),
    "long jumps": Insn(0x06, 0, 0, 0, 1),
}
PLAIN = [Insn(0xDB, 10, 1, -8), Insn(0xBF, 1, 2), Insn(0x37, 1, 0, 0, 7), Insn(0x18, 1, 1), Insn(0x06), Insn(0x05)]
ERROR = VerifierError("look", errno=22, log="", reason="", source=None)


@pytest.fixture
def lacking(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Names to put into it: what the kernel lacks."""
    names: set[str] = set()
    monkeypatch.setattr(newer, "instruction", lambda name: Feature("instruction", name, name not in names, ""))
    return names


@pytest.mark.parametrize("name", CODE)
def test_what_is_missing_is_named(name: str, lacking: set[str]) -> None:
    code = encode([*PLAIN, CODE[name]])
    assert newer.missing_instruction(ERROR, code) is None
    lacking.add(name)
    missing = newer.missing_instruction(ERROR, code)
    assert missing is not None
    assert missing.since == INSTRUCTIONS[name].since
    assert f"does not support {name}, in program 'look' (needs Linux {missing.since})" in str(missing)


def test_what_is_not_used_is_not_missed(lacking: set[str]) -> None:
    """The second half of a wide load is no long jump, and its source register tells maps from functions."""
    lacking.update(INSTRUCTIONS)
    assert newer.missing_instruction(ERROR, encode(PLAIN)) is None


@pytest.mark.parametrize("name", newer.RECOGNISED)
def test_the_smallest_program_is_recognised(name: str, lacking: set[str]) -> None:
    lacking.add(name)
    assert newer.missing_instruction(ERROR, encode(list(INSTRUCTIONS[name].code))) is not None


def test_computed_indexes_of_the_stack() -> None:
    log = "12: (71) r1 = *(u8 *)(r2 +0)\nvariable stack access var_off=(0xfffffffffffffff8; 0x4) off=-8 size=1\n"
    missing = newer.missing_stack_access(VerifierError("look", errno=13, log=log, reason="", source=None))
    assert missing is not None
    assert missing.since == "5.12"
    rights = log + "R2 stack pointer arithmetic goes out of range, prohibited for !root\n"
    assert newer.missing_stack_access(VerifierError("look", errno=13, log=rights, reason="", source=None)) is None
    assert newer.missing_stack_access(ERROR) is None
