"""``Global``: a variable of both sides."""

from __future__ import annotations

from typing import Any, Generic, TypeVar, overload

from beespace.lang.maps.declaration import Map, checked_kind, plain
from beespace.schema import IntKind
from beespace.schema.codec import pack, unpack

__all__ = ["Global"]

V = TypeVar("V")


class Global(Map, Generic[V]):
    """A variable that both sides read and write, as ``.value``.  Linux 5.2."""

    map_type = 2

    @overload
    def __init__(self, kind: type[V], initial: V = ...) -> None: ...
    @overload
    def __init__(self, kind: V, initial: V = ...) -> None: ...
    def __init__(self, kind: Any, initial: Any = 0) -> None:
        super().__init__(IntKind("u32", 32), checked_kind(kind, "kind"), 1)
        self.initial = initial

    @property
    def value(self) -> V:
        """The value now."""
        assert self.value_kind is not None
        return unpack(self.value_kind, self.backend.get(bytes(4)))  # type: ignore[no-any-return]

    @value.setter
    def value(self, value: V) -> None:
        assert self.value_kind is not None
        self.backend.update(bytes(4), pack(self.value_kind, value))

    def plain(self) -> Any:
        return plain(self.value)
