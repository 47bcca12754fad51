"""``Struct`` and ``Event``: a class of sized fields, and its memory layout.

Fields keep their order; each stands at the next multiple of its alignment, and the size is a
multiple of the largest alignment (the System V C rules that the kernel follows), so the same
bytes are a C struct, a NumPy record and a row.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any, ClassVar, dataclass_transform

from beespace.errors import UsageError
from beespace.record import dataclass
from beespace.schema.kinds import (
    KINDS,
    AddressKind,
    ArrayKind,
    BoolKind,
    BytesKind,
    EnumKind,
    IntKind,
    Kind,
    PointerKind,
    ResourceKind,
    TextKind,
    VariableKind,
    as_kind,
    kind_align,
    kind_size,
)


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its name, kind and byte offset."""

    name: str
    kind: Kind
    offset: int

    @property
    def size(self) -> int:
        return kind_size(self.kind)


@dataclass(frozen=True, slots=True)
class Layout:
    """Where each field of ``name`` stands; ``size`` and ``align`` in bytes.  The fields of a union all start at 0."""

    name: str
    fields: tuple[Field, ...]
    size: int
    align: int
    union: bool = False

    def field(self, name: str) -> Field:
        """The field of that name; ``KeyError`` if there is none."""
        for field in self.fields:
            if field.name == name:
                return field
        raise KeyError(name)

    @property
    def variable(self) -> Field | None:
        """The last field, if its length varies from record to record."""
        last = self.fields[-1] if self.fields else None
        return last if last is not None and isinstance(last.kind, VariableKind) else None

    def padding(self) -> Iterator[tuple[int, int]]:
        """The holes, as ``(offset, size)``; they are zeroed wherever a value is built.  A union has none."""
        end = self.size if self.union else 0
        for field in self.fields:
            if field.offset > end:
                yield end, field.offset - end
            end = field.offset + field.size
        if self.size > end:
            yield end, self.size - end


def layout_of(cls: type) -> Layout:
    """Compute the layout of a class of annotated fields; ``TypeError`` names a field that has no size."""
    fields: list[Field] = []
    offset, align = 0, 1
    union: bool = getattr(cls, "_union", False)
    declared = list(_declared(cls))
    for number, (name, kind) in enumerate(declared, 1):
        _check_variable(cls, name, kind, last=number == len(declared))
        field_align = kind_align(kind)
        start = 0 if union else -(-offset // field_align) * field_align
        fields.append(Field(name, kind, start))
        offset = max(offset, start + kind_size(kind))
        align = max(align, field_align)
    return Layout(cls.__name__, tuple(fields), -(-offset // align) * align, align, union)


def _check_variable(cls: type, name: str, kind: Kind, *, last: bool) -> None:
    """Where readers see how long a record is, they see how long its last field is, and no other."""
    if isinstance(kind, VariableKind) and not (last and issubclass(cls, Event)):
        raise TypeError(f"{cls.__name__}.{name} is of variable length, which only the last field of an Event can be")
    if isinstance(kind, type) and kind.layout.variable is not None:
        raise TypeError(f"{cls.__name__}.{name} is a {kind.__name__}, whose length varies; it goes into rings alone")


def _declared(cls: type) -> Iterator[tuple[str, Kind]]:
    """The fields of ``cls`` and its bases, base first, each with its kind."""
    for base in reversed(cls.__mro__):
        scope = vars(sys.modules.get(base.__module__, sys))
        for name, annotation in getattr(base, "__annotations__", {}).items():
            if name.startswith("_") or name == "layout" or "ClassVar" in str(annotation):
                continue
            value = base.__dict__.get(name)
            if isinstance(value, KINDS):
                yield name, value
                continue
            found = annotation
            if isinstance(annotation, str):  # which may name the class itself
                found = eval(annotation, scope, {base.__name__: base, **vars(base)})
            kind = as_kind(found)
            if kind is None or (isinstance(kind, (TextKind, BytesKind)) and not kind.size):
                raise TypeError(
                    f"{cls.__name__}.{name} has no size: annotate it with a type from beespace.types, "
                    f"and give texts theirs as in `{name}: Text = text(16)`"
                )
            yield name, kind


def zero(kind: Kind) -> Any:
    """What a value of ``kind`` is when all its bytes are zero."""
    if isinstance(kind, type):
        return kind()
    if isinstance(kind, EnumKind):
        return member(kind, 0)
    if isinstance(kind, IntKind):
        return 0
    if isinstance(kind, BoolKind):
        return False
    if isinstance(kind, BytesKind):
        return bytes(kind.size)
    if isinstance(kind, ArrayKind):
        return [zero(kind.element) for _ in range(kind.length)]
    if isinstance(kind, (ResourceKind, PointerKind)):
        return None
    if isinstance(kind, VariableKind):
        return b"" if isinstance(kind.of, BytesKind) else ""
    return "::" if isinstance(kind, AddressKind) else ""


def member(kind: EnumKind, number: int) -> Any:
    """The member of that number; the number itself if the enumeration has none."""
    try:
        return kind.enum(number)
    except ValueError:
        return number


def _field_specifier() -> Any:  # type checkers treat text(16) and friends as required fields
    raise AssertionError("only a marker for dataclass_transform")


class Struct:
    """A plain C struct.  Subclass it, annotate fields with names from :mod:`beespace.types`.

    ``layout`` holds the memory layout.  Instances are what user space reads: keyword
    construction, equality and ``repr``; missing fields are zero.
    """

    layout: ClassVar[Layout]
    _union: ClassVar[bool] = False

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.layout = layout_of(cls)

    def __init__(self, **values: Any) -> None:
        names = [field.name for field in self.layout.fields]
        for name in values:
            if name not in names:
                raise TypeError(f"{type(self).__name__} has no field {name!r}; its fields are {', '.join(names)}")
        for field in self.layout.fields:
            setattr(self, field.name, values.get(field.name, zero(field.kind)))

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash((type(self), *(getattr(self, field.name) for field in self.layout.fields)))

    def __repr__(self) -> str:
        fields = ", ".join(f"{field.name}={getattr(self, field.name)!r}" for field in self.layout.fields)
        return f"{type(self).__name__}({fields})"


@dataclass_transform(kw_only_default=True, field_specifiers=(_field_specifier,))
class Event(Struct):
    """A struct that the kernel sends to user space, one row of a table.

    Type checkers ask for every field when one is made: a row with a field forgotten is a mistake.
    """

    def discard(self) -> None:
        """Kernel only, of a record that a ring's ``reserve()`` gave: do not send it when its ``with`` ends."""
        raise UsageError("discard() is of the kernel side", help="use it inside a method with a hook decorator")
