"""``Run``: a program from its first instruction to its end, and ``Frame``: one function of it.

A call of a sub-program, or of a callback by a helper, runs a frame inside the caller's instruction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from beespace.errors import ProgramFault
from beespace.isa.disassembly import text
from beespace.isa.helpers import BY_NUMBER
from beespace.vm.code import Code
from beespace.vm.helpers.invoking import invoke
from beespace.vm.instructions import INSTRUCTIONS
from beespace.vm.kfuncs import KFUNCS
from beespace.vm.memory import Rights, Violation
from beespace.vm.packet import Packet
from beespace.vm.sockets import Socket

if TYPE_CHECKING:
    from beespace.vm.machine import Machine

__all__ = ["Frame", "Run", "Thrown"]

_STACK = 512  # MAX_BPF_STACK (include/linux/filter.h)
_FRAMES = 16  # MAX_CALL_FRAMES of Linux 7.3; 8 before
_ALL_FRAMES = 160  # with those of programs that called others by tail calls in sub-programs
_TAIL_CALLS = 33  # MAX_TAIL_CALL_CNT (include/linux/bpf.h)
_ROUNDS = 8 << 20  # BPF_MAX_LOOPS
_FRAME_POINTER = 10


class Thrown(Exception):
    """``bpf_throw()`` with a cookie: the program ends, through its exception callback if it has one."""

    def __init__(self, cookie: int) -> None:
        super().__init__(cookie)
        self.cookie = cookie


class Frame:
    """A function while it runs.  A register that nobody has written since holds ``None``."""

    __slots__ = ("code", "done", "pc", "registers", "replaced", "rounds_left", "run", "stack")

    def __init__(self, run: Run, code: Code, pc: int, arguments: Sequence[int | None]) -> None:
        self.run = run
        self.enter(code, pc, arguments)

    def enter(self, code: Code, pc: int, arguments: Sequence[int | None]) -> None:
        """Begin at instruction ``pc``, with a new stack and nothing but ``arguments`` in registers."""
        self.code, self.pc = code, pc
        self.done = self.replaced = False
        self.rounds_left = _ROUNDS
        self.stack = self.run.memory.add("the stack", bytearray(_STACK), Rights.BOTH)
        top = self.stack.base + _STACK
        self.registers: list[int | None] = [None, *arguments, *[None] * (9 - len(arguments)), top]

    def get(self, number: int) -> int:
        """A register."""
        value = self.registers[number] if number <= _FRAME_POINTER else None
        if value is None:
            raise Violation(f"reads r{number}, which nobody has written")
        return value

    def set(self, number: int, value: int) -> None:
        """A register gets an unsigned number."""
        if number >= _FRAME_POINTER:
            raise Violation(f"writes r{number}, which it may not")
        self.registers[number] = value


class Run:
    """What the functions of one run share: steps, frames, tail calls, the packet and the socket."""

    def __init__(self, machine: Machine, packet: Packet | None, socket: Socket | None = None) -> None:
        self.machine, self.memory, self.packet, self.socket = machine, machine.memory, packet, socket
        self.steps = 0
        self.refresh: Callable[[], None] = lambda: None  # the context follows a packet that moved
        self.tail_calls = 0
        self.frames: list[Frame] = []
        self.bottom = 0  # which of them the program began with that runs now
        self.kind = 0  # of the program: ProgramType

    def start(self, code: Code, arguments: Sequence[int]) -> int:
        """The whole program."""
        result = self.call(code, 0, arguments)
        if result is None:
            raise ProgramFault(code.name, "ends without a result in r0")
        return result

    def call(self, code: Code, pc: int, arguments: Sequence[int | None]) -> int | None:
        """What the function at instruction ``pc`` leaves in r0."""
        if len(self.frames) - self.bottom == _FRAMES or len(self.frames) == _ALL_FRAMES:
            raise Violation(f"calls more than {_FRAMES} functions deep")
        frame, outer = Frame(self, code, pc, arguments), self.bottom
        self.frames.append(frame)
        try:
            while not frame.done:
                self._step(frame)
            return frame.registers[0]
        except Thrown as thrown:
            if len(self.frames) - 1 > self.bottom:
                raise
            return self.caught(frame.code, thrown)
        finally:
            self.frames.pop()
            self.bottom = outer
            self.memory.remove(frame.stack)

    def caught(self, code: Code, thrown: Thrown) -> int | None:
        """What a program ends with that called ``bpf_throw()``."""
        return thrown.cookie if code.exception is None else self.call(code, code.exception, [thrown.cookie])

    def _step(self, frame: Frame) -> None:
        at, code, insns = frame.pc, frame.code, frame.code.insns
        try:
            if not 0 <= at < len(insns):
                raise Violation("leaves the program")
            self.steps += 1
            if self.steps > self.machine.max_steps:
                raise Violation(f"has not ended after {self.machine.max_steps} instructions")
            insn = insns[at]
            frame.pc = at + 1
            form = INSTRUCTIONS.get(insn.opcode)
            if form is None:
                raise Violation("there is no such instruction")
            form(frame, insn)
        except Violation as violation:
            shown = text(insns[at : at + 2]) if 0 <= at < len(insns) else ""
            raise ProgramFault(
                code.name, str(violation), index=at, instruction=shown, registers=tuple(frame.registers),
                source=code.source(at),
            ) from None  # fmt: skip

    def call_address(self, address: int, arguments: Sequence[int | None]) -> int | None:
        """Call what ``address`` is of: a function, or by its number a helper."""
        region = self.memory.find(address)
        if region is None and address in BY_NUMBER:
            return self.call_helper(address, arguments)
        if region is None or not isinstance(region.owner, Code) or (address - region.base) % 8:
            raise Violation(f"calls {address:#x}, which is no function")
        return self.call(region.owner, (address - region.base) // 8, arguments)

    def call_helper(self, number: int, arguments: Sequence[int | None]) -> int | None:
        """Call a helper function with the registers that it takes."""
        helper = self.machine.helpers.get(number)
        if helper is None:
            known = BY_NUMBER.get(number)
            name = f"bpf_{known.name}" if known else f"helper {number}"
            raise Violation(f"calls {name}, which this machine does not have")
        return invoke(self, helper, arguments)

    def call_kfunc(self, number: int, arguments: Sequence[int | None]) -> int | None:
        """Call a function of the kernel, by the number that :mod:`beespace.vm.loading` gave it."""
        if not 0 <= number < len(KFUNCS):
            raise Violation("calls a kernel function which this machine does not have")
        return invoke(self, KFUNCS[number][1], arguments)

    def tail_call(self, code: Code, context: int) -> bool:
        """Go on with another program instead of this function; ``False`` if that was done too often."""
        if self.tail_calls == _TAIL_CALLS:
            return False
        self.tail_calls += 1
        frame = self.frames[-1]
        self.memory.remove(frame.stack)
        self.bottom = len(self.frames) - 1
        frame.enter(code, 0, [context])
        frame.replaced = True
        return True

    def callback(self, function: int, *arguments: int) -> int:
        """Call the program's function at an address that it gave to a helper."""
        result = self.call_address(function, [*arguments, *[None] * (5 - len(arguments))])
        if result is None:
            raise Violation("a callback ends without a result")
        return result
