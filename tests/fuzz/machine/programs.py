"""Random programs for the machine, in the interpreter and as native code: the same of everything.

    python tests/fuzz/machine/programs.py [--cases 1000] [--seed 0]

Programs reach for everything that there is (arithmetic, jumps back and forth, memory of all kinds, atomics, helpers,
callbacks, sub-programs, tail calls, packets) and are often wrong: then the fault is the same, with the same registers
at the same instruction.
"""

from __future__ import annotations

import argparse
import itertools
import random
import sys
from collections.abc import Callable
from typing import NamedTuple

from beespace.errors import ProgramFault
from beespace.isa import Insn, MapType
from beespace.isa.helpers import HELPERS
from beespace.isa.opcodes import LD_IMM64, AtomicOp, Pseudo, Size
from beespace.spec import MapSpec
from beespace.vm import Code, Inputs, Machine, Packet, Rights, maps
from beespace.vm.instructions import INSTRUCTIONS
from beespace.vm.jit import Native

NUMBERS = (
    0, 1, 7, 31, 64, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 32, (1 << 63) - 1, 1 << 63, (1 << 64) - 1,
    0x0123456789ABCDEF, 0xFEDCBA98FFFF8081,
)  # fmt: skip
IMMEDIATES = (0, 1, 7, 8, 31, 63, -1, -8, -9, (1 << 31) - 1, -(1 << 31))
ARITHMETIC = tuple(opcode for opcode in INSTRUCTIONS if opcode & 7 in (4, 7))
JUMPS = tuple(opcode for opcode in INSTRUCTIONS if opcode & 7 in (5, 6) and opcode not in (0x85, 0x8D, 0x95))
ATOMIC = tuple(AtomicOp) + tuple(each | AtomicOp.FETCH for each in (0, 0x40, 0x50, 0xA0))
MOVE, ADD, EXIT = 0xBF, 0x07, Insn(0x95)
HASH, ARRAY, RING, PROGRAMS = 1, 2, 3, 4  # numbers of maps
MEMORY, READABLE, WRITABLE, NUMBER = 1, 2, 3, 4  # arguments
STEPS = 3000


def _helper(name: str) -> Insn:
    return Insn(0x85, imm=HELPERS[name].number)


def _map(register: int, number: int) -> list[Insn]:
    return [Insn(LD_IMM64, register, Pseudo.MAP_FD, imm=number), Insn(0)]


