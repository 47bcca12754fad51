"""A debugger for the kernel side: it stops simulated programs at their lines, and takes the commands of :mod:`pdb`.

Programs that are simulated for it have marks (:mod:`beespace.compiler.marks`): before each line they say what their
variables are.  Only the interpreter hears them.
"""

from __future__ import annotations

import json
import linecache
import sys
from bdb import BdbQuit
from collections.abc import Callable, Mapping
from itertools import chain
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING, TextIO

from beespace.compiler.marks import MARK, SIZE_SHIFT, VARIABLE, Held, file_number, names
from beespace.record import dataclass, field
from beespace.vm.arithmetic import signed

if TYPE_CHECKING:
    from beespace.lang import Program
    from beespace.vm import Machine
    from beespace.vm.run import Run

__all__ = ["Debugger"]

_PROMPT = "(beespace) "
_AROUND = 5  # lines that `l` shows before and behind
_HELP = """\
b [[FILE:]LINE]  stop there; without a line: where it stops    cl [[FILE:]LINE]  do not any more; or nowhere
s  to the next line          n  to the next line of this function or its caller      c  on, to where it stops
p [NAME]  a variable, or all         w  the calls that led here       l  the source around
regs  the registers of the machine       maps  what the maps hold, but rings       q  give up
"""


@dataclass(slots=True)
class _Call:
    """A function that runs."""

    file: int
    code: CodeType | None
    first: int
    depth: int
    line: int = 0
    variables: Mapping[str, str] = field(default_factory=dict)


