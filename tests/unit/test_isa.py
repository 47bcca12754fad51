"""Instructions to bytes and back, and to text."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beespace.errors import FormatError
from beespace.isa import AttachType, Insn, LinkType, MapType, ProgramType, decode, disassemble, encode
from beespace.isa.helpers import BY_NUMBER, HELPERS
from beespace.isa.opcodes import LD_IMM64, InsnClass, Mode, Size

insns = st.builds(
    Insn,
    st.integers(0, 255),
    st.integers(0, 15),
    st.integers(0, 15),
    st.integers(-(1 << 15), (1 << 15) - 1),
    st.integers(-(1 << 31), (1 << 31) - 1),
)


@settings(deadline=None)
@given(st.lists(insns, max_size=20))
def test_what_is_encoded_is_decoded(program: list[Insn]) -> None:
    code = encode(program)
    assert len(code) == 8 * len(program)
    assert decode(code) == program


@settings(deadline=None)
@given(st.binary(max_size=200).map(lambda code: code[: len(code) // 8 * 8]))
def test_any_code_has_text_and_comes_back_the_same(code: bytes) -> None:
    program = decode(code)
    assert encode(program) == code
    lines = disassemble(code)
    wide, index = 0, 0
    while index < len(program):
        if program[index].is_wide:
            wide, index = wide + (index + 1 < len(program)), index + 1
        index += 1
    assert len(lines) == len(program) - wide
    assert all(len(line.split(": ", 1)) == 2 for line in lines)


def test_the_eight_bytes() -> None:
    assert encode([Insn(0x61, 1, 10, -4, 0)]) == b"\x61\xa1\xfc\xff\0\0\0\0"
    assert encode([Insn(0xB7, 3, 0, 0, -2)]) == b"\xb7\x03\0\0\xfe\xff\xff\xff"


def test_fields() -> None:
    load = Insn(0x69, 1, 2, 16, 0)
    assert (load.insn_class, load.size, load.mode, load.size.width) == (InsnClass.LDX, Size.H, Mode.MEM, 2)
    assert Insn(0x0F).is_register
    assert not Insn(0x07).is_register
    assert Insn(LD_IMM64).is_wide
    assert Insn(0xDB).is_atomic
    assert [Size.of(width) for width in (1, 2, 4, 8)] == [Size.B, Size.H, Size.W, Size.DW]
    with pytest.raises(KeyError):
        Size.of(3)


@pytest.mark.parametrize(
    "wrong", [Insn(256), Insn(0, dst=16), Insn(0, src=-1), Insn(0, off=1 << 15), Insn(0, imm=1 << 31)]
)
def test_what_does_not_fit_is_refused(wrong: Insn) -> None:
    with pytest.raises(FormatError, match="instruction 1 does not fit"):
        encode([Insn(0x95), wrong])


def test_a_broken_length_is_refused() -> None:
    with pytest.raises(FormatError, match="12 bytes is not a multiple of 8") as caught:
        decode(b"\0" * 12)
    assert caught.value.offset == 8


# Expected text: the print statements of kernel/bpf/disasm.c.
TEXTS = [
    (Insn(0xB7, 0, 0, 0, 0), "(b7) r0 = 0"),
    (Insn(0xB4, 3, 0, 0, -1), "(b4) w3 = -1"),
    (Insn(0xBF, 6, 1), "(bf) r6 = r1"),
    (Insn(0xBC, 6, 1), "(bc) w6 = w1"),
    (Insn(0xBF, 6, 1, 32), "(bf) r6 = (s32)r1"),
    (Insn(0xBC, 6, 1, 8), "(bc) w6 = (s8)w1"),
    (Insn(0x07, 2, 0, 0, -4), "(07) r2 += -4"),
    (Insn(0x1F, 2, 3), "(1f) r2 -= r3"),
    (Insn(0x24, 2, 0, 0, 5), "(24) w2 *= 5"),
    (Insn(0x37, 2, 0, 0, 5), "(37) r2 /= 5"),
    (Insn(0x37, 2, 0, 1, 5), "(37) r2 s/= 5"),
    (Insn(0x9F, 2, 3, 1), "(9f) r2 s%= r3"),
    (Insn(0x47, 2, 0, 0, 5), "(47) r2 |= 5"),
    (Insn(0x57, 2, 0, 0, 255), "(57) r2 &= 255"),
    (Insn(0x67, 2, 0, 0, 32), "(67) r2 <<= 32"),
    (Insn(0x77, 2, 0, 0, 32), "(77) r2 >>= 32"),
    (Insn(0xC7, 2, 0, 0, 32), "(c7) r2 s>>= 32"),
    (Insn(0xAF, 2, 3), "(af) r2 ^= r3"),
    (Insn(0x87, 2), "(87) r2 = -r2"),
    (Insn(0x84, 2), "(84) w2 = -w2"),
    (Insn(0xDC, 1, 0, 0, 16), "(dc) r1 = be16 r1"),
    (Insn(0xD4, 1, 0, 0, 64), "(d4) r1 = le64 r1"),
    (Insn(0xD7, 1, 0, 0, 32), "(d7) r1 = bswap32 r1"),
    (Insn(0x61, 1, 10, -4), "(61) r1 = *(u32 *)(r10 -4)"),
    (Insn(0x79, 1, 2, 0), "(79) r1 = *(u64 *)(r2 +0)"),
    (Insn(0x91, 1, 2, 8), "(91) r1 = *(s8 *)(r2 +8)"),
    (Insn(0x6B, 10, 1, -2), "(6b) *(u16 *)(r10 -2) = r1"),
    (Insn(0x72, 10, 0, -1, 7), "(72) *(u8 *)(r10 -1) = 7"),
    (Insn(0xC3, 1, 2, 4, 0x00), "(c3) lock *(u32 *)(r1 +4) += r2"),
    (Insn(0xDB, 1, 2, 0, 0x40), "(db) lock *(u64 *)(r1 +0) |= r2"),
    (Insn(0xDB, 1, 2, 0, 0x01), "(db) r2 = atomic64_fetch_add((u64 *)(r1 +0), r2)"),
    (Insn(0xC3, 1, 2, 0, 0xA1), "(c3) r2 = atomic_fetch_xor((u32 *)(r1 +0), r2)"),
    (Insn(0xDB, 1, 2, 0, 0xE1), "(db) r2 = atomic64_xchg((u64 *)(r1 +0), r2)"),
    (Insn(0xC3, 1, 2, 0, 0xF1), "(c3) r0 = atomic_cmpxchg((u32 *)(r1 +0), r0, r2)"),
    (Insn(0xDB, 1, 2, 8, 0x100), "(db) r1 = load_acquire((u64 *)(r2 +8))"),
    (Insn(0xC3, 1, 2, 8, 0x110), "(c3) store_release((u32 *)(r1 +8), r2)"),
    (Insn(0x30, 0, 0, 0, 12), "(30) r0 = *(u8 *)skb[12]"),
    (Insn(0x48, 0, 6, 0, 14), "(48) r0 = *(u16 *)skb[r6 + 14]"),
    (Insn(0x15, 0, 0, 3, 0), "(15) if r0 == 0x0 goto pc+3"),
    (Insn(0x55, 0, 0, -3, -1), "(55) if r0 != 0xffffffff goto pc-3"),
    (Insn(0x66, 1, 0, 3, 5), "(66) if w1 s> 0x5 goto pc+3"),
    (Insn(0x2D, 1, 2, 3), "(2d) if r1 > r2 goto pc+3"),
    (Insn(0xBE, 1, 2, 3), "(be) if w1 <= w2 goto pc+3"),
    (Insn(0x45, 1, 0, 3, 8), "(45) if r1 & 0x8 goto pc+3"),
    (Insn(0x05, 0, 0, 3), "(05) goto pc+3"),
    (Insn(0x06, 0, 0, 0, -7), "(06) gotol pc-7"),
    (Insn(0xE5, 0, 0, 2), "(e5) may_goto pc+2"),
    (Insn(0x85, 0, 0, 0, 1), "(85) call bpf_map_lookup_elem#1"),
    (Insn(0x85, 0, 0, 0, 195896080), "(85) call unknown#195896080"),
    (Insn(0x85, 0, 1, 0, 5), "(85) call pc+5"),
    (Insn(0x85, 0, 2, 0, 77), "(85) call kernel-function#77"),
    (Insn(0x95), "(95) exit"),
    (Insn(0xF7), "BUG_f7"),
    (Insn(0x00), "BUG_00"),
    (Insn(0xF5), "BUG_f5"),
    (Insn(0x41), "BUG_41"),
    (Insn(0xDB, 0, 0, 0, 0x02), "BUG_db"),
]


@pytest.mark.parametrize(("insn", "expected"), TEXTS)
def test_text(insn: Insn, expected: str) -> None:
    assert disassemble(encode([insn])) == [f"   0: {expected}"]


def test_wide_immediates_take_two_slots() -> None:
    code = [
        Insn(LD_IMM64, 1, 0, 0, -1), Insn(0, imm=1),
        Insn(LD_IMM64, 1, 1, 0, 5), Insn(0),
        Insn(LD_IMM64, 1, 2, 0, 5), Insn(0, imm=16),
        Insn(0x95),
    ]  # fmt: skip
    assert disassemble(encode(code)) == [
        "   0: (18) r1 = 0x1ffffffff",
        "   2: (18) r1 = map[fd:5]",
        "   4: (18) r1 = map[fd:5][0]+16",
        "   6: (95) exit",
    ]


def test_the_tables_have_no_holes_and_no_doubles() -> None:
    assert sorted(BY_NUMBER) == list(range(1, 212))
    assert len(HELPERS) == len(BY_NUMBER)
    assert (HELPERS["ringbuf_reserve"].number, HELPERS["loop"].since) == (131, "5.17")
    for enumeration in (MapType, ProgramType, AttachType, LinkType):
        assert sorted({int(member) for member in enumeration}) == list(range(len(enumeration)))
    assert (MapType.RINGBUF, ProgramType.CGROUP_SKB, AttachType.TRACE_ITER) == (27, 8, 28)
    assert MapType(19).name == "CGROUP_STORAGE"
