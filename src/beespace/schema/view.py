"""``View``: a struct of the author's, read and written where it stands in memory that programs share.

Invariant: nothing is copied but the numbers and texts that are asked for; assigning to a field is seen by programs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from beespace.errors import UsageError
from beespace.record import dataclass
from beespace.schema.codec import pack, unpack
from beespace.schema.kinds import ArrayKind, Kind, PointerKind, kind_size
from beespace.schema.struct import Struct

__all__ = ["Shared", "View", "ViewArray", "address_of", "copy_of", "view_plain"]

_LISTED = 64  # elements of an array that is listed whole
_SHOWN = 8  # elements of an array that repr() shows


@dataclass(frozen=True, slots=True)
class Shared:
    """Memory at ``address`` in this process; ``offset`` says where in it a pointer of a program leads."""

    memory: memoryview
    address: int
    offset: Callable[[int], int]


class View:
    """A struct in shared memory, which has the struct's fields and no names of its own.

    A field that is a struct is a view, a pointer is a view of what it points to, or None; a pointer is assigned a view
    of the same memory, or None.  Two views are equal if they are of the same struct at the same place.
    """

    __slots__ = ("_at", "_shared", "_struct")

    _struct: type[Struct]
    _shared: Shared
    _at: int

    def __init__(self, struct: type[Struct], shared: Shared, at: int) -> None:
        for name, value in (("_struct", struct), ("_shared", shared), ("_at", at)):
            object.__setattr__(self, name, value)

    def __getattr__(self, name: str) -> Any:
        field = _field(self._struct, name)
        return _read(field.kind, self._shared, self._at + field.offset)

    def __setattr__(self, name: str, value: Any) -> None:
        field = _field(self._struct, name)
        _write(field.kind, self._shared, self._at + field.offset, value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, View) and other._struct is self._struct and address_of(other) == address_of(self)

    def __hash__(self) -> int:
        return hash((self._struct, address_of(self)))

    def __repr__(self) -> str:
        return f"<{self._struct.__name__} at {address_of(self):#x}>"


def address_of(view: View) -> int:
    """Where the struct stands, in this process and in pointers of programs."""
    return view._shared.address + view._at


def copy_of(view: View) -> Any:
    """The struct as it is now, with pointers as addresses."""
    return unpack(view._struct, view._shared.memory[view._at : view._at + kind_size(view._struct)])


class ViewArray:
    """An array in shared memory."""

    __slots__ = ("_at", "_kind", "_shared")

    def __init__(self, kind: ArrayKind, shared: Shared, at: int) -> None:
        self._kind, self._shared, self._at = kind, shared, at

    def __len__(self) -> int:
        return self._kind.length

    def _place(self, index: int) -> int:
        if not -len(self) <= index < len(self):
            raise IndexError(f"element {index} of an array of {len(self)}")
        return self._at + index % len(self) * kind_size(self._kind.element)

    def __getitem__(self, index: int) -> Any:
        return _read(self._kind.element, self._shared, self._place(index))

    def __setitem__(self, index: int, value: Any) -> None:
        _write(self._kind.element, self._shared, self._place(index), value)

    def __iter__(self) -> Iterator[Any]:
        return (self[index] for index in range(len(self)))

    def __repr__(self) -> str:
        more = ", ..." if len(self) > _SHOWN else ""
        return f"[{', '.join(repr(self[index]) for index in range(min(len(self), _SHOWN)))}{more}]"


def _field(struct: type[Struct], name: str) -> Any:
    try:
        return struct.layout.field(name)
    except KeyError:
        known = ", ".join(field.name for field in struct.layout.fields)
        raise AttributeError(f"{struct.__name__} has no field {name!r}; its fields are {known}") from None


def _read(kind: Kind, shared: Shared, at: int) -> Any:
    if isinstance(kind, type):
        return View(kind, shared, at)
    if isinstance(kind, ArrayKind):
        return ViewArray(kind, shared, at)
    found = unpack(kind, shared.memory[at : at + kind_size(kind)])
    if isinstance(kind, PointerKind):
        return None if found is None else View(kind.struct, shared, shared.offset(found))
    return found


def _write(kind: Kind, shared: Shared, at: int, value: Any) -> None:
    if isinstance(kind, type) and isinstance(value, View):
        value = copy_of(value)
    if isinstance(kind, PointerKind) and isinstance(value, View):
        if value._struct is not kind.struct:
            raise UsageError(f"{value!r} is no {kind.name} of the arena")
        value = address_of(value)
    shared.memory[at : at + kind_size(kind)] = pack(kind, value)


def view_plain(value: Any) -> Any:
    """What a view holds, as JSON has it; pointers as addresses, long arrays as their elements that are not zero."""
    if isinstance(value, View):
        return {field.name: _part(field.kind, getattr(value, field.name)) for field in value._struct.layout.fields}
    if isinstance(value, ViewArray):
        kind = value._kind.element
        if len(value) <= _LISTED:
            return [_part(kind, each) for each in value]
        size = kind_size(kind)
        data = bytes(value._shared.memory[value._at : value._at + size * len(value)])
        zero = bytes(size)
        there = (index for index in range(len(value)) if data[index * size : (index + 1) * size] != zero)
        return {index: _part(kind, value[index]) for index in there}
    return value.hex() if isinstance(value, bytes) else value


def _part(kind: Kind, value: Any) -> Any:
    return address_of(value) if isinstance(kind, PointerKind) and value is not None else view_plain(value)
