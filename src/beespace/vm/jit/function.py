"""One function of a program as a function in LLVM's language, line by line.

Registers are locals, of which LLVM makes registers; beside each stands whether somebody has written it.  Through
every register that memory is reached by, a region is remembered: the next access that falls into it needs no search.
Whatever is not as it should be is left to the interpreter: native code *gives up* at an instruction, before it has done
anything of it, and the interpreter goes on from there, usually to a fault that it words itself.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from beespace.isa.insn import Insn
from beespace.vm.jit import layout
from beespace.vm.jit.flow import leaves_registers

__all__ = [
    "AFTER_MISS", "ASSIST", "FAULT", "FIND", "FINISH", "GIVEN", "PLAIN", "RESULT", "UNWRITTEN", "WRITTEN", "Function",
    "GaveUp", "which_limit",
]  # fmt: skip

FIND, ASSIST, FINISH = range(3)  # the functions of Python, in their order
WRITTEN, UNWRITTEN, FAULT = range(3)  # how a function ends: with or without a result, or not at all
#: What a function gets beside the state and r1 to r5: what may still be done, the number of the next region, how many
#: functions run, and which of r1 to r5 are written.
GIVEN = ("left", "next", "depth")
RESULT = "{ i64, i64, i64 }"  # r0; what may still be done; the number of the next region, four times, and one of these

PLAIN, AFTER_MISS = "b", "s"  # the copies of a function's blocks, as their labels begin

_FRAME_POINTER = 10
_ARGUMENTS = range(1, 6)
_MIDDLE = 1 << 31  # of a region's addresses
_LIKELY = ", !prof !0"
_ZERO = "<8 x i64> zeroinitializer"


class GaveUp(Exception):  # no error
    """The rest of a block is never reached."""


class Function:
    """The function at ``entry``; ``accesses`` are register -> which limits it looks at.

    Of a function in ``quiet`` is known that no region is gone or elsewhere after it was called.  ``looks`` are the
    blocks where somebody looks how many instructions may still be done, ``most`` is as many as can be done from there
    to the next look: the local ``left`` is without these, so that it is its sign that is looked at.

    A function is written twice if it has ``loops``: in one copy what is remembered of memory never changes in a loop,
    and LLVM takes it out of there.  An access to what is not remembered goes on in the other copy, until that comes to
    one of ``looks``.
    """

    def __init__(
        self,
        insns: Sequence[Insn],
        entry: int,
        accesses: Mapping[int, set[int]],
        *,
        uses_stack: bool,
        quiet: Collection[int],
        looks: Collection[int],
        loops: Collection[int],
        most: int,
    ) -> None:
        self.insns, self.entry, self.quiet = insns, entry, quiet
        self.at = entry  # the instruction
        self.left = 0  # of its block, with itself
        self.offsets: dict[int, int] = {}  # registers that are known to point into the stack, from its top
        self._accesses, self._uses_stack = accesses, uses_stack
        self._lines: list[str] = []
        self._locals: dict[str, str] = {}
        self._cold: dict[str, list[str]] = {}
        self._known: set[int] = set()  # registers that are known to be written
        self._count = 0
        self._copy = PLAIN
        self._reached = 0  # accesses of this instruction so far
        self._looks, self._loops, self._most = looks, loops, most
        self._calls = any(leaves_registers(insn) for insn in insns)  # where LLVM should know all, to put them in line
        self._twice = bool(loops and accesses)

    # -- text --------------------------------------------------------------------------------------------------------

    def fresh(self, what: str = "t") -> str:
        self._count += 1
        return f"{what}{self._count}"

    def value(self, text: str) -> str:
        """Append an instruction that gives a value; its name."""
        name = f"%{self.fresh()}"
        self._lines.append(f"  {name} = {text}")
        return name

    def effect(self, text: str) -> None:
        """Append an instruction."""
        self._lines.append(f"  {text}")

    def label(self, name: str) -> None:
        self._lines.append(f"{name}:")

    def unless(self, condition: str, cold: str) -> None:
        """Go to ``cold`` where the condition does not hold, which is seldom."""
        on = self.fresh("on")
        self.effect(f"br i1 {condition}, label %{on}, label %{cold}{_LIKELY}")
        self.label(on)

    def word(self, place: int) -> str:
        """The address of a word of the state."""
        return self.value(f"getelementptr i8, ptr %s, i64 {8 * place}")

    def falls_through(self) -> bool:
        """Whether the last instruction was none that goes elsewhere."""
        return not self._lines[-1].startswith("  br ")

    def hidden(self, value: str) -> str:
        """The same, of which LLVM knows nothing: it makes no second copy of it that goes along with it in a loop."""
        return self.value(f'call i64 asm "", "=r,0"(i64 {value})')

    def load_word(self, place: int, type: str = "i64") -> str:
        return self.value(f"load {type}, ptr {self.word(place)}")

    def store_word(self, place: int, value: str) -> None:
        self.effect(f"store i64 {value}, ptr {self.word(place)}")

    # -- registers ---------------------------------------------------------------------------------------------------

    def get(self, number: int) -> str:
        """A register's value, 64 bits; gives up if nobody has written it."""
        if number == _FRAME_POINTER:
            return "%top"
        if number > _FRAME_POINTER:
            raise self.give_up()
        if number not in self._known:
            self.unless(self.value(f"load i1, ptr %w{number}"), self.giving_up())
            self._known.add(number)
        return self.value(f"load i64, ptr %r{number}")

    def writable(self, number: int) -> None:
        """Give up before anything is done if a register must not be written."""
        if number >= _FRAME_POINTER:
            raise self.give_up()

    def set(self, number: int, value: str) -> None:
        self.writable(number)
        self.effect(f"store i64 {value}, ptr %r{number}")
        if number not in self._known:
            self.effect(f"store i1 true, ptr %w{number}")
            self._known.add(number)
        self.offsets.pop(number, None)

    def narrow(self, value: str, bits: int) -> str:
        return value if bits == 64 else self.value(f"trunc i64 {value} to i{bits}")

    def wide(self, value: str, bits: int) -> str:
        return value if bits == 64 else self.value(f"zext i{bits} {value} to i64")

    def clobbered(self) -> None:
        """A call: nobody has written r1 to r5 since."""
        for number in _ARGUMENTS:
            self.effect(f"store i1 false, ptr %w{number}")
            self._known.discard(number)
            self.offsets.pop(number, None)

    def result(self, value: str, written: str) -> None:
        """r0 after a call."""
        self.effect(f"store i64 {value}, ptr %r0")
        self.effect(f"store i1 {written}, ptr %w0")
        self._known.discard(0)
        self.offsets.pop(0, None)

    def written(self, numbers: Sequence[int]) -> str:
        """Which of these registers somebody has written, as bits."""
        found = str(1 << _FRAME_POINTER if _FRAME_POINTER in numbers else 0)
        for number in numbers:
            if number != _FRAME_POINTER:
                bit = self.value(f"zext i1 {self.value(f'load i1, ptr %w{number}')} to i64")
                found = self.value(f"or i64 {found}, {self.value(f'shl i64 {bit}, {number}')}")
        return found

    # -- leaving it to Python ----------------------------------------------------------------------------------------

    def show(self, left: str) -> None:
        """Let Python see the registers."""
        for number in range(_FRAME_POINTER):
            self.store_word(layout.REGISTERS + number, self.value(f"load i64, ptr %r{number}"))
        self.store_word(layout.REGISTERS + _FRAME_POINTER, "%top")
        self.store_word(layout.WRITTEN, self.written(range(_FRAME_POINTER + 1)))
        self.store_word(layout.LEFT, left)
        self.store_word(layout.NEXT, self.value("load i64, ptr %next"))
        self.store_word(layout.DEPTH, "%inside")
        self.store_word(layout.ROUNDS, self.value("load i64, ptr %rounds"))

    def ask(self, which: int, first: str, second: str = "0") -> str:
        """Call a function of Python."""
        function = self.load_word(layout.CALLBACKS + which, "ptr")
        return self.value(f"call i32 {function}(ptr %s, i64 {first}, i64 {second})")

    def assist(self) -> None:
        """Let the interpreter do this instruction; what it leaves in r0 and elsewhere is the caller's matter."""
        self.show(self.left_of(self.left))
        status = self.ask(ASSIST, str(self.at))
        left, on = self.fresh("left"), self.fresh("on")
        done = self.value(f"icmp eq i32 {status}, 0")
        self.effect(f"br i1 {done}, label %{on}, label %{left}{_LIKELY}")
        self.label(left)
        self._take_back()
        self.effect(f"store i64 {self.load_word(layout.REGISTERS)}, ptr %result")
        self.effect(f"store i32 {self.value(f'sub i32 {status}, 1')}, ptr %status")
        self.effect("br label %leave")
        self.label(on)
        self.effect(f"store i64 {self.load_word(layout.NEXT)}, ptr %next")

    def _take_back(self) -> None:
        """What Python has counted."""
        self.set_left(self.load_word(layout.LEFT))
        self.effect(f"store i64 {self.load_word(layout.NEXT)}, ptr %next")

    def give_up(self) -> GaveUp:
        """Go no further than to this instruction."""
        self.effect(f"br label %{self.giving_up()}")
        return GaveUp()

    def giving_up(self) -> str:
        """The label where the interpreter takes over at this instruction."""
        name = f"over{self.at}"
        if name not in self._cold:
            self._cold[name] = [
                f"  %{name}.after = load i64, ptr %left",
                f"  %{name}.left = add i64 %{name}.after, {self._most + self.left}",
                *self._over(self.at, f"%{name}.left"),
            ]
        return name

    def at_target(self, index: int) -> str:
        """The label of the instruction that is jumped to."""
        if 0 <= index < len(self.insns):
            return f"{PLAIN if index in self._looks else self._copy}{index}"
        name = f"out{index}" if index >= 0 else f"out.{-index}"
        self._cold[name] = [
            f"  %{name}.after = load i64, ptr %left",
            f"  %{name}.left = add i64 %{name}.after, {self._most}",
            *self._over(index, f"%{name}.left"),
        ]
        return name

    def _over(self, index: int, left: str) -> list[str]:
        return [f"  store i64 {index}, ptr %at", f"  store i64 {left}, ptr %before", "  br label %finish"]

    # -- memory ------------------------------------------------------------------------------------------------------

    def address(self, number: int, offset: int) -> str:
        """What is in a register, and so much more."""
        return self.value(f"add i64 {self.get(number)}, {offset}")

    def on_stack(self, number: int, offset: int, width: int) -> str | None:
        """Where in this process an access falls that is known to be one of this function's stack, if it is."""
        base = 0 if number == _FRAME_POINTER else self.offsets.get(number)
        if base is None:
            return None
        if not -layout.STACK <= base + offset <= -width:
            raise self.give_up()
        return self.value(f"getelementptr i8, ptr %stack, i64 {layout.STACK + base + offset}")

    def reach(self, number: int, offset: int, width: int, writes: bool) -> str:
        """Where in this process the program's memory is; gives up where there is none that it may use so."""
        place = self.on_stack(number, offset, width)
        if place is not None:
            return place
        address, which = self.address(number, offset), which_limit(width, writes)
        slow, fast = self.fresh("slow"), self.fresh("fast")
        self._reached += 1
        there = f"there{self.at}.{self._reached}"
        distance = f"distance{self.at}.{self._reached}"
        self._locals[distance] = "i64"
        self._measure(distance, address, number)
        inside = self.value(f"load i64, ptr %limit{number}.{which}")
        inside = self.value(f"icmp ult i64 {self.value(f'load i64, ptr %{distance}')}, {inside}")
        self.effect(f"br i1 {inside}, label %{fast}, label %{slow}{_LIKELY}")
        self.label(slow)
        self.store_word(layout.DEPTH, "%inside")
        minus = self.hidden(self.value(f"load i64, ptr %minus{number}"))
        address = self.value(f"sub i64 {self.value(f'load i64, ptr %{distance}')}, {minus}")
        found = self.value(f"call preserve_mostcc ptr @find(ptr %s, i64 {address}, i64 {which})")
        self.unless(self.value(f"icmp ne ptr {found}, null"), self.giving_up())
        self._remember(number, found)
        self._measure(distance, address, number)
        self.effect(f"br label %{fast if self._copy == PLAIN and not self._twice else there}")
        self.label(fast)
        if self._copy == AFTER_MISS:
            self.effect(f"br label %{there}")
            self.label(there)
        host, at = self.value(f"load ptr, ptr %host{number}"), self.value(f"load i64, ptr %{distance}")
        return self.value(f"getelementptr i8, ptr {host}, i64 {at}")

    def _measure(self, distance: str, address: str, number: int) -> None:
        """How far an address is from where the region begins that a register remembers."""
        minus = self.value(f"load i64, ptr %minus{number}")
        self.effect(f"store i64 {self.value(f'add i64 {address}, {minus}')}, ptr %{distance}")

    def _remember(self, number: int, slot: str) -> None:
        minus = self.value(f"sub i64 0, {self.value(f'load i64, ptr {slot}')}")
        self.effect(f"store i64 {minus}, ptr %minus{number}")
        host = self.value(f"getelementptr i8, ptr {slot}, i64 8")
        self.effect(f"store ptr {self.value(f'load ptr, ptr {host}')}, ptr %host{number}")
        for which in sorted(self._accesses[number]):
            place = self.value(f"getelementptr i8, ptr {slot}, i64 {16 + 4 * which}")
            limit = self.wide(self.value(f"load i32, ptr {place}"), 32)
            self.effect(f"store i64 {limit}, ptr %limit{number}.{which}")

    def forget(self) -> None:
        """Regions may be gone, or elsewhere."""
        for number, every in sorted(self._accesses.items()):
            for which in sorted(every):
                self.effect(f"store i64 0, ptr %limit{number}.{which}")

    # -- the frame ---------------------------------------------------------------------------------------------------

    def begin_copy(self, copy: str) -> None:
        """All blocks follow."""
        self._copy = copy

    def left_of(self, more: int = 0) -> str:
        """How many instructions may still be done, and so many more."""
        return self.value(f"add i64 {self.value('load i64, ptr %left')}, {self._most + more}")

    def set_left(self, left: str) -> None:
        """From now on so many may still be done."""
        self.effect(f"store i64 {self.value(f'sub i64 {left}, {self._most}')}, ptr %left")

    def begin_block(self, index: int, length: int) -> None:
        """Count its instructions."""
        self.begin_instruction(index, length)
        self._known.clear()
        self.offsets.clear()
        self.label(f"{self._copy}{index}")
        left = self.value(f"sub i64 {self.value('load i64, ptr %left')}, {length}")
        if index in self._looks:
            kept = self.hidden(left) if index in self._loops and not self._calls else left
            self.effect(f"store i64 {kept}, ptr %left")
            self.unless(self.value(f"icmp sge i64 {left}, 0"), self.giving_up())
        else:
            self.effect(f"store i64 {left}, ptr %left")

    def begin_instruction(self, index: int, left: int) -> None:
        """The next one; ``left`` are left of its block."""
        self.at, self.left, self._reached = index, left, 0

    def leave(self) -> None:
        """``exit``: with what is in r0, if there is something."""
        self.effect(f"store i64 {self.value('load i64, ptr %r0')}, ptr %result")
        written = self.value("load i1, ptr %w0")
        self.effect(f"store i32 {self.value(f'select i1 {written}, i32 {WRITTEN}, i32 {UNWRITTEN}')}, ptr %status")
        self.effect("br label %leave")

    def text(self) -> list[str]:
        """All lines.  The blocks are there already."""
        body, self._lines = self._lines, []
        names = [*(f"given.{name}" for name in GIVEN), *(f"a{number}" for number in _ARGUMENTS), "given"]
        parameters = ", ".join(f"i64 %{name}" for name in names)
        head = f"define internal {RESULT} @f{self.entry}(ptr noalias %s, {parameters}) #0 {{"
        self._enter()
        start, self._lines = self._lines, []
        self._finish()
        self._leave()
        cold = [line for name, lines in self._cold.items() for line in (f"{name}:", *lines)]
        return [head, "entry:", *start, *body, *cold, *self._lines, "}"]

    def _enter(self) -> None:
        for number in range(_FRAME_POINTER):
            self.effect(f"%r{number} = alloca i64")
            self.effect(f"%w{number} = alloca i1")
            given = number in _ARGUMENTS
            self.effect(f"store i64 {f'%a{number}' if given else 0}, ptr %r{number}")
            bit = self.value(f"and i64 %given, {1 << number}") if given else "0"
            self.effect(f"store i1 {self.value(f'icmp ne i64 {bit}, 0')}, ptr %w{number}")
        for number, every in sorted(self._accesses.items()):
            self.effect(f"%minus{number} = alloca i64")
            self.effect(f"store i64 0, ptr %minus{number}")
            self.effect(f"%host{number} = alloca ptr")
            self.effect(f"store ptr null, ptr %host{number}")
            for which in sorted(every):
                self.effect(f"%limit{number}.{which} = alloca i64")
        self.forget()
        for name, type in self._locals.items():
            self.effect(f"%{name} = alloca {type}")
        for name in ("left", "next", "rounds", "before", "at", "result"):
            self.effect(f"%{name} = alloca i64")
        self.effect(f"store i64 {8 << 20}, ptr %rounds")
        self.set_left("%given.left")
        self.effect("%status = alloca i32")
        self.effect(f"%constants = load ptr, ptr {self.word(layout.CONSTANTS)}")
        self._enter_stack()
        self.effect(f"br label %{PLAIN}{self.entry}")

    def _enter_stack(self) -> None:
        self.effect("%inside = add i64 %given.depth, 1")
        self.effect(f"store i64 {self.value('add i64 %given.next, 1')}, ptr %next")
        self.effect(f"%frame = getelementptr i64, ptr {self.word(layout.FRAMES)}, i64 %given.depth")
        mark = "%given.next" if self._uses_stack else self.value(f"or i64 %given.next, {-layout.UNTOUCHED}")
        self.effect(f"store i64 {mark}, ptr %frame")
        self.effect(f"%stacks = load ptr, ptr {self.word(layout.STACKS_AT)}")
        self.effect(
            f"%stack = getelementptr i8, ptr %stacks, i64 {self.value(f'mul i64 %given.depth, {layout.STACK}')}"
        )
        self.effect(f"%bottom = add i64 {self.value('shl i64 %given.next, 32')}, {_MIDDLE}")
        self.effect(f"%top = add i64 %bottom, {layout.STACK}")
        place = self.value(f"and i64 %given.next, {layout.SLOT_COUNT - 1}")
        place = self.value(f"mul i64 {place}, {layout.SLOT_SIZE}")
        self.effect(f"%slot = getelementptr i8, ptr {self.word(layout.SLOTS // 8)}, i64 {place}")
        if self._uses_stack:
            for part in range(0, layout.STACK, 64):
                place = self.value(f"getelementptr i8, ptr %stack, i64 {part}")
                self.effect(f"store {_ZERO}, ptr {place}, align 8")
            self.effect("store i64 %bottom, ptr %slot")
            self.effect(f"store ptr %stack, ptr {self.value('getelementptr i8, ptr %slot, i64 8')}")
            for which, limit in enumerate(layout.limits(layout.STACK) * 2):
                place = self.value(f"getelementptr i8, ptr %slot, i64 {16 + 4 * which}")
                self.effect(f"store i32 {limit}, ptr {place}, align 4")

    def _finish(self) -> None:
        self.label("finish")
        self.show(self.value("load i64, ptr %before"))
        status = self.ask(FINISH, self.value("load i64, ptr %at"))
        self._take_back()
        self.effect(f"store i32 {status}, ptr %status")
        self.effect(f"store i64 {self.load_word(layout.REGISTERS)}, ptr %result")
        self.effect("br label %leave")

    def _leave(self) -> None:
        self.label("leave")
        own = self.value(f"icmp eq i64 {self.value('load i64, ptr %slot')}, %bottom")
        self.effect(f"br i1 {own}, label %hide, label %gone")
        self.label("hide")
        limits = self.value("getelementptr i8, ptr %slot, i64 16")
        self.effect(f"store <8 x i32> zeroinitializer, ptr {limits}, align 8")
        self.effect("br label %gone")
        self.label("gone")
        status = self.value(f"zext i32 {self.value('load i32, ptr %status')} to i64")
        next_ = self.value("load i64, ptr %next")
        last = self.value(f"or i64 {self.value(f'shl i64 {next_}, 2')}, {status}")
        result = "undef"
        for place, value in enumerate((self.value("load i64, ptr %result"), self.left_of(), last)):
            result = self.value(f"insertvalue {RESULT} {result}, i64 {value}, {place}")
        self.effect(f"ret {RESULT} {result}")


def which_limit(width: int, writes: bool) -> int:
    """The place of a limit in a slot."""
    return width.bit_length() - 1 + (4 if writes else 0)
