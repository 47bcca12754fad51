"""``Union``: fields that share their bytes.

Invariant: a union is its bytes; each field is a reading of them, and assigning to one changes what the others read,
in Python as in the kernel.
"""

from __future__ import annotations

from typing import Any, ClassVar

from beespace.schema.struct import Struct

__all__ = ["Union", "union_bytes"]


class Union(Struct):
    """A C union.  Subclass it and annotate its fields, as for a :class:`Struct`; all start at the first byte.

    It is made of at most one field, ``Address(v4=0x7F000001)``; what that does not cover is zero.  Every field can be
    read at any time.
    """

    __slots__ = ("_bytes",)

    _bytes: bytes
    _union: ClassVar[bool] = True

    def __init__(self, **values: Any) -> None:
        if len(values) > 1:
            raise TypeError(f"{type(self).__name__} is a union, made of one field, not of {' and '.join(values)}")
        self._show(bytes(self.layout.size))
        for name, value in values.items():
            if name not in self._names():
                known = ", ".join(self._names())
                raise TypeError(f"{type(self).__name__} has no field {name!r}; its fields are {known}")
            setattr(self, name, value)

    @classmethod
    def of_bytes(cls, data: bytes) -> Union:
        """The union that holds ``data``."""
        made = cls()
        made._show(data)
        return made

    def __setattr__(self, name: str, value: Any) -> None:
        from beespace.schema.codec import pack  # which reads unions, too

        field = self.layout.field(name)
        self._show(pack(field.kind, value) + self._bytes[field.size :])

    def _names(self) -> list[str]:
        return [field.name for field in self.layout.fields]

    def _show(self, data: bytes) -> None:
        """Hold ``data``, and every reading of it."""
        from beespace.schema.codec import unpack

        vars(self).update({field.name: unpack(field.kind, data[: field.size]) for field in self.layout.fields})
        object.__setattr__(self, "_bytes", data)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Union) and type(other) is type(self) and self._bytes == other._bytes

    def __hash__(self) -> int:
        return hash((type(self), self._bytes))


def union_bytes(union: Union) -> bytes:
    """What ``union`` holds."""
    return union._bytes
