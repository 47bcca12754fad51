"""Every instruction in the machine and in the kernel: the same numbers."""

from __future__ import annotations

import contextlib
import itertools
import random
import struct
from typing import Any

import pytest
from instruction_cases import BINARY, EXIT, MOVE, NUMBERS, Case, cases, program

from beespace.btf import BtfBuilder
from beespace.btf.types import Linkage
from beespace.errors import NotSupported, VerifierError
from beespace.isa import AluOp, Insn, InsnClass, MapType, ProgramType, encode
from beespace.isa.helpers import HELPERS
from beespace.isa.opcodes import LD_IMM64, Pseudo
from beespace.spec import MapSpec
from beespace.syscall import bpf
from beespace.vm import Code, Machine, Packet, maps
from beespace.vm.instructions import INSTRUCTIONS

pytestmark = pytest.mark.kernel

PAIRS = list(itertools.product(NUMBERS, NUMBERS))
CASES = list(cases())
#: What is no function of two numbers has a test of its own here; callx is no instruction of Linux's.
ELSEWHERE = {0x20, 0x28, 0x30, 0x40, 0x48, 0x50, 0x8D}


def in_kernel(code: list[Insn], value: bytes, since: str = "", callback: int = 0) -> bytes:
    """The map's value after a run.  ``callback``: the instruction where one begins, which the kernel wants typed."""
    with bpf.map_create(MapType.ARRAY, 4, len(value), 1) as descriptor, contextlib.ExitStack() as kept:
        bpf.map_update(descriptor, bytes(4), value)
        types = typed(kept, callback) if callback else {}
        instructions = encode(numbered(code, descriptor.fileno()))
        try:
            loaded, _ = bpf.prog_load(ProgramType.SOCKET_FILTER, instructions, **types)
        except VerifierError as error:
            if since:
                raise NotSupported("the instruction", since=since) from error
            raise
        with loaded:
            bpf.prog_test_run(loaded, data_in=bytes(64))
        result = bpf.map_lookup(descriptor, bytes(4), len(value))
    assert result is not None
    return result


def typed(kept: contextlib.ExitStack, callback: int) -> dict[str, Any]:
    """Types of a program and of its callback, ``static int callback(int, void *)``."""
    types = BtfBuilder()
    number, pointer = types.int("int", 4, signed=True), types.pointer(0)
    entry = types.function("entry", types.prototype(number, [("ctx", pointer)]), Linkage.GLOBAL)
    called = types.function("callback", types.prototype(number, [("index", number), ("data", pointer)]))
    descriptor = kept.enter_context(bpf.btf_load(types.bytes())[0])
    return {"prog_btf_fd": descriptor, "func_info": struct.pack("=4I", 0, entry, callback, called)}


def in_machine(code: list[Insn], value: bytes) -> bytes:
    machine = Machine()
    array = maps.make(MapSpec("values", MapType.ARRAY, 4, len(value), 1), 1)
    array.write(bytes(4), value)
    machine.run(Code("case", tuple(numbered(code, machine.add_map(array)))), 0)
    return array.read(bytes(4))


def numbered(code: list[Insn], map: int) -> list[Insn]:
    """The code with the map's number."""
    return [
        Insn(each.opcode, each.dst, each.src, each.off, map)
        if each.is_wide and each.src == Pseudo.MAP_VALUE
        else each
        for each in code
    ]  # fmt: skip


VALUE = (Insn(LD_IMM64, 6, Pseudo.MAP_VALUE), Insn(0))


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_the_same_as_in_the_kernel(case: Case) -> None:
    code = program(case, VALUE, len(PAIRS))
    value = b"".join(struct.pack("<QQ", *pair) for pair in PAIRS) + bytes(8 * len(PAIRS))
    theirs = struct.unpack(f"<{len(PAIRS)}Q", in_kernel(code, value, case.since)[16 * len(PAIRS) :])
    ours = struct.unpack(f"<{len(PAIRS)}Q", in_machine(code, value)[16 * len(PAIRS) :])
    wrong = [
        f"{a:#x}, {b:#x}: {mine:#x} for {right:#x}"
        for (a, b), mine, right in zip(PAIRS, ours, theirs, strict=True)
        if mine != right
    ]
    assert not wrong, "\n".join(wrong[:5])


def test_no_instruction_is_left_out() -> None:
    seen = {insn.opcode for case in CASES for insn in (*case.body, *sum(case.functions, ()))} | {EXIT.opcode}
    assert seen - {0} | ELSEWHERE == set(INSTRUCTIONS)  # 0: the second half of a 64-bit immediate


@pytest.mark.parametrize("seed", range(20))
def test_random_arithmetic(seed: int) -> None:
    """Long rows of operations on four registers."""
    draw = random.Random(seed)
    code: list[Insn] = list(VALUE)
    code += [Insn(0x79, register, 6, 8 * register) for register in range(4)]
    for _ in range(300):
        number, operation = draw.choice((InsnClass.ALU, InsnClass.ALU64)), draw.choice((*BINARY, AluOp.MOV))
        code.append(Insn(number | 8 | operation, draw.randrange(4), draw.randrange(4)))
    code += [Insn(0x7B, 6, register, 8 * register) for register in range(4)]
    code += [Insn(0xB7, 0), EXIT]
    value = draw.randbytes(32)
    assert in_machine(code, value) == in_kernel(code, value)


