"""``Queue`` and ``Stack``: values without keys, first in first out or last in first out (Linux 4.20)."""

from __future__ import annotations

from collections.abc import Iterator

from beespace.isa.constants import UpdateFlag
from beespace.kernel.maps.base import Container
from beespace.typed import Any

__all__ = ["Queue", "Stack"]

_NOTHING: Any = object()


class Queue(Container):
    """Values in the order in which they came.

    :meth:`pop` and :meth:`peek` of an empty one raise :class:`IndexError`, as of a list or deque.  A full one is a
    :class:`KernelError` that names its max_entries.
    """

    def push(self, value: Any, *, force: bool = False) -> None:
        """Append a value; ``force`` drops the oldest one if there is no room (``BPF_EXIST``)."""
        self.raw.update(b"", self.value.encode(value), UpdateFlag.EXIST if force else UpdateFlag.ANY)

    def extend(self, values: Any) -> None:
        """Append each of ``values``."""
        for value in values:
            self.push(value)

    def pop(self, default: Any = _NOTHING) -> Any:
        """Take the next value out; ``default``, else :class:`IndexError`, if there is none."""
        return self._value(self.raw.pop(b""), default)

    def peek(self, default: Any = _NOTHING) -> Any:
        """The next value, which stays; ``default``, else :class:`IndexError`, if there is none."""
        return self._value(self.raw.get(b""), default)

    def _value(self, data: bytes | None, default: Any) -> Any:
        if data is not None:
            return self.value.decode(data)
        if default is _NOTHING:
            raise IndexError(f"map {self.name!r} is empty")
        return default

    def drain(self) -> Iterator[Any]:
        """Take values out until there is none."""
        while (data := self.raw.pop(b"")) is not None:
            yield self.value.decode(data)

    def __bool__(self) -> bool:
        """Whether there is a value."""
        return self.raw.get(b"") is not None


class Stack(Queue):
    """Values in the opposite order: the newest comes first.  ``force`` drops the oldest here, too."""
