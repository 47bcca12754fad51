"""What became of each CO-RE record."""

from __future__ import annotations

from beespace.isa.constants import CoreRelocKind
from beespace.record import dataclass
from beespace.spec import FunctionSpec, LineInfo

__all__ = ["POISON", "Relocation", "Report", "source_of"]

POISON = 0xBAD2310  # "bad relo": the helper number that libbpf puts where a relocation could not be met


@dataclass(frozen=True, slots=True)
class Relocation:
    """One record, met or not.

    ``what`` names what was asked for (``field tgid of struct task_struct``); ``value`` is what was written,
    ``None`` if the instruction was poisoned, and then ``reason`` says why.  A poisoned instruction matters
    only if the program can reach it; the verifier decides that.
    """

    function: str
    index: int
    kind: CoreRelocKind
    what: str
    local: int
    value: int | None
    reason: str = ""
    source: str = ""

    def __str__(self) -> str:
        return f"{self.what} ({self.reason})" if self.reason else self.what


@dataclass(frozen=True, slots=True)
class Report:
    """Every relocation of an object, in the order of functions and instructions."""

    relocations: tuple[Relocation, ...] = ()

    @property
    def missing(self) -> tuple[Relocation, ...]:
        """Those that could not be met."""
        return tuple(r for r in self.relocations if r.value is None)

    def poisoned(self, function: str, index: int) -> Relocation | None:
        """The record whose instruction in ``function`` was poisoned, if that is so at ``index``."""
        return next((r for r in self.missing if r.function == function and r.index == index), None)


def source_of(function: FunctionSpec, index: int) -> str:
    """``file:line: text`` of an instruction, ``""`` if the object does not tell."""
    best: LineInfo | None = None
    for line in function.lines:
        if line.index <= index and (best is None or line.index >= best.index):
            best = line
    return f"{best.file}:{best.line}: {best.text.strip()}" if best else ""