class Debugger:
    """Give it to ``simulate(debug=...)``; it stops at the first line that runs.

    Commands are lines of ``source``, by default of standard input; at its end the program goes on.  ``q`` raises
    :class:`bdb.BdbQuit` in whoever runs the program.
    """

    def __init__(self, source: TextIO | None = None, target: TextIO | None = None) -> None:
        self._source, self._target = source, target
        self._probe: Program | None = None
        self._machine: Machine | None = None
        self._codes: dict[tuple[int, int], CodeType] = {}
        self._paths: dict[int, str] = {}
        self._stops: set[tuple[int, int]] = set()  # file, line
        self._calls: list[_Call] = []
        self._pending: dict[str, str] = {}
        self._run: Run | None = None
        self._deepest: int | None = sys.maxsize  # stop where no more functions than these run; None: nowhere
        self._commands: Mapping[str, Callable[[str], bool]] = {
            "b": self._break, "cl": self._clear, "s": self._step, "n": self._next, "c": self._continue,
            "p": self._print, "w": self._where, "l": self._list, "regs": self._registers, "maps": self._maps,
            "q": self._quit, "h": self._help,
        }  # fmt: skip

    def listen(self, program: Program, machine: Machine) -> None:
        """Hear the marks of a program in its machine."""
        self._probe, self._machine = program, machine
        for each in program.declaration().functions.values():
            code = each.__code__
            number = file_number(code.co_filename)
            self._paths[number] = code.co_filename
            self._codes[number, code.co_firstlineno] = code

        def mark(run: Run, file: int, first: int, line: int) -> int:
            self._mark(run, file, first, line)
            return 0

        def variable(run: Run, file: int, first: int, number: int, how: int, value: int) -> int:
            self._variable(run, (file, first), number, how, value)
            return 0

        machine.helpers = {**machine.helpers, MARK: mark, VARIABLE: variable}

    # -- what the program says -----------------------------------------------------------------------------------------

    def _mark(self, run: Run, file: int, first: int, line: int) -> None:
        if run is not self._run:
            self._run, self._calls = run, []
        depth = len(run.frames)
        while self._calls and self._calls[-1].depth > depth:
            self._calls.pop()
        if line == 0:
            self._calls.append(_Call(file, self._code(file, first), first, depth))
            return
        while len(self._calls) > 1 and (self._calls[-1].file, self._calls[-1].first) != (file, first):
            self._calls.pop()  # a function that LLVM has put in line, and that has ended
        call = self._calls[-1]
        call.line, call.variables, self._pending = line, self._pending, {}
        wanted = self._deepest is not None and len(self._calls) <= self._deepest
        if wanted or (file, line) in self._stops:
            self._ask()

    def _variable(self, run: Run, function: tuple[int, int], number: int, how: int, value: int) -> None:
        code = self._code(*function)
        name = names(code)[number] if code is not None else f"variable {number}"
        self._pending[name] = _shown(run, Held(how & (1 << SIZE_SHIFT) - 1), how >> SIZE_SHIFT, value)

    def _code(self, file: int, first: int) -> CodeType | None:
        if (file, first) not in self._codes:  # a function of a module
            for module in list(sys.modules.values()):
                path = getattr(module, "__file__", None)
                if path is None or file_number(path) != file:
                    continue
                self._paths[file] = path
                for each in vars(module).values():
                    code = getattr(each, "__code__", None)
                    if isinstance(code, CodeType) and code.co_filename == path:
                        self._codes[file, code.co_firstlineno] = code
        return self._codes.get((file, first))

    # -- commands: whether the program goes on ---------------------------------------------------------------------

    def _ask(self) -> None:
        self._say(self._place(self._calls[-1]))
        while True:
            self._say(_PROMPT, end="")
            line = (self._source or sys.stdin).readline()
            if not line:
                self._deepest, self._stops = None, set()
                return
            word, _, rest = line.strip().partition(" ")
            command = self._commands.get(word)
            if not word:
                continue
            if command is None:
                self._say(f"there is no command {word!r}; h says which there are")
            elif command(rest.strip()):
                return

    def _say(self, text: str, end: str = "\n") -> None:
        print(text, end=end, file=self._target or sys.stdout, flush=True)

    def _place(self, call: _Call) -> str:
        path = self._paths.get(call.file, "?")
        name = call.code.co_name if call.code is not None else "?"
        return f"> {path}({call.line}){name}()\n-> {linecache.getline(path, call.line).strip()}"

    def _spot(self, text: str) -> tuple[int, int] | None:
        """``LINE`` of the file where it stands, or ``FILE:LINE``."""
        name, _, line = text.rpartition(":")
        files = [number for number, path in self._paths.items() if not name or path == name or Path(path).name == name]
        if not name:
            files = [self._calls[-1].file]
        if not line.isdecimal() or not files:
            self._say(f"{text!r} is no line" if files else f"no program is from {name}")
            return None
        return files[0], int(line)

    def _break(self, text: str) -> bool:
        if not text:
            for file, line in sorted(self._stops):
                self._say(f"{self._paths[file]}:{line}")
            return False
        spot = self._spot(text)
        if spot is not None and spot[1] not in self._lines(spot[0]):
            self._say(f"nothing of the kernel side begins at line {spot[1]}")
        elif spot is not None:
            self._stops.add(spot)
        return False

    def _lines(self, file: int) -> set[int]:
        codes = (code for (number, _), code in self._codes.items() if number == file)
        return set(chain.from_iterable((line for _, _, line in code.co_lines() if line) for code in codes))

    def _clear(self, text: str) -> bool:
        spot = self._spot(text) if text else None
        if not text:
            self._stops.clear()
        elif spot is not None:
            self._stops.discard(spot)
        return False

    def _step(self, text: str) -> bool:
        self._deepest = sys.maxsize
        return True

    def _next(self, text: str) -> bool:
        self._deepest = len(self._calls)
        return True

    def _continue(self, text: str) -> bool:
        self._deepest = None
        return True

    def _print(self, text: str) -> bool:
        variables = self._calls[-1].variables
        if text and text not in variables:
            self._say(f"there is no variable {text!r} here; there are {', '.join(variables) or 'none'}")
        for name, value in variables.items():
            if text in ("", name):
                self._say(value if text else f"{name} = {value}")
        return False

    def _where(self, text: str) -> bool:
        for call in self._calls:
            self._say(self._place(call))
        return False

    def _list(self, text: str) -> bool:
        call = self._calls[-1]
        for number in range(max(1, call.line - _AROUND), call.line + _AROUND + 1):
            line = linecache.getline(self._paths.get(call.file, "?"), number)
            if line:
                self._say(f"{number:4}{'B' if (call.file, number) in self._stops else ' '}"
                          f"{'->' if number == call.line else '  '} {line.rstrip()}")  # fmt: skip
        return False

    def _registers(self, text: str) -> bool:
        assert self._run is not None
        for number, value in enumerate(self._run.frames[-1].registers):
            if value is not None:
                self._say(f"r{number} = {value:#x}")
        return False

    def _maps(self, text: str) -> bool:
        from beespace.testing.snapshots import contents

        assert self._probe is not None
        for name, held in contents(self._probe).items():
            self._say(f"{name}: {json.dumps(held, default=str)}")
        return False

    def _quit(self, text: str) -> bool:
        self._deepest, self._stops = None, set()
        raise BdbQuit

    def _help(self, text: str) -> bool:
        self._say(_HELP, end="")
        return False


def _shown(run: Run, held: Held, size: int, value: int) -> str:
    """A variable as Python would write it."""
    if held is Held.NONE or (held >= Held.TEXT and not value):
        return "None"
    if held is Held.BOOL:
        return str(bool(value))
    if held is Held.POINTER:
        return f"<at {value:#x}>" if value else "None"
    if held in (Held.UNSIGNED, Held.SIGNED):
        return str(signed(value, 64) if held is Held.SIGNED else value)
    data = run.memory.read(value, size)
    if held is Held.TEXT:
        return repr(data.partition(b"\0")[0].decode("utf-8", "backslashreplace"))
    if held is Held.BYTES:
        return repr(data)
    return str(int.from_bytes(data, "little", signed=held is Held.SIGNED_AT))
