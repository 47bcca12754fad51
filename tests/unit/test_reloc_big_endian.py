"""CO-RE for big-endian machines: the same answers, in instructions and bit-fields of the other order."""

from __future__ import annotations

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from beespace.btf import Btf, BtfBuilder, Member
from beespace.elf.order import turn_types
from beespace.isa import Insn, decode, encode, turn
from beespace.isa.constants import CoreRelocKind as Kind
from beespace.reloc import relocate
from beespace.spec import CoreReloc, FunctionSpec, ObjectSpec, ProgramSpec

EXIT = Insn(0x95, 0, 0, 0, 0)


def big(builder: BtfBuilder) -> Btf:
    return Btf(turn_types(builder.bytes(), "little"))


def bits(offset: int, width: int) -> tuple[Btf, int]:
    builder = BtfBuilder()
    struct = builder.struct("flags", 16, [Member("flag", builder.int("unsigned int", 4), offset, width)])
    return big(builder), struct


def answers(local: Btf, target: Btf, struct: int, before: dict[Kind, int]) -> dict[Kind, int]:
    """What each kind of relocation writes into ``r1 = number``."""
    code = encode([*(Insn(0xB7, 1, 0, 0, number) for number in before.values()), EXIT], "big")
    core = tuple(CoreReloc(index, struct, "0:0", kind) for index, kind in enumerate(before))
    entry = FunctionSpec("main", code, core=core)
    programs = {"main": ProgramSpec("main", "tc", entry)}
    spec = ObjectSpec("x", "GPL", programs, btf=local.data(), byteorder="big")
    done, report = relocate(spec, local, [target])
    insns = decode(done.programs["main"].entry.code, "big")
    assert [insn.imm for insn in insns[:-1]] == [each.value for each in report.relocations]
    return dict(zip(before, (insn.imm for insn in insns), strict=False))


def test_a_member_elsewhere() -> None:
    builders = []
    for offset in (8, 20):
        builder = BtfBuilder()
        number = builder.int("int", 4)
        kept = builder.struct("task", 64, [Member("pid", number, 8 * offset)])
        builders.append((big(builder), kept))
    (local, here), (target, _) = builders
    assert (local.byteorder, target.byteorder) == ("big", "big")
    assert answers(local, target, here, {Kind.FIELD_BYTE_OFFSET: 8}) == {Kind.FIELD_BYTE_OFFSET: 20}


@settings(deadline=None)
@given(st.integers(0, 90), st.integers(1, 32), st.binary(min_size=16, max_size=16))
def test_a_bitfield_is_read_by_its_relocated_load_and_shifts(offset: int, width: int, memory: bytes) -> None:
    assume(offset % 64 + width <= 64)
    local, struct = bits(3, 5)
    target, _ = bits(offset, width)
    got = answers(
        local, target, struct,
        {Kind.FIELD_BYTE_OFFSET: 0, Kind.FIELD_BYTE_SIZE: 4, Kind.FIELD_LSHIFT_U64: 35, Kind.FIELD_RSHIFT_U64: 59},
    )  # fmt: skip
    start, size = got[Kind.FIELD_BYTE_OFFSET], got[Kind.FIELD_BYTE_SIZE]
    left, right = got[Kind.FIELD_LSHIFT_U64], got[Kind.FIELD_RSHIFT_U64]
    loaded = int.from_bytes(memory[start : start + size], "big")
    # The first bit of a big-endian struct is the top bit of its first byte.
    field = int.from_bytes(memory, "big") >> 128 - offset - width & (1 << width) - 1
    assert (loaded << left & (1 << 64) - 1) >> right == field


@given(st.binary(max_size=64))
def test_code_turned_twice_is_as_it_was(code: bytes) -> None:
    assert turn(turn(code)) == code
    whole = code[: len(code) // 8 * 8]
    assert decode(turn(whole), "big") == decode(whole)
    assert encode(decode(whole), "big") == turn(whole)
