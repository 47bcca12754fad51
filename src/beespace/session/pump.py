"""The loop: collect once an interval, through the stages, into the sinks, until it is time to stop.

SIGINT and SIGTERM end it cleanly: what was counted until then is collected once more, sinks are
closed and the summary is given back.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from beespace.errors import StoreError
from beespace.session.signals import stopped_by_signals
from beespace.session.watch import Watch
from beespace.sinks import Sink, Summary
from beespace.stream import Batch, Stage, run
from beespace.syscall.poll import Poller
from beespace.syscall.process import usage

_SUMS = ("tx_bytes", "rx_bytes", "tx_packets", "rx_packets")


class Tally:
    """Adds up what passed, for the summary of an interval and of the whole run."""

    def __init__(self) -> None:
        self._began = self._last = time.monotonic()
        self._cpu_began = self._cpu_last = usage().cpu_seconds
        self._newest = 0
        self._sums: Counter[str] = Counter()
        self._interval: Counter[str] = Counter()
        self._lost: Counter[str] = Counter()
        self._unattributed: Counter[str] = Counter()

    def add(self, batch: Batch) -> None:
        """Count a batch that has come through the stages."""
        if batch.table == "flows":
            sums = {name: pc.sum(batch.records.column(name)).as_py() or 0 for name in _SUMS}
            sums["flows"] = len(batch)
            self._interval.update(sums)
            self._sums.update(sums)
            self._sums["new flows"] += self._new_flows(batch)
        elif batch.table == "execs":
            self._sums["execs"] += len(batch)

    def _new_flows(self, batch: Batch) -> int:
        """Flows that no earlier batch had: those first seen later than any flow of an earlier batch."""
        first = batch.records.column("first_seen").cast(pa.int64())
        before, self._newest = self._newest, max(self._newest, pc.max(first).as_py() or 0)
        return int(pc.sum(pc.greater(first, before)).as_py() or 0)

    def losses(self, batch: Batch) -> None:
        """Count what was lost before ``batch``, shown or not."""
        self._lost.update({f"{batch.table} {stage}": rows for stage, rows in batch.lost.items() if rows})

    def unattributed(self, reason: str, packets: int) -> None:
        """Packets that no process could be found for."""
        if packets:
            self._unattributed[reason] += packets

    def interval(self) -> Summary:
        """Since the last call."""
        now, used = time.monotonic(), usage()
        seconds = now - self._last
        summary = self._summary(self._interval, seconds, self._interval["flows"], used.cpu_seconds - self._cpu_last)
        self._last, self._cpu_last = now, used.cpu_seconds
        self._interval = Counter()
        return summary

    def final(self) -> Summary:
        """Since the start."""
        used = usage()
        seconds = time.monotonic() - self._began
        return self._summary(
            self._sums, seconds, self._sums["new flows"], used.cpu_seconds - self._cpu_began, final=True
        )

    def _summary(self, sums: Counter[str], seconds: float, flows: int, cpu: float, *, final: bool = False) -> Summary:
        return Summary(
            seconds=seconds,
            flows=flows,
            execs=self._sums["execs"],
            lost=dict(self._lost),
            unattributed=dict(self._unattributed),
            cpu=cpu / max(seconds, 1e-9),
            memory=usage().rss_bytes,
            final=final,
            **{name: sums[name] for name in _SUMS},
        )


def pump(
    watch: Watch,
    sinks: Sequence[Sink],
    *,
    tables: Sequence[str],
    stages: Sequence[Stage] = (),
    interval: float = 1.0,
    duration: float | None = None,
    recorder: Sink | None = None,
    trouble: Callable[[StoreError], None] = lambda error: None,
    show: Callable[[Summary], None] = lambda summary: None,
) -> Summary:
    """Run ``watch`` into ``sinks`` for ``duration`` seconds (None: until a signal); returns the final summary.

    ``tables`` are those that are written; ``stages`` see each of their batches first.  ``recorder``
    gets every batch of every table, dimensions too, before any stage; its failures go to
    ``trouble``, and watching goes on.  A sink whose reader has gone ends the loop.  ``show`` is
    called with the summary of each interval.
    """
    tally = Tally()
    with Poller[str]() as poller, stopped_by_signals(poller) as stopped:
        began = due = time.monotonic()
        end = None if duration is None else began + duration
        while True:
            due = max(due + interval, time.monotonic())
            poller.wait(max(0.0, min(due, end or due) - time.monotonic()))
            last = bool(stopped) or (end is not None and time.monotonic() >= end)
            if not last and time.monotonic() < due:
                continue  # woken for another reason than the time
            try:
                for batch in watch.collect():
                    if recorder is not None:
                        try:
                            recorder.write(batch)
                        except StoreError as error:  # it counts what it could not keep
                            trouble(error)
                    _deliver(batch, sinks, tables, stages, tally)
            except BrokenPipeError:
                break
            tally.unattributed("no socket", watch.unattributed.no_socket)
            tally.unattributed("no owner", watch.unattributed.no_owner)
            show(tally.interval())
            if last:
                break
    return tally.final()


def _deliver(batch: Batch, sinks: Sequence[Sink], tables: Sequence[str], stages: Sequence[Stage], tally: Tally) -> None:
    tally.losses(batch)
    if batch.table in tables:
        batch = run(stages, batch)
        tally.add(batch)
        for sink in sinks:
            sink.write(batch)