class Writer:
    """Functions of a program; the addresses of functions and local calls are filled in at the end."""

    def __init__(self, draw: random.Random) -> None:
        self.draw = draw
        self.code: list[Insn] = []
        self.calls: list[tuple[int, bool]] = []  # (instruction, whether it takes an address)

    def register(self) -> int:
        return self.draw.choice((0, 0, 8, 8, 9, 1, 2, 3, 4, 5) if self.draw.random() < 0.99 else (6, 7, 10, 11))

    def written(self) -> int:
        """A register that calls leave as it is."""
        return self.draw.choice((0, 8, 9) if self.draw.random() < 0.9 else (1, 2, 3, 4, 5))

    def program(self) -> tuple[Insn, ...]:
        draw, starts = self.draw, []
        for number in range(draw.choice((1, 1, 2, 3))):
            starts.append(len(self.code))
            first = (Insn(MOVE, 6, MEMORY), Insn(MOVE, 7, READABLE))
            self.code += first if number == 0 else (Insn(MOVE, 6, 10), Insn(ADD, 6, imm=-48), Insn(MOVE, 7, 6))
            for register in draw.sample(range(10), 10 if draw.random() < 0.95 else 4):
                if register not in (6, 7) and (number or register not in range(1, 5)):
                    self.number(register)
            for _ in range(draw.randrange(3, 25)):
                draw.choices(list(KINDS), list(KINDS.values()))[0](self)
            if draw.random() < 0.95:
                self.code += [Insn(0xB7, 0, imm=draw.choice(IMMEDIATES))] * (draw.random() < 0.5 or number > 0) + [EXIT]
        for index, takes_address in self.calls:
            later = [start for start in starts if start > index] if draw.random() < 0.97 else starts
            if not later:  # the last function calls none
                self.code[index] = Insn(0xB7, 0, imm=1)
                if takes_address:
                    self.code[index + 1] = Insn(0xB7, 2)
                continue
            old, target = self.code[index], draw.choice(later)
            away = target - index if takes_address else target - index - 1
            self.code[index] = Insn(old.opcode, old.dst, old.src, old.off, away)
        return tuple(self.code)

    def number(self, register: int) -> None:
        value = self.draw.choice(NUMBERS)
        self.code += [Insn(LD_IMM64, register, imm=_signed(value)), Insn(0, imm=_signed(value >> 32))]

    def arithmetic(self) -> None:
        opcode = self.draw.choice(ARITHMETIC)
        off = 0
        if opcode & 0xF0 in (0x30, 0x90):
            off = self.draw.choice((0, 1))
        elif opcode & 0xF8 == 0xB8:
            off = self.draw.choice((0, 0, 8, 16, 32))
        imm = self.draw.choice((16, 32, 64)) if opcode & 0xF0 == 0xD0 else self.draw.choice(IMMEDIATES)
        self.code.append(Insn(opcode, self.written(), self.written(), off, imm))

    def jump(self) -> None:
        off = self.draw.choice((0, 1, 2, 3, 5, 8, -1, -3, -6) if self.draw.random() < 0.3 else (1, 2, 3, 5))
        imm = off if self.draw.random() < 0.5 else self.draw.choice(IMMEDIATES)
        self.code.append(Insn(self.draw.choice(JUMPS), self.written(), self.written(), off, imm))

    def stack(self) -> None:
        size, register = self.draw.choice(tuple(Size)), self.written()
        off = (
            self.draw.choice((-8, -16, -23, -32, -68, -504, -512))
            if self.draw.random() < 0.97
            else self.draw.choice((-513, -3, 0, 8))
        )
        self.access(size, 10, register, off)

    def memory(self) -> None:
        base = self.draw.choice((6, 7)) if self.draw.random() < 0.95 else self.register()
        offsets = (0, 0, 1, 7, 8, 8, 8) if self.draw.random() < 0.9 else (15, 24, 40, 47, -1)
        self.access(self.draw.choice(tuple(Size)), base, self.written(), self.draw.choice(offsets))

    def access(self, size: Size, base: int, register: int, off: int) -> None:
        if base == 7:  # which may not be written
            self.code.append(Insn((0x61, 0x81)[self.draw.random() < 0.3] | size, register, base, off))
            return
        what = self.draw.random()
        if what < 0.35:
            self.code.append(Insn(0x61 | size, register, base, off))
        elif what < 0.45:
            self.code.append(Insn(0x81 | size, register, base, off))
        elif what < 0.75:
            self.code.append(Insn(0x63 | size, base, register, off))
        elif what < 0.85:
            self.code.append(Insn(0x62 | size, base, 0, off, self.draw.choice(IMMEDIATES)))
        else:
            operation = self.draw.choice(ATOMIC)
            aligned = off if self.draw.random() < 0.05 else off // 8 * 8
            first, second = (register, base) if operation == AtomicOp.LOAD_ACQ else (base, register)
            wide = size if self.draw.random() < 0.05 else self.draw.choice((Size.W, Size.DW))
            self.code.append(Insn(0xC3 | wide, first, second, aligned, operation))

    def pointer(self) -> None:
        """Somewhere in the memory, or the stack, or just outside."""
        register, base = self.draw.choice((8, 9, 2, 3)), self.draw.choice((6, 6, 10))
        if self.draw.random() < 0.5:
            at = self.draw.choice((-24, -16, -64)) if base == 10 else self.draw.choice((0, 8))
            self.code += [Insn(MOVE, register, base), Insn(ADD, register, imm=at)]
        else:
            self.code += [Insn(0xB7, register, imm=self.draw.choice((0, 8, 8, 31))), Insn(0x0F, register, 6)]
        self.access(self.draw.choice(tuple(Size)), register, self.written(), self.draw.choice((0, 0, 0, 8)))

    def loop(self) -> None:
        """A walk through memory."""
        at, size = len(self.code), self.draw.choice(tuple(Size))
        self.code += [Insn(0xB7, 8, imm=0), Insn(MOVE, 9, self.draw.choice((6, 6, 7, 10)))]
        self.access(size, 9, self.draw.choice((0, 8)), 0)
        for _ in range(self.draw.randrange(2)):
            self.arithmetic()
        self.code += [Insn(ADD, 9, imm=size.width), Insn(ADD, 8, imm=1)]
        self.code.append(Insn(0xA5, 8, 0, at + 2 - len(self.code) - 1, self.draw.choice((2, 2, 2, 16, 60))))

    def inputs(self) -> None:
        self.code.append(_helper(self.draw.choice(("ktime_get_ns", "get_prandom_u32", "get_smp_processor_id"))))

    def key(self) -> list[Insn]:
        return [Insn(0x62, 10, 0, -4, self.draw.choice((0, 1, 2, 9))), Insn(MOVE, 2, 10), Insn(ADD, 2, imm=-4)]

    def look_up(self) -> None:
        self.code += [*_map(1, self.draw.choice((HASH, ARRAY))), *self.key(), _helper("map_lookup_elem")]
        if self.draw.random() < 0.9:
            self.code += [Insn(0x55, 0, 0, 1), EXIT]
        self.code += [Insn(MOVE, 9, 0)]
        for _ in range(self.draw.randrange(3)):
            self.access(self.draw.choice(tuple(Size)), 9, self.written(), self.draw.choice((0, 0, 8, 8, 16)))

    def update(self) -> None:
        self.code += [
            *_map(1, self.draw.choice((HASH, ARRAY))),
            *self.key(),
            Insn(MOVE, 3, self.draw.choice((6, 7, 10))),
        ]
        self.code += [Insn(ADD, 3, imm=-16) for _ in range(self.code[-1].src == 10)]
        self.code += [Insn(0xB7, 4, imm=self.draw.choice((0, 0, 1, 2))), _helper("map_update_elem")]

    def delete(self) -> None:
        self.code += [*_map(1, HASH), *self.key(), _helper("map_delete_elem")]

    def record(self) -> None:
        """Room in a ring, and what may be done with it before and after it is given on."""
        self.code += [
            *_map(1, RING),
            Insn(0xB7, 2, imm=self.draw.choice((8, 16))),
            Insn(0xB7, 3),
            _helper("ringbuf_reserve"),
        ]
        self.code += [Insn(0x55, 0, 0, 1), EXIT, Insn(MOVE, 9, 0), Insn(0x7A, 9, 0, 0, 5)]
        self.access(self.draw.choice(tuple(Size)), 9, self.draw.choice((0, 6, 8)), self.draw.choice((0, 8)))
        self.code += [Insn(MOVE, 1, 9), Insn(0xB7, 2), _helper("ringbuf_submit")]
        if self.draw.random() < 0.05:
            self.access(Size.DW, 9, self.register(), 0)

    def array_value(self) -> None:
        self.code += [Insn(LD_IMM64, 9, Pseudo.MAP_VALUE, imm=ARRAY), Insn(0, imm=self.draw.choice((0, 4, 8)))]
        self.access(self.draw.choice(tuple(Size)), 9, self.draw.choice((0, 8)), self.draw.choice((0, 8)))

    def call(self) -> None:
        for register in range(1, self.draw.choice((1, 3, 6, 6))):
            self.code.append(Insn(MOVE, register, self.draw.choice((6, 6, 10))))
        self.calls.append((len(self.code), False))
        self.code.append(Insn(0x85, src=1))

    def function(self, register: int) -> None:
        self.calls.append((len(self.code), True))
        self.code += [Insn(LD_IMM64, register, Pseudo.FUNC), Insn(0)]

    def call_address(self) -> None:
        if self.draw.random() < 0.3:
            self.code += [Insn(0xB7, 9, imm=self.draw.choice((5, 7, 8, 9999))), Insn(0x8D, 9)]
            return
        self.function(9)
        self.code += [Insn(ADD, 9, imm=8)] * (self.draw.random() < 0.1) + [Insn(0x8D, 9)]

    def callback(self) -> None:
        self.function(2)
        self.code += [Insn(0xB7, 1, imm=self.draw.choice((0, 1, 3, 20))), Insn(MOVE, 3, self.draw.choice((6, 10)))]
        self.code += [Insn(0xB7, 4), _helper("loop")]

    def tail_call(self) -> None:
        self.code += [Insn(MOVE, 1, 6), *_map(2, PROGRAMS), Insn(0xB7, 3, imm=self.draw.choice((0, 0, 1, 2, 3)))]
        self.code.append(_helper("tail_call"))

    def probe_read(self) -> None:
        self.code += [Insn(MOVE, 1, 10), Insn(ADD, 1, imm=-32), Insn(0xB7, 2, imm=self.draw.choice((0, 8, 16, 40)))]
        self.code += [Insn(MOVE, 3, self.draw.choice((6, 7, 8, 10))), _helper("probe_read_kernel")]

    def packet(self) -> None:
        opcode = self.draw.choice((0x20, 0x28, 0x30, 0x40, 0x48, 0x50))
        self.code.append(Insn(opcode, 0, 7, imm=self.draw.choice((0, 2, 10, 60, -1, -0x100000))))

    def anything(self) -> None:
        opcode = self.draw.choice((*INSTRUCTIONS, self.draw.randrange(256)))
        imm = self.draw.choice(IMMEDIATES)
        self.code.append(
            Insn(opcode, self.draw.randrange(12), self.draw.randrange(12), self.draw.randrange(-9, 9), imm)
        )


