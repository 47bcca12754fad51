"""``Queue`` and ``Stack``: values without keys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Generic, TypeVar, overload

from beespace.lang.maps.declaration import Map, checked_kind, entries
from beespace.schema.codec import pack, unpack

__all__ = ["Queue", "Stack"]

V = TypeVar("V")
_EXIST = 2  # BPF_EXIST: drop the oldest if there is no room


class Queue(Map, Generic[V]):
    """Values in the order in which they came: first in, first out.  Linux 4.20."""

    map_type = 22  # BPF_MAP_TYPE_QUEUE

    @overload
    def __init__(self, value: type[V], max_entries: int = ...) -> None: ...
    @overload
    def __init__(self, value: V, max_entries: int = ...) -> None: ...
    def __init__(self, value: Any, max_entries: int = 1024) -> None:
        super().__init__(None, checked_kind(value, "value"), entries(max_entries))

    def push(self, value: V, *, force: bool = False) -> bool:
        """Append a value; whether there was room.  ``force`` drops the oldest one to make some."""
        assert self.value_kind is not None
        return bool(self.backend.put(b"", pack(self.value_kind, value), _EXIST if force else 0))

    def pop(self) -> V | None:
        """Take the next value out; None if there is none."""
        return self._value(self.backend.pop(b""))

    def peek(self) -> V | None:
        """The next value, which stays; None if there is none.  In the kernel a copy."""
        return self._value(self.backend.get(b""))

    def drain(self) -> Iterator[V]:
        """Take values out until there is none."""
        while (value := self.pop()) is not None:
            yield value

    @property
    def lost(self) -> int:
        """Values of the kernel side that found no room."""
        return int(self.backend.lost())

    def _value(self, data: bytes | None) -> V | None:
        assert self.value_kind is not None
        return None if data is None else unpack(self.value_kind, data)

    def plain(self) -> Any:
        return None  # to list the values is to take them out


class Stack(Queue[V]):
    """Values in the opposite order: last in, first out.  Linux 4.20."""

    map_type = 23  # BPF_MAP_TYPE_STACK
