"""Native code of programs: the same results, memory, steps and faults as the interpreter's."""

from __future__ import annotations

import itertools
import struct
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "fuzz" / "machine"))  # tests are collected without packages
sys.path.insert(0, str(Path(__file__).parents[1] / "kernel"))

import programs
from instruction_cases import NUMBERS, Case, cases
from test_vm_faults import FAULTS, RETURN

from beespace.errors import BeespaceError, FormatError, InternalError, ProgramFault
from beespace.isa import Insn, MapType
from beespace.isa.opcodes import LD_IMM64, Pseudo
from beespace.session.native import NativeCompiler, native
from beespace.spec import MapSpec
from beespace.vm import Code, Machine, Packet, Rights, maps
from beespace.vm.instructions import INSTRUCTIONS
from beespace.vm.jit import layout
from beespace.vm.jit.emit import emit
from beespace.vm.jit.instructions import FORMS

pytest.importorskip("llvmlite", reason="pip install 'beespace[compile]'")

EXIT = Insn(0x95)
CASES = list(cases())
BATCH = 24


def test_every_instruction_has_a_form() -> None:
    assert set(FORMS) == set(INSTRUCTIONS)


def chosen(batch: list[Case]) -> Code:
    """A program that calls the function of the case whose number is in r3, with the numbers in r1 and r2."""
    bodies: list[tuple[Insn, ...]] = []
    for case in batch:
        first = len(bodies) + 1
        calls = {0x85}
        body = [Insn(each.opcode, each.dst, 1, each.off, first + each.imm) if each.opcode in calls else each
                for each in case.body]  # fmt: skip
        bodies.append((*body, EXIT))
        for function in case.functions:
            bodies.append(tuple(Insn(each.opcode, each.dst, 1, each.off, first + each.imm) if each.opcode in calls
                                else each for each in function))  # fmt: skip
    numbers, place = [], 0
    for case in batch:
        numbers.append(place)
        place += 1 + len(case.functions)
    code: list[Insn] = []
    for number, body in enumerate(numbers):
        code += [Insn(0x55, 3, 0, 2, number), Insn(0x85, src=99, imm=body), EXIT]
    code.append(EXIT)
    starts = []
    for body in bodies:
        starts.append(len(code))
        code += body
    for index, each in enumerate(code):
        if each.opcode == 0x85:  # a local call
            code[index] = Insn(0x85, src=1, imm=starts[each.imm] - index - 1)
    return Code("cases", tuple(code))


@pytest.mark.parametrize("start", range(0, len(CASES), BATCH))
def test_every_instruction_with_edge_values(start: int) -> None:
    batch = CASES[start : start + BATCH]
    code = chosen(batch)
    interpreter, jit = Machine(), Machine(jit=native())
    for (number, case), (a, b) in itertools.product(enumerate(batch), itertools.product(NUMBERS, NUMBERS)):
        ours, theirs = jit.run(code, a, b, number), interpreter.run(code, a, b, number)
        assert ours == theirs, f"{case.name} of {a:#x} and {b:#x}: {ours.result:#x} for {theirs.result:#x}"


@pytest.mark.parametrize("block", range(4))
def test_random_programs(block: int) -> None:
    """More of them: ``python tests/fuzz/machine/programs.py``."""
    differences = [programs.compare(seed, native())[0] for seed in range(8 * block, 8 * block + 8)]
    assert not "\n".join(differences).strip()


def test_random_programs_are_not_all_wrong() -> None:
    seen = [programs.observe(*programs.case(seed), 7, None).ended for seed in range(90)]
    assert 15 < sum("at instruction" not in each for each in seen) < 75


