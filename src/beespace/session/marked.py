"""Which lines of the kernel side ran in simulated programs: what coverage of tests is made of.

While somebody measures (:func:`measure`), programs have marks (:mod:`beespace.compiler.marks`), by which they tell each
line that they run.  A function's lines in their order are what Python's own trace would see of it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from beespace.compiler.marks import MARK, file_number
from beespace.record import dataclass, field

if TYPE_CHECKING:
    from beespace.vm import Machine
    from beespace.vm.run import Run

__all__ = ["Measured", "measure", "measuring"]


@dataclass(slots=True)
class Measured:
    """``lines`` and ``arcs`` by the path of the file, as coverage.py has them.

    An arc leads from one line to the next; a function's begin is minus its first line, and so is its end.
    """

    lines: dict[str, set[int]] = field(default_factory=dict)
    arcs: dict[str, set[tuple[int, int]]] = field(default_factory=dict)
    _open: dict[tuple[int, int], int] = field(default_factory=dict)  # of each function that runs: its latest line
    _paths: dict[int, str] = field(default_factory=dict)

    def listen(self, machine: Machine) -> None:
        """Hear the marks of programs in a machine."""

        def mark(run: Run, file: int, first: int, line: int) -> int:
            self._heard(file, first, line)
            return 0

        machine.helpers = {**machine.helpers, MARK: mark}

    def ended(self, *, fault: bool = False) -> None:
        """A run is over: the functions that were left without another mark end at their latest line."""
        if not fault:
            for file, first in list(self._open):
                self._close(file, first)
        self._open.clear()

    def _heard(self, file: int, first: int, line: int) -> None:
        if line == 0:
            self._close(file, first)  # a call before this one
            self._open[file, first] = -first
            return
        before = self._open.get((file, first))
        path = self._path(file)
        if path is None or before is None or before == line:
            return
        self.lines.setdefault(path, set()).add(line)
        self.arcs.setdefault(path, set()).add((before, line))
        self._open[file, first] = line

    def _close(self, file: int, first: int) -> None:
        before, path = self._open.pop((file, first), None), self._path(file)
        if before is not None and before > 0 and path is not None:
            self.arcs.setdefault(path, set()).add((before, -first))

    def _path(self, number: int) -> str | None:
        """The file of that number, one of those that were imported."""
        if number not in self._paths:
            files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
            self._paths |= {file_number(file): file for file in files if file}
        return self._paths.get(number)

    def known(self, path: str) -> None:
        """A file that need not be a module's."""
        self._paths[file_number(path)] = path


_measured: Measured | None = None


def measure(into: Measured | None) -> None:
    """Measure from now on what is simulated; None: no more."""
    global _measured
    _measured = into


def measuring() -> Measured | None:
    """Who measures, if anybody does."""
    return _measured
