"""When to collect: live, once an interval; from a recording, as fast as it was, or faster."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

__all__ = ["Live", "Pace", "Played", "Playing"]


class Pace(Protocol):
    """When to collect."""

    measures: bool
    """Whether what beespace itself uses belongs to what is shown."""

    def begin(self) -> None:
        """It begins now."""

    def due(self) -> float:
        """When the next collection is due, by ``time.monotonic``."""

    @property
    def last(self) -> bool:
        """Whether the collection that is due now is the last one."""

    @property
    def over(self) -> bool:
        """Whether nothing comes after the collection that was made."""

    def now(self) -> float:
        """Seconds that have passed for what is shown."""

    def stop(self) -> bool:
        """Somebody stops early; whether to collect once more."""


class Live:
    """Once every ``interval`` seconds, for ``duration`` seconds (None: until somebody stops it).

    ``stretch`` says before each interval how many times as long it is to be.
    """

    measures = True

    def __init__(
        self, interval: float = 1.0, duration: float | None = None, stretch: Callable[[], float] = lambda: 1.0
    ) -> None:
        self._interval, self._duration, self._stretch = interval, duration, stretch

    def begin(self) -> None:
        """It begins now."""
        self._due = began = time.monotonic()
        self._end = None if self._duration is None else began + self._duration

    def stop(self) -> bool:
        """What was counted until now is there to be shown."""
        return True

    def due(self) -> float:
        """An interval after the one before, or now, if that took longer."""
        self._due = max(self._due + self._interval * self._stretch(), time.monotonic())
        return min(self._due, self._due if self._end is None else self._end)

    @property
    def last(self) -> bool:
        """Whether the time is over."""
        return self._end is not None and time.monotonic() >= self._end

    @property
    def over(self) -> bool:
        """Something may always come."""
        return False

    def now(self) -> float:
        """The time."""
        return time.monotonic()


class Playing(Protocol):
    """Something that has happened already, and is played: intervals, whose ends are known before they come."""

    @property
    def ends_at(self) -> int | None:
        """When the interval that comes next ended, in ns; None if there is none."""

    @property
    def ended(self) -> bool:
        """Whether nothing is left."""

    def stop(self) -> None:
        """End early."""

    @property
    def began_at(self) -> int:
        """When the first interval began."""

    @property
    def position(self) -> int:
        """When the interval that came last ended; ``began_at`` if there was none."""


class Played:
    """As fast as it was, ``speed`` times faster, or (None) without waiting."""

    measures = False

    def __init__(self, playing: Playing, speed: float | None) -> None:
        self._playing, self._speed = playing, speed

    def begin(self) -> None:
        """It begins now."""
        self._began = time.monotonic()

    def stop(self) -> bool:
        """What was not played is not shown; a source that works for long is told to end."""
        self._playing.stop()
        return False

    def due(self) -> float:
        """When the next interval ends."""
        end = self._playing.ends_at
        if end is None or self._speed is None:
            return self._began
        return self._began + (end - self._playing.began_at) / 1e9 / self._speed

    @property
    def last(self) -> bool:
        """It shows afterwards."""
        return False

    @property
    def over(self) -> bool:
        """Whether all was played."""
        return self._playing.ended

    def now(self) -> float:
        """Seconds into what is played."""
        return (self._playing.position - self._playing.began_at) / 1e9