@pytest.mark.parametrize(("code", "says"), FAULTS, ids=[says for _, says in FAULTS])
def test_each_fault(code: list[Insn], says: str) -> None:
    """At the same instruction, with the same registers."""
    whole = Code("program", (*code, *([] if code == [Insn(LD_IMM64, 1)] else RETURN)))
    found = []
    for jit in (None, native()):
        machine = Machine(max_steps=1000, jit=jit)
        region = machine.memory.add("the memory", bytearray(16), Rights.BOTH)
        with pytest.raises(ProgramFault) as caught:
            machine.run(whole, region.base)
        found.append((str(caught.value), caught.value.index, caught.value.registers))
    assert found[0] == found[1]
    assert says in found[1][0]


@pytest.mark.parametrize("steps", range(1, 40))
def test_it_ends_after_the_same_instruction(steps: int) -> None:
    """Native code counts a block at a time, and yet it is exact."""
    loop = (Insn(0xB7, 0), Insn(0x07, 0, imm=1), Insn(0x25, 0, 0, 1, 6), Insn(0x05, off=-3), EXIT)
    found = []
    for jit in (None, native()):
        try:
            found.append(str(Machine(max_steps=steps, jit=jit).run(Code("loop", loop))))
        except ProgramFault as fault:
            found.append(str(fault))
    assert found[0] == found[1]
    assert ("has not ended" in found[0]) == (steps < 22)


def test_an_endless_program_ends() -> None:
    with pytest.raises(ProgramFault, match="has not ended after 50000000 instructions"):
        Machine(max_steps=50_000_000, jit=native()).run(Code("endless", (Insn(0x05, off=-1),)))


def test_it_is_native_code_that_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """No instruction of a program that only computes is the interpreter's."""
    from beespace.vm.run import Run

    loop = [Insn(0xB7, 0), Insn(0x79, 3, 1), Insn(0x0F, 0, 3), Insn(0x7B, 10, 0, -8), Insn(0x17, 2, imm=1)]
    loop += [Insn(0x55, 2, 0, -5), Insn(0x85, src=1, imm=1), EXIT, Insn(0xB7, 0, imm=9), EXIT]
    machine = Machine(jit=native())
    memory = machine.memory.add("the memory", bytearray(8), Rights.BOTH)
    monkeypatch.setattr(Run, "_step", lambda *_: pytest.fail("interpreted"))
    assert machine.run(Code("computes", tuple(loop)), memory.base, 100).result == 9


def test_regions_that_share_a_slot() -> None:
    """More regions than native code knows at a time, in turns."""
    machine, numbers = Machine(jit=native()), [3**i for i in range(40)] * 4
    regions = [machine.memory.add("one", bytearray(struct.pack("<Q", each)), Rights.BOTH) for each in numbers]
    table = machine.memory.add("all", bytearray(b"".join(struct.pack("<Q", r.base) for r in regions)), Rights.READ)
    code = [Insn(0xB7, 0), Insn(0x79, 3, 1), Insn(0x79, 4, 3), Insn(0x0F, 0, 4), Insn(0x07, 4, imm=1), Insn(0x7B, 3, 4)]
    code += [Insn(0x07, 1, imm=8), Insn(0x17, 2, imm=1), Insn(0x55, 2, 0, -8), EXIT]
    assert len(regions) > 2 * layout.SLOT_COUNT
    assert machine.run(Code("regions", tuple(code)), table.base, len(regions)).result == sum(numbers) & (1 << 64) - 1
    assert [int.from_bytes(region.data, "little") for region in regions] == [each + 1 for each in numbers]


def test_memory_can_grow_between_runs() -> None:
    """Native code holds no memory when it does not run."""
    machine, data = Machine(jit=native()), bytearray(8)
    region = machine.memory.add("the memory", data, Rights.BOTH)
    code = Code("reads", (Insn(0x79, 0, 1, 0), EXIT))
    last = Code("reads the last", (Insn(0x79, 0, 1, 8), EXIT))
    assert machine.run(code, region.base).result == 0
    with pytest.raises(ProgramFault, match="offset 8 of the memory, which has 8"):
        machine.run(last, region.base)
    data.extend(b"\1\0\0\0\0\0\0\0")
    assert machine.run(last, region.base).result == 1
    machine.memory.remove(region)
    with pytest.raises(ProgramFault, match="where there is nothing"):
        machine.run(code, region.base)