# -- packets -------------------------------------------------------------------------------------------------------

FRAME = bytes(range(14)) + bytes([0x45, 0, 0, 50, *range(0x80, 0xAE)])
OFFSETS = (0, 1, 5, 40, 45, 46, 47, 49, 50, 100, -1, -0x100000, -0xFFFFE, -0x200000, -0x1FFFF2, -0x200001, 1 << 30)


@pytest.mark.parametrize("offset", OFFSETS)
@pytest.mark.parametrize("opcode", [0x20, 0x28, 0x30])
def test_classic_loads(opcode: int, offset: int) -> None:
    """A socket filter's offsets count from the network header; outside of the packet the program ends with 0."""
    for indirect in (0, 0x20, 0x21):
        if indirect:  # one half of the offset in a register, the other in the instruction; or all in the register
            added = 3 if indirect == 0x21 else 0
            load = [Insn(0xB7, 7, imm=offset - added), Insn(opcode + 0x20, src=7, imm=added)]
        else:
            load = [Insn(opcode, imm=offset)]
        code = [Insn(MOVE, 6, 1), *load, Insn(0x47, 0, imm=1), EXIT]
        with bpf.prog_load(ProgramType.SOCKET_FILTER, encode(code))[0] as loaded:
            theirs = bpf.prog_test_run(loaded, data_in=FRAME).retval
        ours = Machine().run(Code("loads", tuple(code)), 0, packet=Packet(FRAME, start=14))
        assert ours.result & 0xFFFFFFFF == theirs


# -- calls ---------------------------------------------------------------------------------------------------------


def test_a_callback() -> None:
    """``bpf_loop`` adds up its indices on the caller's stack, and stops where the callback says so."""
    number = HELPERS["loop"].number
    code = [
        *VALUE, Insn(0x7A, 10, 0, -8), Insn(0xB7, 1, imm=100), Insn(LD_IMM64, 2, Pseudo.FUNC, imm=10), Insn(0),
        Insn(MOVE, 3, 10), Insn(0x07, 3, imm=-8), Insn(0xB7, 4), Insn(0x85, imm=number),
        Insn(0x7B, 6, 0, 8), Insn(0x79, 1, 10, -8), Insn(0x7B, 6, 1, 0), Insn(0xB7, 0), EXIT,
        Insn(0x79, 3, 2), Insn(0x0F, 3, 1), Insn(0x7B, 2, 3), Insn(0xB7, 0), Insn(0xB5, 1, 0, 1, 41),
        Insn(0xB7, 0, imm=1), EXIT,
    ]  # fmt: skip
    assert in_machine(code, bytes(16)) == in_kernel(code, bytes(16), since="5.17", callback=15)
    assert struct.unpack("<QQ", in_machine(code, bytes(16))) == (sum(range(43)), 43)


@pytest.mark.parametrize("target", [0, 1, 2])
def test_tail_calls(target: int) -> None:
    """A program that counts and calls itself: 33 times more, then the call has no effect; no program there: none."""
    number = HELPERS["tail_call"].number
    code = [
        *VALUE, Insn(0x79, 2, 6), Insn(0x07, 2, imm=1), Insn(0x7B, 6, 2),
        Insn(LD_IMM64, 2, Pseudo.MAP_FD), Insn(0), Insn(0xB7, 3, imm=target), Insn(0x85, imm=number),
        Insn(0x79, 2, 6), Insn(0x07, 2, imm=1000), Insn(0x7B, 6, 2), Insn(0xB7, 0, imm=7), EXIT,
    ]  # fmt: skip

    def with_programs(map: int) -> list[Insn]:
        return [Insn(LD_IMM64, 2, Pseudo.MAP_FD, imm=map) if each == code[5] else each for each in code]

    with (
        bpf.map_create(MapType.ARRAY, 4, 8, 1) as values,
        bpf.map_create(MapType.PROG_ARRAY, 4, 4, 2) as programs,
        bpf.prog_load(ProgramType.SOCKET_FILTER, encode(numbered(with_programs(programs.fileno()), values.fileno())))[
            0
        ] as loaded,
    ):
        bpf.map_update(programs, bytes(4), loaded.fileno().to_bytes(4, "little"))
        theirs = bpf.prog_test_run(loaded, data_in=bytes(64)).retval
        counted = bpf.map_lookup(values, bytes(4), 8)
    machine = Machine()
    array = maps.make(MapSpec("values", MapType.ARRAY, 4, 8, 1), 1)
    jumps = maps.ProgramArray(MapSpec("programs", MapType.PROG_ARRAY, 4, 4, 2), 1)
    whole = Code("tail", tuple(numbered(with_programs(machine.add_map(jumps)), machine.add_map(array))))
    jumps.put(0, whole)
    assert machine.run(whole, 0).result == theirs == 7
    assert array.read(bytes(4)) == counted
    assert counted == (1034 if target == 0 else 1001).to_bytes(8, "little")
