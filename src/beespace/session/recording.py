"""``Recorder``: what a running :class:`~beespace.session.watch.Watch` sees, into a file."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from beespace.session.watch import Watch
from beespace.sinks.recording import Manifest, RecordingSink

__all__ = ["Recorder"]


class Recorder:
    """A context manager; ``sink`` gets every batch, :meth:`collected` is called when an interval is over.

    ``facts`` are the tables of facts that are kept (None: all); dimensions are always kept.
    """

    def __init__(self, path: Path, watch: Watch, *, interval: float, facts: frozenset[str] | None = None) -> None:
        from beespace import __version__
        from beespace.stream.tables import TABLES

        system = os.uname()
        now = time.time_ns()
        manifest = Manifest(
            beespace=__version__,
            node=watch.node,
            kernel=system.release,
            machine=system.machine,
            started=now,
            ended=now,
            booted=watch.booted,
            monotonic=max(0, time.clock_gettime_ns(time.CLOCK_BOOTTIME) - time.clock_gettime_ns(time.CLOCK_MONOTONIC)),
            interval=interval,
            notes=watch.notes,
        )
        tables = None if facts is None else facts | {name for name, each in TABLES.items() if each.kind == "dimension"}
        self.sink = RecordingSink(path, manifest, tables)
        self._watch = watch

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.sink.close()
        else:
            self.sink.discard()

    def collected(self) -> None:
        """The interval that :meth:`Watch.collect` gave last is over."""
        watch = self._watch
        self.sink.mark(watch.collected_at, watch.interval, watch.unattributed_packets)
