"""Random programs that the kernel's verifier mostly takes, an instruction at a time.

A program is made of blocks.  Between two blocks r6 is the context (of a program's own function), some of the other
registers are numbers, every slot of the stack is written, and pointers live inside a block only: so whatever follows,
the verifier can follow it.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from assembly import FRAME, SIZES, Assembly

from beespace.isa import AluOp, AtomicOp, Insn, InsnClass, JumpOp, Mode
from beespace.isa.opcodes import Source
from beespace.record import dataclass, field

__all__ = [
    "ARRAY", "FEATURES", "HASH", "JUMPS", "OUT", "PER_CPU", "QUEUE", "STACK", "TRIE", "VALUE", "Generated", "generate",
]  # fmt: skip

#: Maps, by the numbers that code names them by until it is loaded.
ARRAY, VALUE, OUT, HASH, PER_CPU, QUEUE, STACK, TRIE, JUMPS = range(1, 10)
#: What only some kernels have, by the names of what is tried: see ``both.features``.
FEATURES = ("atomics", "v4", "may_goto", "acquire", "loop", "for_each", "calls_and_tails", "long_results")

SLOTS = 8  # of numbers, 8 bytes each, below the frame pointer
_COUNTERS = SLOTS + 1  # the first slot of loop counters
_SAVED = -8 * (_COUNTERS + 2)
_KEY = 8 * (_COUNTERS + 4)
STACK_SIZE = _KEY + 16
_CONTEXT, _KEPT = 6, (7, 8, 9)
_NUMBERS = (0, 1, 2, 3, 4, 5, 7, 8, 9)
_BINARY = (
    AluOp.ADD, AluOp.SUB, AluOp.MUL, AluOp.DIV, AluOp.OR, AluOp.AND, AluOp.LSH, AluOp.RSH, AluOp.MOD, AluOp.XOR,
    AluOp.ARSH,
)  # fmt: skip
_SHIFTS, _DIVISIONS = (AluOp.LSH, AluOp.RSH, AluOp.ARSH), (AluOp.DIV, AluOp.MOD)
_CONDITIONS = tuple(each for each in JumpOp if each not in (JumpOp.JA, JumpOp.CALL, JumpOp.EXIT, JumpOp.JCOND))
_ATOMICS = (AtomicOp.ADD, AtomicOp.OR, AtomicOp.AND, AtomicOp.XOR)
_EDGES = (0, 1, 2, 7, 8, 31, 32, 63, 64, 127, 128, 255, 256, 4095, 65535, 65536, (1 << 31) - 1, 1 << 31, (1 << 32) - 1,
          1 << 32, (1 << 63) - 1, 1 << 63, (1 << 64) - 1, 0x0123456789ABCDEF, 0xFEDCBA9876543210)  # fmt: skip


@dataclass(slots=True)
class Generated:
    """A program as instructions; ``functions`` are where its functions begin, itself first."""

    insns: list[Insn]
    functions: tuple[int, ...]
    xdp: bool


@dataclass(slots=True)
class Function:
    """What is known while a function is written."""

    numbers: set[int] = field(default_factory=set)  # registers that hold one
    context: bool = False
    tail_calls: bool = False
    depth: int = 0  # of branches and loops
    loops: int = 0
    level: int = 0  # of calls
    base: int = FRAME  # the register that slots of numbers stand below
    callback: bool = False


def generate(seed: int, features: frozenset[str], *, tail: bool = False) -> Generated:
    """The program of that seed; ``tail``: one that others go on with."""
    return _Writer(Random(seed), features, tail).program()


class _Writer:
    def __init__(self, random: Random, features: frozenset[str], tail: bool) -> None:
        self.random, self.features, self.tail = random, features, tail
        self.code = Assembly()
        self.xdp = random.random() < 0.3
        self.data, self.data_end = (0, 4) if self.xdp else (76, 80)
        self.waiting: list[tuple[int, Callable[[], None]]] = []  # functions that are called and not written
        self.starts: list[int] = []
        self.calls = True
        self.budget = random.choice((3, 5, 8, 12, 20) if random.random() < 0.97 else (45,))
        self.subprograms: list[int] = []

    def program(self) -> Generated:
        main = self.code.label()
        self.starts.append(main)
        self.code.place(main)
        tails = not self.tail and self.random.random() < 0.25
        function = Function(context=True, tail_calls=tails)
        self.calls = not tails or "calls_and_tails" in self.features
        self.code.move(_CONTEXT, 1)
        self._enter(function)
        self._blocks(function, self.budget)
        self._leave()
        while self.waiting:
            label, write = self.waiting.pop(0)
            self.starts.append(label)
            self.code.place(label)
            write()
        code = self.code.finished()
        return Generated(code, tuple(self.code.where(label) for label in self.starts), self.xdp)

    # -- functions -----------------------------------------------------------------------------------------------

    def _enter(self, function: Function, arguments: int = 0) -> None:
        """Numbers in the registers that calls keep, and in every slot."""
        for index, register in enumerate(_KEPT):
            if index < arguments:
                self.code.move(register, index + 1)
            else:
                self.code.number(register, self._value())
        function.numbers = set(_KEPT)
        for slot in range(1, STACK_SIZE // 8 + 1):
            self.code.store(8, FRAME, -8 * slot, self.random.choice(_KEPT))

    def _leave(self) -> None:
        """What the program found out goes into the map; the result is a number of 32 bits."""
        code = self.code
        code.map(1, OUT, value=True)
        for index, register in enumerate(_KEPT):
            code.store(8, 1, 8 * index, register)
        for slot in range(1, SLOTS + 1):
            code.load(8, 2, FRAME, -8 * slot)
            code.store(8, 1, 64 + 8 * slot, 2)
        code.move(0, 7)
        code.alu_register(AluOp.XOR, 0, 8)
        code.alu_register(AluOp.XOR, 0, 9)
        code.emit(InsnClass.ALU | AluOp.MOV | Source.X, 0, 0)
        code.exit()

    def _subprogram(self, level: int) -> Callable[[], None]:
        def write() -> None:
            function = Function(level=level)
            self._enter(function, 3)
            self._blocks(function, self.random.randint(1, 6))
            self.code.move(0, self.random.choice(_KEPT))
            self.code.exit()

        return write

    def _callback(self, level: int, array: bool) -> Callable[[], None]:
        """Of ``bpf_loop``: index, the caller's slots; of a walk: map, key, value, the caller's slots."""

        def write() -> None:
            code, slots = self.code, 4 if array else 2
            code.move(_CONTEXT, slots)
            if array:
                code.load(4, 7, 2, 0)
                code.load(8, 8, 3, 8 * self.random.randint(0, 7))
                code.store(8, 3, 8 * self.random.randint(0, 7), 7)
            else:
                code.move(7, 1)
                code.load(8, 8, _CONTEXT, -8 * self.random.randint(1, SLOTS))
            code.number(9, self._value())
            function = Function(numbers=set(_KEPT), level=level, base=_CONTEXT, callback=True)
            for _ in range(self.random.randint(1, 4)):
                self.random.choice((self._arithmetic, self._spill, self._fill))(function)
            code.constant(0, 0)
            end = code.label()
            if self.random.random() < 0.5:
                code.jump(end, InsnClass.JMP | JumpOp.JLT, 7, imm=self.random.randint(1, 20))
                code.constant(0, 1)
            code.place(end)
            code.exit()

        return write

    # -- blocks --------------------------------------------------------------------------------------------------

    def _blocks(self, function: Function, count: int) -> None:
        for _ in range(count):
            self._block(function)

    def _block(self, function: Function) -> None:
        choices: list[tuple[float, Callable[[Function], None]]] = [
            (8, self._arithmetic), (3, self._spill), (3, self._fill), (1, self._fill_somewhere), (4, self._array),
            (3, self._hash), (2, self._queue), (1, self._trie), (2, self._atomic),
        ]  # fmt: skip
        if function.depth < 3:
            choices.append((4, self._branch))
        if function.depth < 2 and function.loops < 2:
            choices.append((1.5, self._loop))
        if function.level < 3 and self.calls:
            choices.append((1.5, self._call))
            if "loop" in self.features and function.loops == 0:
                choices.append((1, self._helper_loop))
            if "for_each" in self.features and function.loops == 0:
                choices.append((0.7, self._walk))
        if function.context:
            choices += [(4, self._packet), (1.5, self._copy)]
            if not self.xdp:
                choices.append((1, self._classic))
            if function.tail_calls:
                choices.append((1.5, self._tail_call))
        weights = [weight for weight, _ in choices]
        self.random.choices(choices, weights)[0][1](function)

    def _number(self, function: Function) -> int:
        return self.random.choice(sorted(function.numbers))

    def _target(self, function: Function) -> int:
        """A register that becomes a number, and may have been none."""
        register = self.random.choice(_NUMBERS)
        function.numbers.add(register)
        return register

    def _scratch(self, function: Function) -> None:
        """A call has been: its arguments are gone."""
        function.numbers -= {0, 1, 2, 3, 4, 5}

    def _value(self) -> int:
        random = self.random
        return random.choice(_EDGES) if random.random() < 0.6 else random.getrandbits(64)

    def _immediate(self) -> int:
        value = self._value() & 0xFFFFFFFF
        return value - (value >> 31 << 32)

    def _arithmetic(self, function: Function) -> None:
        for _ in range(self.random.randint(1, 6)):
            self._operation(function)

    def _operation(self, function: Function) -> None:
        random, code = self.random, self.code
        wide = random.random() < 0.6
        number, bits = (InsnClass.ALU64, 64) if wide else (InsnClass.ALU, 32)
        new = "v4" in self.features
        kind = random.random()
        if kind < 0.1:
            source, target = self._number(function), self._target(function)
            off = random.choice((8, 16, 32) if wide else (8, 16)) if new and random.random() < 0.6 else 0
            code.emit(number | AluOp.MOV | Source.X, target, source, off)
        elif kind < 0.15:
            code.emit(number | AluOp.MOV, self._target(function), imm=self._immediate())
        elif kind < 0.2:
            code.number(self._target(function), self._value())
        elif kind < 0.27:
            code.emit(number | AluOp.NEG, self._number(function))
        elif kind < 0.35:
            forms = [0xD4, 0xDC] + [0xD7] * new
            code.emit(random.choice(forms), self._number(function), imm=random.choice((16, 32, 64)))
        else:
            operation = random.choice(_BINARY)
            off = 1 if operation in _DIVISIONS and new and random.random() < 0.5 else 0
            if random.random() < 0.5:
                code.emit(number | operation | Source.X, self._number(function), self._number(function), off)
                return
            imm = self._immediate()
            if operation in _SHIFTS:
                imm = random.randrange(bits)
            elif operation in _DIVISIONS:
                imm = imm or 3
            code.emit(number | operation, self._number(function), 0, off, imm)

    def _width(self, signed: bool) -> int:
        return self.random.choice((1, 2, 4) if signed else (1, 2, 4, 8))

    def _signed(self) -> bool:
        return "v4" in self.features and self.random.random() < 0.3

    def _slot(self, width: int) -> int:
        return -8 * self.random.randint(1, SLOTS) + width * self.random.randrange(8 // width)

    def _spill(self, function: Function) -> None:
        width = self._width(False)
        if self.random.random() < 0.7:
            self.code.store(width, function.base, self._slot(width), self._number(function))
        else:
            self.code.store_constant(width, function.base, self._slot(width), self._immediate())

    def _fill(self, function: Function) -> None:
        signed = self._signed()
        width = self._width(signed)
        self.code.load(width, self._target(function), function.base, self._slot(width), signed)

    def _fill_somewhere(self, function: Function) -> None:
        """From a slot that only a number says."""
        source = self._number(function)
        self.code.move(1, source)
        self.code.alu(AluOp.AND, 1, 8 * (SLOTS - 1))
        self.code.move(2, function.base)
        self.code.alu_register(AluOp.ADD, 2, 1)
        self.code.load(8, 2, 2, -8 * SLOTS)
        function.numbers |= {1, 2}

    def _branch(self, function: Function) -> None:
        random, code = self.random, self.code
        other, end = code.label(), code.label()
        number = random.choice((InsnClass.JMP, InsnClass.JMP32))
        condition = random.choice(_CONDITIONS)
        if random.random() < 0.5:
            code.jump(other, number | condition | Source.X, self._number(function), self._number(function))
        else:
            code.jump(other, number | condition, self._number(function), imm=self._immediate())
        function.depth += 1
        before = set(function.numbers)
        self._blocks(function, random.randint(1, 3))
        after = set(function.numbers)
        if random.random() < 0.5:
            if "v4" in self.features and random.random() < 0.3:
                code.jump_long(end)
            else:
                code.jump(end)
            code.place(other)
            function.numbers = before
            self._blocks(function, random.randint(1, 3))
            function.numbers &= after
        else:
            code.place(other)
            function.numbers = after & before
        code.place(end)
        function.depth -= 1

    def _loop(self, function: Function) -> None:
        """With a counter in a slot of its own, and sometimes ``may_goto`` besides."""
        random, code = self.random, self.code
        counter = -8 * (_COUNTERS + function.loops)
        code.store_constant(8, FRAME, counter, 0)
        head, end = code.label(), code.label()
        before = set(function.numbers)
        code.place(head)
        if "may_goto" in self.features and random.random() < 0.3:
            code.jump(end, InsnClass.JMP | JumpOp.JCOND)
        function.depth += 1
        function.loops += 1
        self._blocks(function, random.randint(1, 3))
        function.depth -= 1
        function.loops -= 1
        for register in before - function.numbers:
            code.move(register, 7)
        code.load(8, 0, FRAME, counter)
        code.alu(AluOp.ADD, 0, 1)
        code.store(8, FRAME, counter, 0)
        code.jump(head, InsnClass.JMP | JumpOp.JLT, 0, imm=random.randint(1, 5))
        code.place(end)
        function.numbers = before

    def _array(self, function: Function) -> None:
        """A value of the array, found or known, at a constant place or at one that only a number says."""
        random, code = self.random, self.code
        end = code.label()
        per_cpu = random.random() < 0.2
        size, which = (8, PER_CPU) if per_cpu else (64, ARRAY)
        source, result = self._number(function), self._number(function)
        if not per_cpu and random.random() < 0.5:
            code.move(3, source)
            code.map(0, VALUE, value=True)
        else:
            code.move(3, source)
            self._key(source, 4, mask=random.choice((3, 7)))
            code.map(1, which)
            code.store(8, FRAME, _SAVED, 3)
            code.helper("map_lookup_elem")
            code.load(8, 3, FRAME, _SAVED)
            self._scratch(function)
            code.jump(end, InsnClass.JMP | JumpOp.JEQ, 0, imm=0)
            if result not in function.numbers:
                result = 7
        width = self._width(False)
        if random.random() < 0.4:
            code.alu(AluOp.AND, 3, (size - width) // width * width)
            code.alu_register(AluOp.ADD, 0, 3)
            place = 0
        else:
            place = random.randrange(0, size - width + 1, width)
        if random.random() < 0.5 and result not in (0, 3):
            code.store(width, 0, place, result)
        else:
            target = random.choice(_KEPT)
            signed = width < 8 and self._signed()
            code.load(width, target, 0, place, signed)
        code.place(end)
        function.numbers -= {0, 1, 2, 3, 4, 5}

    def _key(self, source: int, width: int, mask: int) -> None:
        """A number on the stack, and r2 points to it."""
        code = self.code
        code.move(2, source)
        code.alu(AluOp.AND, 2, mask)
        code.store(width, FRAME, -_KEY, 2)
        code.address(2, -_KEY)

    def _hash(self, function: Function) -> None:
        random, code = self.random, self.code
        operation = random.choice(("map_lookup_elem", "map_update_elem", "map_update_elem", "map_delete_elem"))
        code.store(8, FRAME, -_KEY - 8, self._number(function))
        self._key(self._number(function), 4, mask=15)
        code.map(1, HASH)
        if operation == "map_update_elem":
            code.address(3, -_KEY - 8)
            code.constant(4, random.choice((0, 0, 0, 1, 2, 3)))
        if operation == "map_lookup_elem":
            self._looked_up(function)
        else:
            self._changed(function, operation)

    def _queue(self, function: Function) -> None:
        random, code = self.random, self.code
        operation = random.choice(("map_push_elem", "map_push_elem", "map_pop_elem", "map_peek_elem"))
        code.store(8, FRAME, -_KEY, self._number(function))
        code.map(1, random.choice((QUEUE, STACK)))
        code.address(2, -_KEY)
        if operation == "map_push_elem":
            code.constant(3, random.choice((0, 0, 2, 1)))
        self._changed(function, operation)
        if operation != "map_push_elem":
            code.load(8, 3, FRAME, -_KEY)
            function.numbers.add(3)

    def _trie(self, function: Function) -> None:
        random, code = self.random, self.code
        source = self._number(function)
        code.store(4, FRAME, -_KEY + 4, source)
        self._key(source, 4, mask=31)
        operation = random.choice(("map_lookup_elem", "map_update_elem", "map_update_elem", "map_delete_elem"))
        code.map(1, TRIE)
        if operation == "map_update_elem":
            code.store_constant(8, FRAME, -_KEY - 8, self._immediate())
            code.address(3, -_KEY - 8)
            code.constant(4, 0)
        if operation == "map_lookup_elem":
            self._looked_up(function)
        else:
            self._changed(function, operation)

    def _looked_up(self, function: Function) -> None:
        random, code = self.random, self.code
        code.helper("map_lookup_elem")
        self._scratch(function)
        end = code.label()
        code.jump(end, InsnClass.JMP | JumpOp.JEQ, 0, imm=0)
        target = random.choice(_KEPT)
        code.load(8, target, 0, 0)
        if random.random() < 0.5:
            code.alu(AluOp.ADD, target, 1)
            code.store(8, 0, 0, target)
        code.place(end)

    def _changed(self, function: Function, operation: str) -> None:
        self.code.helper(operation)
        self._scratch(function)
        function.numbers.add(0)
        if "long_results" not in self.features:  # an int, and nobody knows what is above it
            self.code.alu(AluOp.LSH, 0, 32)
            self.code.alu(AluOp.ARSH, 0, 32)

    def _atomic(self, function: Function) -> None:
        random, code = self.random, self.code
        width = random.choice((4, 8))
        on_stack = random.random() < 0.4
        source = self._number(function)
        if source in (0, 1):
            code.move(7, source)
            source = 7
        if on_stack:
            base, place = function.base, self._slot(width)
        else:
            code.map(1, VALUE, value=True)
            function.numbers.discard(1)
            base, place = 1, random.randrange(0, 64, width)
        if "atomics" not in self.features:
            code.atomic(AtomicOp.ADD, width, base, place, source)
            return
        kind = random.random()
        if kind < 0.5:
            fetch = AtomicOp.FETCH if random.random() < 0.6 else 0
            code.atomic(random.choice(_ATOMICS) | fetch, width, base, place, source)
        elif kind < 0.65:
            code.atomic(AtomicOp.XCHG, width, base, place, source)
        elif kind < 0.85 or "acquire" not in self.features:
            code.move(0, self.random.choice(_KEPT))
            if random.random() < 0.5:
                code.load(width, 0, base, place)
            function.numbers.add(0)
            code.atomic(AtomicOp.CMPXCHG, width, base, place, source)
        else:
            operation = random.choice((AtomicOp.LOAD_ACQ, AtomicOp.STORE_REL))
            code.atomic(operation, width, base, place, source)

    def _packet(self, function: Function) -> None:
        """Bytes of the packet behind a check of its length."""
        random, code = self.random, self.code
        end = code.label()
        source = self._number(function)
        if source in (1, 2, 3, 4):
            code.move(7, source)
            source = 7
        code.load(4, 1, _CONTEXT, self.data)
        code.load(4, 2, _CONTEXT, self.data_end)
        width = random.choice((1, 2, 4, 8))
        place = random.choice((0, 1, 7, 12, 14, 20, 33, 50, 60, 90))
        if random.random() < 0.3:
            code.move(3, source)
            code.alu(AluOp.AND, 3, random.choice((1, 3, 15, 63)))
            code.alu_register(AluOp.ADD, 1, 3)
        code.move(4, 1)
        code.alu(AluOp.ADD, 4, place + width)
        code.jump(end, InsnClass.JMP | JumpOp.JGT | Source.X, 4, 2)
        if random.random() < 0.5:
            code.load(width, random.choice(_KEPT), 1, place, width < 8 and self._signed())
        else:
            code.store(width, 1, place, source)
        code.place(end)
        function.numbers -= {1, 2, 3, 4}

    def _copy(self, function: Function) -> None:
        """By helper, from the packet to the stack or back."""
        random, code = self.random, self.code
        store = random.random() < 0.5
        code.move(2, self._number(function))
        code.alu(AluOp.AND, 2, random.choice((7, 63, 127)))
        code.move(1, _CONTEXT)
        code.address(3, -8 * SLOTS)
        code.constant(4, random.choice((1, 2, 8, 20, 64)))
        if store:
            code.constant(5, 0)
        family = "xdp" if self.xdp else "skb"
        if self.xdp and "loop" not in self.features:  # bpf_xdp_load_bytes is one of 5.18
            self._scratch(function)
            return
        code.helper(f"{family}_{'store' if store else 'load'}_bytes")
        self._scratch(function)
        function.numbers.add(0)

    def _classic(self, function: Function) -> None:
        random, code = self.random, self.code
        width = random.choice((1, 2, 4))
        if random.random() < 0.5:
            code.emit(InsnClass.LD | Mode.ABS | SIZES[width], imm=random.choice((0, 3, 12, 30, 50)))
        else:
            source = self._number(function)
            code.move(1, source)
            code.alu(AluOp.AND, 1, 31)
            code.emit(InsnClass.LD | Mode.IND | SIZES[width], 0, 1, imm=random.choice((0, 3, 12)))
        self._scratch(function)
        function.numbers.add(0)

    def _call(self, function: Function) -> None:
        code = self.code
        for register in range(1, 4):
            source = self.random.choice(_KEPT)
            code.move(register, source)
        if self.subprograms and function.level == 0 and self.random.random() < 0.3:
            label = self.random.choice(self.subprograms)
        else:
            label = code.label()
            self.waiting.append((label, self._subprogram(function.level + 1)))
            if function.level == 0:
                self.subprograms.append(label)
        code.call_local(label)
        self._scratch(function)
        function.numbers.add(0)

    def _helper_loop(self, function: Function) -> None:
        code, random = self.code, self.random
        label = code.label()
        self.waiting.append((label, self._callback(function.level + 1, False)))
        if random.random() < 0.5:
            code.constant(1, random.randint(0, 30))
        else:
            code.move(1, self._number(function))
            code.alu(AluOp.AND, 1, random.choice((1, 7, 31)))
        code.function(2, label)
        code.move(3, FRAME)
        code.constant(4, 0)
        code.helper("loop")
        self._scratch(function)
        function.numbers.add(0)

    def _walk(self, function: Function) -> None:
        code = self.code
        label = code.label()
        self.waiting.append((label, self._callback(function.level + 1, True)))
        code.map(1, ARRAY)
        code.function(2, label)
        code.move(3, FRAME)
        code.constant(4, 0)
        code.helper("for_each_map_elem")
        self._scratch(function)
        function.numbers.add(0)

    def _tail_call(self, function: Function) -> None:
        """If a number says so, where there may be a program or not."""
        code, random = self.code, self.random
        end = code.label()
        number = self._number(function)
        code.jump(end, InsnClass.JMP | JumpOp.JSET, number, imm=random.choice((1, 3, 0x10)))
        code.move(3, number)
        code.move(1, _CONTEXT)
        code.map(2, JUMPS)
        if random.random() < 0.5:
            code.constant(3, random.randint(0, 5))
        else:
            code.alu(AluOp.AND, 3, 3)
        code.helper("tail_call")
        self._scratch(function)
        code.place(end)
        function.numbers -= {0, 1, 2, 3, 4, 5}
