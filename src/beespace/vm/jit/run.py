"""``NativeRun``: a run whose functions are native code, and ``Jit``: the code of one machine.

Helper functions, packet loads and everything that is not as it should be are the interpreter's: native code leaves its
registers in the state, and :meth:`~beespace.vm.run.Run._step` does the instruction on a :class:`NativeFrame`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from beespace.errors import InternalError
from beespace.vm.arithmetic import U64
from beespace.vm.code import Code
from beespace.vm.jit import layout
from beespace.vm.jit.emit import emit, name_of
from beespace.vm.jit.function import FAULT, UNWRITTEN, WRITTEN
from beespace.vm.jit.memory import NativeMemory
from beespace.vm.jit.native import Native
from beespace.vm.packet import Packet
from beespace.vm.run import Frame, Run, Thrown
from beespace.vm.sockets import Socket

if TYPE_CHECKING:
    from beespace.vm.machine import Machine

__all__ = ["Jit", "NativeRun"]

_TAIL_CALLS = 33
_ARGUMENTS = 5
_REGISTERS = 11


class _Unit:
    """The native code of one program in one machine."""

    __slots__ = ("code", "constants", "entries", "pinned")

    def __init__(self, native: Native, code: Code) -> None:
        self.code = code
        text, entries = emit(code.insns)
        functions = native.compile(text)
        self.entries: dict[int, Callable[[int], int]] = {entry: functions[name_of(entry)] for entry in entries}
        self.constants = memoryview(bytearray(8 * max(1, len(code.insns)))).cast("Q")  # by instruction; 0: not known
        self.pinned = native.pin(self.constants)


class Jit:
    """Compiles each program of a machine when it is first run."""

    def __init__(self, native: Native) -> None:
        self.memory = NativeMemory(native)
        self.run: NativeRun | None = None  # the one that runs
        self._native = native
        self._units: dict[int, _Unit] = {}
        self._callbacks = [native.callback(each) for each in (self._find, self._assist, self._finish)]
        for place, callback in enumerate(self._callbacks):
            self.memory.words[layout.CALLBACKS + place] = callback.address

    def unit(self, code: Code) -> _Unit | None:
        """Its native code; ``None`` if it has no instructions."""
        found = self._units.get(id(code))
        if found is None and code.insns:
            found = self._units[id(code)] = _Unit(self._native, code)  # holds the code: its id stays its own
        return found

    def begin(self, machine: Machine, packet: Packet | None, socket: Socket | None) -> NativeRun:
        """A run."""
        return NativeRun(machine, packet, socket, self)

    # Exceptions do not find their way through native code.

    def _find(self, state: int, address: int, which: int) -> int:
        run = self.run
        assert run is not None
        try:
            return int(self.memory.reach(address, which))
        except BaseException as error:
            run.error = error
            return 0

    def _assist(self, state: int, index: int, _: int) -> int:
        run = self.run
        assert run is not None
        try:
            return run.assist(index)
        except BaseException as error:
            run.error = error
            return 1 + FAULT

    def _finish(self, state: int, index: int, _: int) -> int:
        run = self.run
        assert run is not None
        if run.error is not None:
            return FAULT
        try:
            return run.finish(index - (1 << 64) if index >> 63 else index)
        except BaseException as error:
            run.error = error
            return FAULT


class NativeFrame(Frame):
    """What the interpreter sees of a function in native code.  ``successor`` is what took its place."""

    __slots__ = ("successor",)

    def __init__(self, run: NativeRun, code: Code, pc: int, registers: list[int | None], rounds: int) -> None:
        self.run, self.code, self.pc, self.registers, self.rounds_left = run, code, pc, registers, rounds
        self.done = self.replaced = False
        self.successor: tuple[Code, int] | None = None


class NativeRun(Run):
    """The functions of one run."""

    def __init__(self, machine: Machine, packet: Packet | None, socket: Socket | None, jit: Jit) -> None:
        super().__init__(machine, packet, socket)
        self.error: BaseException | None = None
        self._jit, self._words, self._native_memory = jit, jit.memory.words, jit.memory
        self._code: Code | None = None  # that native code is of
        self._most = machine.max_steps

    def call(self, code: Code, pc: int, arguments: Sequence[int | None]) -> int | None:
        unit, depth = self._jit.unit(code), len(self.frames)
        if unit is None or pc not in unit.entries or depth >= layout.MAX_FRAMES:
            if depth < layout.MAX_FRAMES:
                self._words[layout.FRAMES + depth] = 0  # a frame of the interpreter's
            return super().call(code, pc, arguments)
        words, outer, outer_run = self._words, (self._code, self._words[layout.CONSTANTS]), self._jit.run
        written = 0
        for number, value in enumerate(arguments, 1):
            if value is not None:
                words[number], written = value & U64, written | 1 << number
        words[layout.WRITTEN], words[layout.LEFT], words[layout.DEPTH] = written, self._most - self.steps, depth
        words[layout.CONSTANTS] = unit.pinned.address
        self._code, self._jit.run = code, self
        try:
            status = unit.entries[pc](self._native_memory.address)
        finally:
            self.steps = self._most - words[layout.LEFT]
            words[layout.DEPTH] = depth
            del self.frames[depth:]
            self._code, words[layout.CONSTANTS] = outer
            self._jit.run = outer_run
        if status == FAULT:
            error, self.error = self.error, None
            if isinstance(error, Thrown) and depth == self.bottom:
                return self.caught(code, error)
            raise error or InternalError(f"native code of {code.name!r} ended for no reason")
        return words[layout.REGISTERS] if status == WRITTEN else None

    def tail_call(self, code: Code, context: int) -> bool:
        frame = self.frames[-1]
        if not isinstance(frame, NativeFrame):
            return super().tail_call(code, context)
        if self.tail_calls == _TAIL_CALLS:
            return False
        self.tail_calls += 1
        frame.successor, frame.replaced = (code, context), True
        return True

    def assist(self, index: int) -> int:
        """Do one instruction for native code: 0 if it is to go on, or how its function ended and 1."""
        frame = self._frame(index)
        self._step(frame)
        if frame.successor is not None or frame.done:
            return 1 + self._ended(frame)
        words, registers = self._words, frame.registers
        insn = frame.code.insns[index]
        if insn.is_wide:
            value = registers[insn.dst]
            assert value is not None and self._code is not None
            unit = self._jit.unit(self._code)
            assert unit is not None
            unit.constants[index] = value
        else:
            words[layout.REGISTERS], words[layout.WRITTEN] = registers[0] or 0, registers[0] is not None
        words[layout.LEFT] = self._most - self.steps
        return 0

    def finish(self, index: int) -> int:
        """Take over from native code at an instruction: how its function ended."""
        frame = self._frame(index)
        while not frame.done and frame.successor is None:
            self._step(frame)
        return self._ended(frame)

    def _ended(self, frame: NativeFrame) -> int:
        result, words = frame.registers[0], self._words
        if frame.successor is not None:
            level = len(self.frames) - 1
            self.frames.pop()
            self._native_memory.remove_stack(level)
            code, context = frame.successor
            outer, self.bottom = self.bottom, level
            try:
                result = self.call(code, 0, [context])
            finally:
                self.bottom = outer
        words[layout.REGISTERS], words[layout.LEFT] = result or 0, self._most - self.steps
        return UNWRITTEN if result is None else WRITTEN

    def _frame(self, index: int) -> NativeFrame:
        """The function that native code is in, before the instruction ``index``; below it, those that called it."""
        words, code = self._words, self._code
        assert code is not None
        written, self.steps = words[layout.WRITTEN], self._most - words[layout.LEFT]
        values = words[:_REGISTERS].tolist()
        registers: list[int | None] = [value if written >> n & 1 else None for n, value in enumerate(values)]
        frame = NativeFrame(self, code, index, registers, words[layout.ROUNDS])
        depth = words[layout.DEPTH]
        del self.frames[depth - 1 :]
        while len(self.frames) < depth:
            self.frames.append(frame)
        return frame
