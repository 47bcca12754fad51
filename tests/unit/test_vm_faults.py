"""What no program may: each is a fault that says what, where, and with which registers."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beespace.errors import ProgramFault
from beespace.isa import Insn, MapType, decode, encode
from beespace.isa.opcodes import LD_IMM64, Pseudo
from beespace.spec import LineInfo, MapSpec
from beespace.vm import Code, Inputs, Machine, Packet, Rights, maps
from beespace.vm.instructions import INSTRUCTIONS

EXIT = Insn(0x95)
RETURN = [Insn(0xB7), EXIT]


def run(*code: Insn, size: int = 16, rights: Rights = Rights.BOTH, steps: int = 1000) -> int:
    """Run it with the address of ``size`` bytes in r1."""
    machine = Machine(max_steps=steps)
    region = machine.memory.add("the memory", bytearray(size), rights)
    return machine.run(Code("program", code), region.base).result


FAULTS: list[tuple[list[Insn], str]] = [
    ([Insn(0x79, 0, 1, 16)], "reads 8 bytes at offset 16 of the memory, which has 16"),
    ([Insn(0x79, 0, 1, 9)], "reads 8 bytes at offset 9 of the memory"),
    ([Insn(0x71, 0, 1, -1)], "reads 1 bytes at offset -1 of the memory"),
    ([Insn(0x73, 1, 1, 16)], "writes 1 bytes at offset 16 of the memory"),
    ([Insn(0x72, 10, 0, 0)], "writes 1 bytes at offset 512 of the stack"),
    ([Insn(0x72, 10, 0, -513)], "writes 1 bytes at offset -1 of the stack"),
    ([Insn(0xB7, 2), Insn(0x79, 0, 2)], "reads 8 bytes at 0x0, where there is nothing"),
    ([Insn(0xBF, 0, 3)], "reads r3, which nobody has written"),
    ([Insn(0xB7, 10)], "writes r10, which it may not"),
    ([Insn(0xBF, 0, 11)], "reads r11, which nobody has written"),
    ([Insn(0x85, imm=5), Insn(0xBF, 0, 1)], "reads r1, which nobody has written"),
    ([Insn(0x85, imm=14), Insn(0x85, imm=1)], "passes r1, which nobody has written"),
    ([Insn(0xFF)], "there is no such instruction"),
    ([Insn(0x37, 1, 0, 2, 1)], "there is no such instruction"),
    ([Insn(0xDC, 1, imm=17)], "there is no such instruction"),
    ([Insn(0xDB, 10, 1, -8, 0x33)], "there is no such instruction"),
    ([Insn(0xDB, 10, 1, -9)], "an atomic access of 8 bytes"),
    ([Insn(0x05, off=10)], "leaves the program"),
    ([Insn(0x05, off=-2)], "leaves the program"),
    ([Insn(LD_IMM64, 1)], "a 64-bit immediate without its second half"),
    ([Insn(LD_IMM64, 1, Pseudo.MAP_FD, imm=3), Insn(0)], "names map 3, which there is not"),
    ([Insn(0x85, imm=9999)], "calls helper 9999, which this machine does not have"),
    ([Insn(0x85, src=2, imm=9999)], "calls a kernel function which this machine does not have"),
    ([Insn(0xB7, 2, imm=12345), Insn(0x8D, 2)], "calls 0x3039, which is no function"),
    ([Insn(0x85, src=1, imm=-1)], "calls more than 16 functions deep"),
    ([Insn(0x05, off=-1)], "has not ended after 1000 instructions"),
    ([Insn(0x20)], "loads from a packet, and there is none"),
    ([EXIT], "ends without a result in r0"),
]


@pytest.mark.parametrize(("code", "says"), FAULTS)
def test_each_fault(code: list[Insn], says: str) -> None:
    with pytest.raises(ProgramFault) as caught:
        run(*code, *([] if code == [Insn(LD_IMM64, 1)] else RETURN))
    assert says in str(caught.value)


def test_rights() -> None:
    assert run(Insn(0x79, 0, 1), EXIT, rights=Rights.READ) == 0
    with pytest.raises(ProgramFault, match="writes the memory, which it may not"):
        run(Insn(0x73, 1, 1), *RETURN, rights=Rights.READ)
    with pytest.raises(ProgramFault, match="reads the memory, which it may not"):
        run(Insn(0x79, 0, 1), *RETURN, rights=Rights.WRITE)


def test_a_stack_is_gone_with_its_function() -> None:
    callee = [Insn(0xBF, 0, 10), EXIT]
    with pytest.raises(ProgramFault, match="where there is nothing"):
        run(Insn(0x85, src=1, imm=2), Insn(0x79, 0, 0, -8), EXIT, *callee)


def test_a_caller_s_stack_can_be_used() -> None:
    callee = [Insn(0x7A, 1, 0, -8, 5), *RETURN]
    assert run(Insn(0xBF, 1, 10), Insn(0x85, src=1, imm=2), Insn(0x79, 0, 10, -8), EXIT, *callee) == 5


def test_maps_and_functions_are_handles() -> None:
    machine = Machine()
    number = machine.add_map(maps.make(MapSpec("m", MapType.ARRAY, 4, 8, 1), 1))
    for load in (Insn(LD_IMM64, 1, Pseudo.MAP_FD, imm=number), Insn(LD_IMM64, 1, Pseudo.FUNC, imm=3)):
        with pytest.raises(ProgramFault, match=r"reads 1 bytes at offset \d+ of .*, which has 0"):
            machine.run(Code("program", (load, Insn(0), Insn(0x71, 0, 1), EXIT, *RETURN)))


def test_what_a_fault_says() -> None:
    lines = (LineInfo(0, "a.py", "  x = 1", 7, 1), LineInfo(1, "a.py", "  y = table[x]", 8, 1))
    code = Code("count", (Insn(0xB7, 2, imm=-1), Insn(0x79, 0, 2, 8), EXIT), lines)
    with pytest.raises(ProgramFault) as caught:
        Machine().run(code, 64)
    fault = caught.value
    assert (fault.program, fault.index, fault.source) == ("count", 1, "a.py:8: y = table[x]")
    assert fault.instruction == "(79) r0 = *(u64 *)(r2 +8)"
    assert fault.registers[1:3] == (64, (1 << 64) - 1)
    assert fault.registers[0] is None
    assert str(fault).splitlines() == [
        "program 'count' at instruction 1: reads 8 bytes at 0x7, where there is nothing",
        "  a.py:8: y = table[x]",
        "  1: (79) r0 = *(u64 *)(r2 +8)",
        "  r1=0x40 r2=0xffffffffffffffff r10=0x180000200",
    ]


def test_it_is_the_inner_function_that_is_named() -> None:
    with pytest.raises(ProgramFault) as caught:
        run(Insn(0x85, src=1, imm=1), EXIT, Insn(0x79, 0, 1, 99), EXIT)
    assert caught.value.index == 2


insns = st.builds(
    Insn,
    st.sampled_from(sorted(INSTRUCTIONS)) | st.integers(0, 255),
    st.integers(0, 11),
    st.integers(0, 11),
    st.integers(-520, 520) | st.integers(-20, 20),
    st.integers(-(1 << 31), (1 << 31) - 1) | st.integers(0, 200),
)


@settings(deadline=None, max_examples=300)
@given(st.lists(insns, max_size=30), st.binary(max_size=40))
def test_any_code_ends_or_faults(program: list[Insn], frame: bytes) -> None:
    """And what it was not given stays as it was, whatever it does."""
    machine = Machine(max_steps=2000)
    given_, others = bytearray(32), bytearray(b"others")
    region = machine.memory.add("the memory", given_, Rights.BOTH)
    machine.memory.add("not to be written", others, Rights.READ)
    number = machine.add_map(maps.make(MapSpec("m", MapType.ARRAY, 4, 8, 2), 1))
    code = Code.of(encode([*program, *RETURN]))
    try:
        outcome = machine.run(code, region.base, number, packet=Packet(frame))
    except ProgramFault as fault:
        assert fault.reason
    else:
        assert 0 <= outcome.result < 1 << 64
        assert outcome.steps <= 2000
    assert (len(given_), others) == (32, b"others")


def test_the_same_inputs_give_the_same() -> None:
    code = Code.of(encode([Insn(0x85, imm=7), Insn(0xBF, 6, 0), Insn(0x85, imm=5), Insn(0x0F, 0, 6), EXIT]))
    first, second = (Machine(inputs=Inputs(seed=3, tick=10)) for _ in range(2))
    row = [first.run(code).result for _ in range(5)]
    assert row == [second.run(code).result for _ in range(5)]
    assert len(set(row)) == 5
    assert row != [Machine(inputs=Inputs(seed=4, tick=10)).run(code).result for _ in range(5)]


def test_inputs_are_what_a_program_sees() -> None:
    inputs = Inputs(time=77, cpu=2, pid=11, tgid=10, uid=5, gid=6, comm="a name that is too long", cgroup=9)
    for number, expected in ((5, 77), (8, 2), (14, 10 << 32 | 11), (15, 6 << 32 | 5), (80, 9)):
        assert Machine(inputs=inputs).run(Code.of(encode([Insn(0x85, imm=number), EXIT]))).result == expected
    comm = [Insn(0xBF, 1, 10), Insn(0x07, 1, imm=-16), Insn(0xB7, 2, imm=16), Insn(0x85, imm=16)]
    code = Code.of(encode([*comm, Insn(0x79, 0, 10, -8), EXIT]))
    assert Machine(inputs=inputs).run(code).result.to_bytes(8, "little") == b"hat is \0"


def test_code_of_the_other_byte_order() -> None:
    big = encode([Insn(0xB7, 0, imm=5), EXIT], "big")
    assert decode(big, "big")[1] == EXIT
    assert Machine().run(Code.of(big, byteorder="big")).result == 5
