"""``Recorder``: what a running :class:`~beespace.session.watch.Watch` sees, into a file."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from beespace.session.watch import Watch
from beespace.sinks.recording import Manifest, RecordingSink

if TYPE_CHECKING:
    from beespace.session.packets import PacketRecorder

__all__ = ["Recorder"]


class Recorder:
    """A context manager; ``sink`` gets every batch, :meth:`collected` is called when an interval is over.

    ``facts`` are the tables of facts that are kept (None: all); dimensions are always kept.  ``packets`` is ``none``,
    ``headers`` or ``full``.
    """

    def __init__(
        self,
        path: Path,
        watch: Watch,
        *,
        interval: float,
        facts: frozenset[str] | None = None,
        packets: str = "none",
        title: str = "",
    ) -> None:
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
            packets=packets,
            title=title,
            notes=watch.notes,
        )
        tables = None if facts is None else facts | {name for name, each in TABLES.items() if each.kind == "dimension"}
        self.sink = RecordingSink(path, manifest, tables)
        self._watch = watch
        self._stack = ExitStack()
        self._packets: PacketRecorder | None = None
        if packets != "none":
            from beespace.session.packets import PacketRecorder

            self._packets = PacketRecorder(self.sink, watch, full=packets == "full")

    def __enter__(self) -> Self:
        try:
            if self._packets is not None:
                self._stack.enter_context(self._packets)
                self._packets.clear()
                self._watch.begin()  # what was counted before is of packets that were not seen
        except BaseException:
            self.sink.discard()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()
        if error is None:
            self.sink.close()
        else:
            self.sink.discard()

    def collected(self) -> None:
        """The interval that :meth:`Watch.collect` gave last is over."""
        watch = self._watch
        if self._packets is not None:
            self._packets.collected()
        self.sink.mark(watch.collected_at, watch.interval, watch.unattributed_packets)
