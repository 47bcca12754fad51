"""In which order C wants types: each after what it holds by value."""

from __future__ import annotations

from collections.abc import Iterable

from beespace.btf.reader import Btf
from beespace.btf.types import (
    Array,
    DataSection,
    DeclTag,
    Enum,
    Forward,
    Function,
    FunctionPrototype,
    Modifier,
    Pointer,
    Struct,
    Typedef,
    Variable,
)
from beespace.errors import FormatError

__all__ = ["Limit", "Order"]

_DEPTH = 128  # deeper than any C compiler's types, and Python's stack holds it


class Limit:
    """How much work a blob may make: damaged ones can hold types that grow without end."""

    def __init__(self, btf: Btf) -> None:
        size = len(btf.data()) + (0 if btf.base is None else len(btf.base.data()))
        self.steps = 50_000 + size  # a kernel takes a twelfth of that
        self.characters = 100_000 + 8 * size  # and a sixteenth

    def step(self, depth: int = 0) -> None:
        """One type looked at, so many levels down."""
        self.steps -= 1
        if self.steps < 0 or depth > _DEPTH:
            raise FormatError("BTF: the types are nested without end, which C cannot express")

    def text(self, length: int) -> None:
        """So many characters were written."""
        self.characters -= length
        if self.characters < 0:
            raise FormatError("BTF: the types would make a text without end")


class Order:
    """In which order types are defined."""

    _DOING, _DONE = 1, 2

    def __init__(self, btf: Btf, limit: Limit) -> None:
        self.btf = btf
        self.limit = limit
        self.state = bytearray(btf.count)
        self.state[0] = self._DONE
        self.referenced = _referenced(btf)
        self.queue: list[int] = []

    def before(self, type_id: int) -> list[int]:
        """The type and what must stand before it, as far as it was not there yet."""
        self.queue = []
        self._visit(type_id, False, 0)
        return self.queue

    def _visit(self, type_id: int, pointed: bool, depth: int) -> bool:
        """Whether the type must be defined first; one that is pointed to and has a name need only be declared."""
        state = self.state[type_id]
        if state == self._DONE:
            return True
        found = self.btf.type(type_id)
        if state == self._DOING:
            if pointed and isinstance(found, Struct) and found.name:
                return False
            raise FormatError(f"BTF: {self.btf.describe(type_id)} [{type_id}] holds itself, which C cannot express")
        self.limit.step(depth)
        depth += 1
        match found:
            case Pointer():
                strong = self._visit(found.type, True, depth)
                self.state[type_id] = self._DONE
                return strong
            case Modifier():
                return self._visit(found.type, pointed, depth)
            case Array():
                return self._visit(found.type, False, depth)
            case Struct():
                return self._struct(type_id, found, pointed, depth)
            case Typedef():
                if not self._visit(found.type, pointed, depth) and pointed:
                    return False
                self.queue.append(type_id)
            case FunctionPrototype():
                strong = self._visit(found.result, pointed, depth)
                for parameter in found.parameters:
                    strong |= self._visit(parameter.type, pointed, depth)
                return strong
            case Enum() | Forward():
                if found.name or not self.referenced[type_id]:
                    self.queue.append(type_id)
            case _:  # known to the compiler, or no type
                self.state[type_id] = self._DONE
                return False
        self.state[type_id] = self._DONE
        return True

    def _struct(self, type_id: int, struct: Struct, pointed: bool, depth: int) -> bool:
        if pointed and struct.name:
            return False
        self.state[type_id] = self._DOING
        for member in struct.members:
            self._visit(member.type, False, depth)
        if struct.name:
            self.queue.append(type_id)
        self.state[type_id] = self._DONE
        return True


def _referenced(btf: Btf) -> bytearray:
    """Which types another one refers to.  Anonymous enumerations stand inside those, others stand alone."""
    marks = bytearray(btf.count)
    for type_id in range(1, btf.count):
        match btf.type(type_id):
            case Pointer() | Typedef() | Modifier() | Function() | Variable() | DeclTag() as inner:
                found: Iterable[int] = (inner.type,)
            case Array() as array:
                found = (array.type, array.index_type)
            case Struct() as struct:
                found = [member.type for member in struct.members]
            case FunctionPrototype() as prototype:
                found = [prototype.result, *(parameter.type for parameter in prototype.parameters)]
            case DataSection() as section:
                found = [variable.type for variable in section.variables]
            case _:
                continue
        for each in found:
            if each >= btf.count:
                raise FormatError(f"BTF: type {type_id} refers to type {each}; ids run to {btf.count - 1}")
            marks[each] = 1
    return marks