def test_many_runs_of_one_program() -> None:
    """It is compiled once, and remembers nothing of the packets before."""
    machine = Machine(jit=native())
    table = maps.make(MapSpec("seen", MapType.ARRAY, 4, 8, 1), 1)
    number = machine.add_map(table)
    code = Code("counts", (
        Insn(LD_IMM64, 3, Pseudo.MAP_VALUE, imm=number), Insn(0), Insn(0x79, 4, 3), Insn(0x07, 4, imm=1),
        Insn(0x7B, 3, 4), Insn(0x61, 2, 1, 0), Insn(0x71, 0, 2, 13), EXIT,
    ))  # fmt: skip
    for index in range(200):
        frame = bytes(13) + bytes([index]) + bytes(index)
        assert machine.run_on_packet(code, 6, frame).result == index
    assert table.read(bytes(4)) == (200).to_bytes(8, "little")


def test_a_packet_that_moves() -> None:
    """``bpf_xdp_adjust_head``: pointers of before are no good."""
    code = (
        Insn(0xBF, 6, 1), Insn(0x61, 7, 6), Insn(0x71, 8, 7, 20), Insn(0xB7, 2, imm=20), Insn(0x85, imm=44),
        Insn(0x61, 3, 6), Insn(0x71, 0, 3), Insn(0x67, 0, imm=8), Insn(0x4F, 0, 8), Insn(0x71, 1, 7, 0), EXIT,
    )  # fmt: skip
    found = []
    for jit in (None, native()):
        machine = Machine(jit=jit)
        assert machine.run_on_packet(Code("moves", code[:-2] + code[-1:]), 6, bytes(range(60))).result == 20 << 8 | 20
        with pytest.raises(ProgramFault) as caught:
            machine.run_on_packet(Code("moves", code), 6, bytes(range(60)))
        found.append(str(caught.value))
    assert found[0] == found[1]
    assert "offset -20 of the packet" in found[1]


def test_classic_loads() -> None:
    code = Code("loads", (Insn(0xBF, 6, 1), Insn(0x28, imm=12), Insn(0xBF, 7, 0), Insn(0x50, src=7, imm=0), EXIT))
    for jit in (None, native()):
        machine = Machine(jit=jit)
        assert machine.run(code, 0, packet=Packet(bytes(12) + b"\0\3" + bytes(40))).result == 0
        assert machine.run(code, 0, packet=Packet(b"\1\2\3\7" + bytes(8) + b"\0\3" + bytes(40))).result == 7
        assert machine.run(code, 0, packet=Packet(bytes(12) + b"\7\0" + bytes(40))).result == 0  # outside


def test_text_is_the_same_every_time() -> None:
    code, _ = programs.case(5)
    assert emit(code.insns) == emit(code.insns)


def test_llvm_refuses_what_is_no_module() -> None:
    with pytest.raises(InternalError, match="LLVM does not take"):
        NativeCompiler().compile("no module")


def test_an_object_of_another_shape() -> None:
    with pytest.raises(FormatError, match="needs relocation"):
        NativeCompiler().compile("declare i32 @g(ptr)\ndefine i32 @f(ptr %s) { %r = call i32 @g(ptr %s)\n ret i32 %r }")


def test_without_llvm(tmp_path: Path) -> None:
    """What is missing, and how to get it."""
    (tmp_path / "llvmlite").mkdir()
    (tmp_path / "llvmlite" / "__init__.py").write_text("raise ImportError('none here')")
    source = (
        f"import os; os.environ['PYTHONPATH'] = {str(tmp_path)!r}\n"
        "from beespace.cli.main import main\n"
        "raise SystemExit(main(['vm-plugin', '--jit', '--program', '9500000000000000']))"
    )
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True)
    assert done.returncode == BeespaceError.exit_status
    assert "takes llvmlite, which cannot be imported (none here)" in done.stderr
    assert "pip install 'beespace[compile]'" in done.stderr
