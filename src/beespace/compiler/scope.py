"""What a function has for itself: locals, and slots of memory.

Invariant: a name of the author's has one storage for the whole function, fixed by its first
assignment; slots of temporaries are shared between statements, never within one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator

from beespace.compiler import ir
from beespace.compiler.types import Type
from beespace.record import dataclass, field, replace
from beespace.schema import Kind

__all__ = ["Scope", "Variable"]


@dataclass(frozen=True, slots=True)
class Variable:
    """A local of the author's.

    ``type`` is what it was first assigned (never Optional).  A register holds it (``code_type``; ``None``
    while only None was assigned) unless ``slot`` does.  ``box``: what may be None; the register holds
    the address of the slot, which has a value of that kind, or null.
    """

    name: str
    code_name: str
    type: Type
    code_type: ir.Type | None
    slot: str | None = None
    box: Kind | None = None
    parameter: bool = False


@dataclass(slots=True)
class _Saved:
    variables: dict[str, Variable]
    slots: dict[str, ir.Slot]
    free: list[str]
    used: list[str]
    counter: int


@dataclass(slots=True)
class Scope:
    """Locals and slots of one function."""

    variables: dict[str, Variable] = field(default_factory=dict)
    slots: dict[str, ir.Slot] = field(default_factory=dict)
    _free: list[str] = field(default_factory=list)
    _used: list[str] = field(default_factory=list)
    _counter: int = 0
    retired: set[str] = field(default_factory=set)  # names that stand for something else now
    settled: set[str] = field(default_factory=set)  # code names whose type was not known at first

    def fresh(self, word: str = "t") -> str:
        """A name that no local of the author's can have."""
        self._counter += 1
        return f"{word}.{self._counter}"

    def slot(self, size: int) -> ir.StackSlot:
        """Memory until the end of the statement, see :meth:`release`."""
        for name in self._free:
            if self.slots[name].size == size:
                self._free.remove(name)
                self._used.append(name)
                return ir.StackSlot(name)
        name = self.fresh("m")
        self.slots[name] = ir.Slot(name, size)
        self._used.append(name)
        return ir.StackSlot(name)

    def passing_slot(self) -> ir.StackSlot:
        """A word that a value passes through: stored and loaded at once, the same for the whole function."""
        self.slots[ir.PASSING] = ir.Slot(ir.PASSING, 8)
        return ir.StackSlot(ir.PASSING)

    def own_slot(self, name: str, size: int) -> ir.StackSlot:
        """Memory for the whole function."""
        unique = self.fresh(name)
        self.slots[unique] = ir.Slot(unique, size)
        return ir.StackSlot(unique)

    def fixed_slot(self, name: str, size: int) -> ir.StackSlot:
        """Memory for the whole function that never leaves the stack."""
        unique = self.fresh(name)
        self.slots[unique] = ir.Slot(unique, size, fixed=True)
        return ir.StackSlot(unique)

    def release(self, *, keep: bool = False) -> None:
        """The statement is over; ``keep``: a local may still refer to its temporaries."""
        if not keep:
            self._free.extend(self._used)
        self._used.clear()

    @contextlib.contextmanager
    def apart(self) -> Iterator[None]:
        """Temporaries of what is compiled inside are used nowhere else: it becomes a function of its own."""
        before, self._free = self._free, []
        try:
            yield
        finally:
            self._free = before

    def add(self, variable: Variable) -> Variable:
        self.variables[variable.name] = variable
        return variable

    def retire(self, name: str) -> None:
        """What had this name is gone: the next thing of that name has storage of its own."""
        variable = self.variables.pop(name, None)
        if variable is not None:
            self.variables[self.fresh(name)] = variable
            self.retired.add(name)

    def settle(self, name: str, code_type: ir.Type, type: Type) -> Variable:
        """Give storage to a local that had been None only."""
        self.variables[name] = replace(self.variables[name], code_type=code_type, type=type)
        self.settled.add(self.variables[name].code_name)
        return self.variables[name]

    def save(self) -> _Saved:
        return _Saved(dict(self.variables), dict(self.slots), list(self._free), list(self._used), self._counter)

    def restore(self, saved: _Saved) -> None:
        """Back to what :meth:`save` gave; what a local of Nones points into has been learnt and is kept."""
        learnt = {name: variable for name, variable in self.variables.items() if variable.code_name in self.settled}
        known = {name: learnt.get(name, variable) for name, variable in saved.variables.items()}
        self.variables, self.slots = known, dict(saved.slots)
        self._free, self._used, self._counter = list(saved.free), list(saved.used), saved.counter

    def declarations(self) -> Iterable[ir.Statement]:
        """Registers for the author's locals, for the top of the function."""
        for variable in self.variables.values():
            if not variable.parameter and (variable.slot is None or variable.box is not None):
                yield ir.Declare(variable.code_name, variable.code_type or ir.PointerType(ir.Region.MAP_VALUE))