#: How often each is written, in proportion.
KINDS: dict[Callable[[Writer], None], int] = {
    Writer.arithmetic: 30, Writer.jump: 10, Writer.stack: 10, Writer.memory: 8, Writer.pointer: 8, Writer.loop: 5,
    Writer.inputs: 2, Writer.look_up: 4, Writer.update: 4, Writer.delete: 1, Writer.record: 3, Writer.array_value: 3,
    Writer.call: 5, Writer.call_address: 2, Writer.callback: 2, Writer.tail_call: 2, Writer.probe_read: 2,
    Writer.packet: 1, Writer.anything: 1,
}  # fmt: skip


def _signed(value: int) -> int:
    value &= (1 << 32) - 1
    return value - (1 << 32) if value >> 31 else value


class Seen(NamedTuple):
    """Everything that a run leaves."""

    ended: str
    where: tuple[object, ...]
    memory: tuple[bytes, ...]
    maps: tuple[object, ...]
    packet: bytes


def observe(code: Code, other: Code, number: int, jit: Native | None, runs: int = 1) -> Seen:
    """Run a program in a new machine, as often as it is said; ``other`` is what tail calls find."""
    machine = Machine(inputs=Inputs(tick=10), max_steps=STEPS, jit=jit)
    made = [
        maps.make(MapSpec("table", MapType.HASH, 4, 16, 2), 1),
        maps.make(MapSpec("values", MapType.ARRAY, 4, 16, 3), 1),
        maps.make(MapSpec("records", MapType.RINGBUF, 0, 0, 4096), 1),
        maps.make(MapSpec("programs", MapType.PROG_ARRAY, 4, 4, 3), 1),
    ]
    assert [machine.add_map(map) for map in made] == [HASH, ARRAY, RING, PROGRAMS]
    table, values, ring, programs = made
    assert isinstance(ring, maps.Ring) and isinstance(programs, maps.ProgramArray)
    programs.put(0, other)
    programs.put(1, code)
    memory = [bytearray(range(48)), bytearray(range(16)), bytearray(16)]
    rights = (Rights.BOTH, Rights.READ, Rights.WRITE)
    bases = [
        machine.memory.add(f"memory {right}", data, right).base for data, right in zip(memory, rights, strict=True)
    ]
    packet = Packet(bytes(range(60)))
    ended, where = "", []
    for _ in range(runs):
        try:
            outcome = machine.run(code, *bases, number, packet=packet)
            ended += f"{outcome.result:#x} "
            where.append(outcome.steps)
        except ProgramFault as fault:
            ended += f"{fault}\n"
            where.append((fault.index, fault.registers, fault.source))
    held = tuple((key, table.read(key)) for key in table.keys())  # noqa: SIM118  # no dict
    content = (held, *(values.read(key) for key in values.keys()), *ring.records(), machine.memory._next)  # noqa: SIM118
    return Seen(ended, tuple(where), tuple(map(bytes, memory)), content, packet.frame)


def case(seed: int) -> tuple[Code, Code]:
    """A program, and one for its tail calls."""
    draw = random.Random(seed)
    return Code(f"program {seed}", Writer(draw).program()), Code(f"other {seed}", Writer(draw).program())


def compare(seed: int, native: Native) -> tuple[str, Seen]:
    """What is different of the two, or nothing; and what the interpreter saw."""
    code, other = case(seed)
    for number in NUMBERS[seed % 3 :: 3]:
        theirs, ours = (observe(code, other, number, each, runs=1 + seed % 2) for each in (None, native))
        if theirs != ours:
            rows = [f"  {a}\n  {b}" for a, b in zip(theirs, ours, strict=True) if a != b]
            return f"seed {seed}, r4 {number:#x}:\n" + "\n".join(rows), theirs
    return "", theirs


def main() -> int:
    from beespace.session.native import native

    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    wrong = faults = 0
    for seed in itertools.islice(itertools.count(options.seed), options.cases):
        difference, seen = compare(seed, native())
        faults += "at instruction" in seen.ended
        if difference:
            wrong += 1
            print(difference)
    print(f"{options.cases} programs, {faults} of them with a fault, {wrong} different")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
