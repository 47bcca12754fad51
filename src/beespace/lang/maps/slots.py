"""Maps whose values are things of the kernel: programs, cgroups, network interfaces, sockets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from beespace.lang.maps.declaration import Map, entries
from beespace.schema import IntKind

__all__ = ["Slots"]


class Slots(Map):
    """Places that user space fills and empties.

    What goes in is the thing itself, or whatever has ``fileno()``; what comes out, if the kernel tells, is an id.  The
    container of :mod:`beespace.kernel.maps` for this type of map does the work.
    """

    def __init__(self, length: int) -> None:
        super().__init__(IntKind("u32", 32), IntKind("u32", 32), entries(length))

    def __setitem__(self, key: Any, value: Any) -> None:
        self.backend.container[key] = value

    def __delitem__(self, key: Any) -> None:
        del self.backend.container[key]

    def __getitem__(self, key: Any) -> Any:
        """What is in a place; :class:`KeyError` if it is empty."""
        return self.backend.container[key]

    def __contains__(self, key: object) -> bool:
        return key in self.backend.container

    def __iter__(self) -> Iterator[Any]:
        return iter(self.backend.container)

    def __len__(self) -> int:
        """How many places there are."""
        return self.max_entries

    def items(self) -> Iterator[tuple[Any, Any]]:
        """The places that are filled, and with what."""
        for key in self.backend.container:
            yield key, self.backend.container[key]

    def plain(self) -> Any:
        return [[key, list(value) if isinstance(value, tuple) else value] for key, value in self.items()]
