"""The loop: collect once an interval, through the stages, into the sinks, until it is time to stop.

SIGINT and SIGTERM end it cleanly: what was counted until then is collected once more, sinks are
closed and the summary is given back.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from beespace.errors import StoreError
from beespace.session.detail import Detail
from beespace.session.own import Own
from beespace.session.pace import Live, Pace
from beespace.session.signals import stopped_by_signals
from beespace.sinks import Sink, Summary
from beespace.stream import Batch, Stage, run
from beespace.syscall.poll import sleeper
from beespace.syscall.process import Usage, usage


class Source(Protocol):
    """Where batches come from: :class:`~beespace.session.watch.Watch`, or what plays a recording."""

    def collect(self) -> list[Batch]:
        """What happened since the last call."""

    @property
    def unattributed_packets(self) -> Mapping[str, int]:
        """Of the last :meth:`collect`: packets without an owner, by reason."""


_NOTHING = Usage(0.0, 0, 0)
_SUMS = ("tx_bytes", "rx_bytes", "tx_packets", "rx_packets")


class Tally:
    """Adds up what passed, for the summary of an interval and of the whole run."""

    def __init__(self, pace: Pace, own: Callable[[], Own]) -> None:
        self._pace = pace
        self._own = own
        self._less_s = 0.0  # how long something was left out
        self._kernel_last = 0.0
        self._began = self._last = pace.now()
        self._cpu_began = self._cpu_last = self._used().cpu_seconds
        self._newest = 0
        self._sums: Counter[str] = Counter()
        self._interval: Counter[str] = Counter()
        self._lost: Counter[str] = Counter()
        self._unattributed: Counter[str] = Counter()

    def _used(self) -> Usage:
        """What beespace has used, where that belongs to what is shown."""
        return usage() if self._pace.measures else _NOTHING

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
        now, used = self._pace.now(), self._used()
        seconds = now - self._last
        total = self._own().kernel_seconds
        kernel = None if total is None else total - self._kernel_last
        self._kernel_last = total or 0.0
        self._less_s += seconds if self._own().detail is not Detail.FULL else 0.0
        summary = self._summary(
            self._interval, seconds, self._interval["flows"], used.cpu_seconds - self._cpu_last, kernel
        )
        self._last, self._cpu_last = now, used.cpu_seconds
        self._interval = Counter()
        return summary

    def final(self) -> Summary:
        """Since the start."""
        used = self._used()
        seconds = self._pace.now() - self._began
        kernel = self._own().kernel_seconds
        return self._summary(
            self._sums, seconds, self._sums["new flows"], used.cpu_seconds - self._cpu_began, kernel, final=True
        )

    def _summary(
        self, sums: Counter[str], seconds: float, flows: int, cpu: float, kernel: float | None, *, final: bool = False
    ) -> Summary:
        own = self._own()
        return Summary(
            seconds=seconds,
            flows=flows,
            execs=self._sums["execs"],
            lost=dict(self._lost),
            unattributed=dict(self._unattributed),
            cpu=cpu / max(seconds, 1e-9) if self._pace.measures else None,
            memory=self._used().rss_bytes if self._pace.measures else None,
            kernel_cpu=None if kernel is None else kernel / max(seconds, 1e-9),
            kernel_memory=own.kernel_memory,
            fullest=max(((share, name) for name, share in own.fill.items()), default=None),
            detail=own.detail.word,
            less_s=self._less_s,
            final=final,
            **{name: sums[name] for name in _SUMS},
        )


def pump(
    source: Source,
    sinks: Sequence[Sink],
    *,
    tables: Sequence[str],
    stages: Sequence[Stage] = (),
    pace: Pace | None = None,
    recorders: Sequence[Sink] = (),
    collected: Callable[[], None] = lambda: None,
    trouble: Callable[[StoreError], None] = lambda error: None,
    show: Callable[[Summary], None] = lambda summary: None,
    own: Callable[[], Own] = Own,
    begun: Callable[[], None] = lambda: None,
) -> Summary:
    """Run ``source`` into ``sinks`` at ``pace`` (None: live, until a signal); returns the final summary.

    ``tables`` are those that are written; ``stages`` see each of their batches first.  ``recorders``
    get every batch of every table, dimensions too, before any stage; their failures go to
    ``trouble``, and watching goes on.  A sink whose reader has gone ends the loop.  ``collected`` is called when the
    batches of an interval have been written, ``show`` with its summary.  ``own`` is what
    beespace says of itself.  ``begun`` is called when the first interval begins and signals end it.
    """
    pace = pace or Live()
    with sleeper() as poller, stopped_by_signals(poller, lambda: pace.stop()) as stopped:
        pace.begin()
        tally = Tally(pace, own)
        begun()
        while True:
            due = pace.due()
            while not stopped and (wait := due - time.monotonic()) > 0:
                poller.wait(wait)
            if stopped and not pace.stop():
                break
            last = bool(stopped) or pace.last
            try:
                for batch in source.collect():
                    for recorder in recorders:
                        with _reported(trouble):  # it counts what it could not keep
                            recorder.write(batch)
                    _deliver(batch, sinks, tables, stages, tally)
            except BrokenPipeError:
                break
            with _reported(trouble):
                collected()
            for reason, packets in source.unattributed_packets.items():
                tally.unattributed(reason, packets)
            show(tally.interval())
            if last or pace.over:
                break
    return tally.final()


@contextmanager
def _reported(trouble: Callable[[StoreError], None]) -> Iterator[None]:
    try:
        yield
    except StoreError as error:
        trouble(error)


def _deliver(batch: Batch, sinks: Sequence[Sink], tables: Sequence[str], stages: Sequence[Stage], tally: Tally) -> None:
    tally.losses(batch)
    if batch.table in tables:
        batch = run(stages, batch)
        tally.add(batch)
        for sink in sinks:
            sink.write(batch)
