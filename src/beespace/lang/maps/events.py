"""``Events``: what every map of events has outside."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, Generic, Protocol, TypeVar

from beespace.lang.maps.declaration import Map
from beespace.schema import Event
from beespace.schema.codec import unpack

__all__ = ["Events", "RawRing"]

E = TypeVar("E", bound=Event)


class RawRing(Protocol):
    """The live ring behind a :class:`Ring`."""

    def fileno(self) -> int: ...

    def records(self, timeout: float | None) -> Iterator[bytes]:
        """Records until none came for ``timeout`` seconds (None: for ever)."""

    def batches(self, timeout: float | None) -> Iterator[Any]:
        """The same as Arrow batches."""

    def lost(self) -> int: ...


class Events(Map, Generic[E]):
    """Events on their way to user space.  ``lost`` counts what did not fit."""

    event: type[E]

    @property
    def lost(self) -> int:
        """Events that found the ring full."""
        return int(self.backend.lost())

    def fileno(self) -> int:
        """A descriptor that becomes readable when events are there."""
        return int(self.backend.fileno())

    def __iter__(self) -> Iterator[E]:
        return self.events(None)

    def events(self, timeout: float | None = None) -> Iterator[E]:
        """Events, until none came for ``timeout`` seconds (None: for ever)."""
        for record in self.backend.records(timeout):
            yield unpack(self.event, record)

    def available(self) -> Iterator[E]:
        """The events that are there now; does not wait."""
        return self.events(0)

    async def __aiter__(self) -> AsyncIterator[E]:
        async for record in self.backend.async_records():
            yield unpack(self.event, record)

    def batches(self, timeout: float | None = None) -> Iterator[Any]:
        """The same events as Arrow batches (:class:`beespace.stream.Batch`)."""
        yield from self.backend.batches(timeout)
