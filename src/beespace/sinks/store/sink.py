"""``StoreSink``: batches into the store, on a thread of its own.

The pipeline never waits for a disk.  What cannot be kept (the disk is full, or slower than the
rows come) is counted by stage and table, raised as a sentence, and written into ``losses`` as
soon as something can be written again.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from pathlib import Path

import pyarrow as pa

from beespace.errors import InternalError, StoreError
from beespace.sinks.sink import Closing
from beespace.sinks.store.dimensions import Dimensions
from beespace.sinks.store.shape import STORED_TIME
from beespace.sinks.store.writer import Writer
from beespace.stream.batch import Batch
from beespace.stream.tables import LOSSES, TABLES

FLUSH_S = 2.0
FIRST_FLUSH_S = 1.0  # who starts to watch wants to ask soon
PENDING_ROWS = 1_000_000
DISK, BACKLOG = "store", "store backlog"


class StoreSink(Closing):
    """Keeps batches of any table of the catalogue in ``directory``, for ``keep_s`` seconds and ``keep_bytes`` bytes.

    ``flows`` and ``execs`` may come with the joined columns filled: what they say of processes and
    containers goes into those tables.  Batches of ``processes`` and ``containers`` may come as well.
    One failure is raised once, by the next :meth:`write` or by :meth:`close`; the sink may be used on.
    """

    def __init__(
        self,
        directory: Path,
        *,
        keep_s: float | None = 7 * 86_400,
        keep_bytes: int | None = 10 << 30,
        flush_s: float = FLUSH_S,
        pending_rows: int = PENDING_ROWS,
    ) -> None:
        self._writer = Writer(directory, keep_ms=None if keep_s is None else int(keep_s * 1000), keep_bytes=keep_bytes)
        self._dimensions = Dimensions()
        self._flush_s = flush_s
        self._pending_limit = pending_rows
        self._pending: dict[str, list[pa.RecordBatch]] = {}
        self._pending_rows = 0
        self._lost: Counter[tuple[str, str]] = Counter()
        self._total_lost: Counter[tuple[str, str]] = Counter()
        self._state = self._writer.state()
        self._failure: StoreError | InternalError | None = None
        self._changed = threading.Condition()
        self._flushing = threading.Lock()
        self._stop = False
        self._closed = False
        try:
            self._remember()
        except BaseException:
            self._writer.close()
            raise
        self._thread = threading.Thread(target=self._run, name="beespace-store", daemon=True)
        self._thread.start()

    def write(self, batch: Batch) -> None:
        """Take a batch over; returns at once."""
        if batch.table not in TABLES:
            raise InternalError(f"the store has no table {batch.table!r}")
        with self._changed:
            for stage, rows in batch.lost.items():
                self._lost[stage, batch.table] += rows
            if len(batch) and self._pending_rows + len(batch) > self._pending_limit:
                self._lost[BACKLOG, batch.table] += len(batch)
                self._total_lost[BACKLOG, batch.table] += len(batch)
            elif len(batch):
                self._pending.setdefault(batch.table, []).append(TABLES[batch.table].conform(batch.records))
                self._pending_rows += len(batch)
        self._raise_failure()

    def flush(self) -> None:
        """Write what is held, now, and wait for it."""
        self._flush()
        self._raise_failure()

    def close(self) -> None:
        """Write what is held and let another writer in; calling it again does nothing."""
        if self._closed:
            return
        self._closed = True
        with self._changed:
            self._stop = True
            self._changed.notify_all()
        self._thread.join()
        self._writer.close()
        self._raise_failure()

    @property
    def lost(self) -> dict[tuple[str, str], int]:
        """Losses that are not yet in the ``losses`` table: rows by stage and table."""
        with self._changed:
            return dict(self._lost)

    @property
    def total_lost(self) -> dict[tuple[str, str], int]:
        """Rows that this sink could not keep, by stage and table, since it was made."""
        with self._changed:
            return dict(self._total_lost)

    @property
    def state(self) -> dict[str, float]:
        """The history on disk as of the last flush: ``bytes``, ``segments``, ``oldest_timestamp_seconds`` if any."""
        return self._state

    # -- the thread ------------------------------------------------------------------------------------------

    def _run(self) -> None:
        wait = min(FIRST_FLUSH_S, self._flush_s)
        while True:
            with self._changed:
                stopping = self._stop or self._changed.wait_for(lambda: self._stop, wait)
            self._flush()
            if stopping:
                return
            wait = self._flush_s

    def _flush(self) -> None:
        with self._flushing:
            with self._changed:
                pending, self._pending, self._pending_rows = self._pending, {}, 0
            try:
                self._write_out(pending)
                self._writer.maintain()
                self._state = self._writer.state()
            except StoreError as error:
                self._failure = error
            except Exception as error:  # the thread must not die in silence: the next write says it
                self._failure = InternalError(f"the store failed: {type(error).__name__}: {error}")
                self._failure.__cause__ = error

    def _write_out(self, pending: dict[str, list[pa.RecordBatch]]) -> None:
        """Dimensions before facts: who reads a row must find its names."""
        unwritten = {name: pa.Table.from_batches(batches) for name, batches in pending.items()}
        recorded = time.time_ns() // 1000
        try:
            for name in sorted(unwritten, key=lambda name: TABLES[name].kind):  # dimensions, facts
                unwritten[name] = self._dimensions.steady(_in_microseconds(unwritten[name]))
                self._dimensions.learn(TABLES[name], unwritten[name])
            changes = self._dimensions.take_changes(recorded)
            unwritten = {**changes, **{name: rows for name, rows in unwritten.items() if TABLES[name].kind == "fact"}}
            for name in list(unwritten):
                self._writer.write(TABLES[name], unwritten[name])
                del unwritten[name]
            self._write_losses(recorded)
        except BaseException:
            self._dimensions.forget()
            with self._changed:
                for name, rows in unwritten.items():
                    self._lost[DISK, name] += rows.num_rows
                    self._total_lost[DISK, name] += rows.num_rows
            raise

    def _write_losses(self, now: int) -> None:
        with self._changed:
            lost = {where: rows for where, rows in self._lost.items() if rows}
        if not lost:
            return
        schema = LOSSES.schema
        self._writer.write(
            LOSSES,
            pa.Table.from_arrays(
                [
                    pa.array([now] * len(lost), STORED_TIME),
                    pa.array([stage for stage, _table in lost]),
                    pa.array([table for _stage, table in lost]),
                    pa.array(list(lost.values()), pa.int64()),
                ],
                names=schema.names,
            ),
        )
        with self._changed:
            self._lost.subtract(lost)
            self._lost = +self._lost

    def _remember(self) -> None:
        """What the newest segments say of dimensions, so that a restart does not say it all again."""
        for table in TABLES.values():
            if table.kind != "dimension":
                continue
            rows: list[pa.Table] = []
            for segment in reversed(self._writer.segments(table.name)):
                try:
                    rows.append(self._writer.read(segment))
                except StoreError as error:
                    self._failure = error  # said once; the rest of the store is usable
                    continue
                if sum(each.num_rows for each in rows) > PENDING_ROWS // 10:
                    break
            for each in reversed(rows):
                self._dimensions.restore(table, self._dimensions.steady(each))

    def _raise_failure(self) -> None:
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure


def _in_microseconds(rows: pa.Table) -> pa.Table:
    for index, column in enumerate(rows.schema):
        if pa.types.is_timestamp(column.type):
            rows = rows.set_column(index, column.name, rows.column(index).cast(STORED_TIME, safe=False))
    return rows
