"""A recording, played: the batches of each interval as they came."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from beespace.sinks.recording import Interval, Recording
from beespace.stream import Batch

__all__ = ["Replay"]

_NONE: Mapping[str, int] = MappingProxyType({})


class Replay:
    """Gives for each :meth:`collect` what :class:`~beespace.session.watch.Watch` gave when it was recorded."""

    def __init__(self, recording: Recording) -> None:
        self._intervals = recording.intervals()
        self._next: Interval | None = next(self._intervals, None)
        first = self._next
        self.began_at = recording.manifest.started if first is None else first.time - int(first.seconds * 1e9)
        self.position = self.began_at
        self.unattributed_packets: Mapping[str, int] = _NONE

    @property
    def ends_at(self) -> int | None:
        """When the interval that comes next ended, in ns since 1970; None if there is none."""
        return None if self._next is None else self._next.time

    @property
    def ended(self) -> bool:
        """Whether all was collected."""
        return self._next is None

    def stop(self) -> None:
        """There is nothing to interrupt."""

    def collect(self) -> list[Batch]:
        """The batches of the next interval."""
        interval = self._next
        if interval is None:
            return []
        self._next = next(self._intervals, None)
        batches = self.play(interval)
        self.position = interval.time
        return batches

    def play(self, interval: Interval) -> list[Batch]:
        """The batches of an interval; what of it has no owner is in ``unattributed_packets``."""
        self.unattributed_packets = interval.unattributed
        return list(interval.batches)
