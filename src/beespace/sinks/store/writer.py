"""``Writer``: one segment after another, then fewer and bigger ones, then none of the oldest.

Everything here happens on the caller's thread and is done when the call returns.  A crash leaves
files with temporary names (removed by the next writer) or segments that a bigger one covers
(ignored by readers, removed later); never half a segment.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from beespace.errors import StoreError
from beespace.sinks.store.directory import cannot_write, commit, prepare, unread
from beespace.sinks.store.segment import TEMPORARY, Segment, live, name_of, segments_in, superseded
from beespace.sinks.store.shape import stored_schema, time_column, to_stored, users_of
from beespace.stream.table import Table
from beespace.stream.tables import TABLES

FAN = 8  # so many segments of one size become one of the next
BIG = 32 << 20  # bytes; segments of this size are left alone
GRACE_MS = 60_000  # how long a covered segment stays for readers that take no lock (DuckDB by itself, say)
_PATIENCE_MS = 600_000  # and how much longer, at most, while queries are being answered
ROW_GROUP = 65_536  # rows; also what a merge holds in memory (of flows, some 50 MB)
_PIECE = 16_384
_SPANS = 16  # no segment covers more than this fraction of what is kept, so that age is exact enough
_PRUNE_MS = 3_600_000
_SMALL: dict[str, Any] = {"compression": "zstd"}  # dictionaries of all columns: slow to make, and what is kept long


class Writer:
    """Writes the store at ``directory``; there is one at a time.

    ``keep_ms`` and ``keep_bytes`` bound the history by age and size (``None``: no bound).
    ``clock`` gives milliseconds since 1970.  Failures are :class:`~beespace.errors.StoreError`.
    """

    def __init__(
        self,
        directory: Path,
        *,
        keep_ms: int | None = None,
        keep_bytes: int | None = None,
        clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self.directory = directory
        self._keep_ms = keep_ms
        self._keep_bytes = keep_bytes
        self._clock = clock
        self._lock = prepare(directory)
        self._covered: list[tuple[int, Segment]] = []
        self._damaged: set[Path] = set()
        self._pruned = 0
        try:
            self._segments = {name: self._take_over(name) for name in TABLES}
        except BaseException:
            self._lock.release()
            raise

    def segments(self, table: str) -> Sequence[Segment]:
        """The segments that count, oldest flush first."""
        return self._segments[table]

    def write(self, table: Table, rows: pa.Table) -> Segment | None:
        """``rows`` as a new segment, on disk for good when this returns; ``None`` if there are none."""
        if not rows.num_rows:
            return None
        segments = self._segments[table.name]
        number = segments[-1].last + 1 if segments else 1
        segment = self._put(table, number, number, [to_stored(rows, table)])
        if segment is not None:
            segments.append(segment)
        return segment

    def read(self, segment: Segment, columns: list[str] | None = None) -> pa.Table:
        """The rows of a segment; one that cannot be read is left out of all further work."""
        try:
            with segment.path.open("rb") as file:
                return pq.read_table(file, columns=columns)
        except (OSError, pa.ArrowException) as error:
            self._damaged.add(segment.path)
            raise damaged(segment.path) from error

    def _pieces(self, segment: Segment) -> Iterator[pa.RecordBatch]:
        """The rows of a segment, never many at once."""
        try:
            with pq.ParquetFile(segment.path) as file:
                yield from file.iter_batches(_PIECE)
        except (OSError, pa.ArrowException) as error:
            self._damaged.add(segment.path)
            raise damaged(segment.path) from error

    def maintain(self) -> None:
        """Compact what is due, drop what is too old or too much, delete what nobody reads any more."""
        for name in TABLES:
            whole = [segment for segment in self._segments[name] if segment.path not in self._damaged]
            for group in due(whole, self._span()):
                self._merge(TABLES[name], group)
        if self._retain():
            self._prune()
        self._sweep()

    def state(self) -> dict[str, float]:
        """``bytes`` and ``segments`` on disk; ``oldest_timestamp_seconds`` of a fact (since 1970), if there is one."""
        facts = [
            segment.oldest
            for name, segments in self._segments.items()
            if TABLES[name].kind == "fact"
            for segment in segments
        ]
        segments = len(self._covered) + sum(map(len, self._segments.values()))
        oldest = {"oldest_timestamp_seconds": min(facts) / 1000} if facts else {}
        return {"bytes": self._size(), "segments": segments, **oldest}

    def close(self) -> None:
        """Let another writer in; calling it again does nothing."""
        self._lock.release()

    # -- segments --------------------------------------------------------------------------------------------

    def _take_over(self, name: str) -> list[Segment]:
        """The segments that are there; what dead writers left is removed."""
        folder = self.directory / name
        try:
            for place in (self.directory, folder):
                for path in place.glob(f"{TEMPORARY}*"):
                    path.unlink()
        except OSError as error:
            raise cannot_write(self.directory, error) from error
        found = segments_in(folder)
        self._covered += [(self._clock(), segment) for segment in superseded(found)]
        return live(found)

    def _put(self, table: Table, first: int, last: int, parts: Iterable[pa.Table]) -> Segment | None:
        """Write ``parts`` as one file under its name; ``None`` if they have no rows."""
        folder = self.directory / table.name
        temporary = folder / f"{TEMPORARY}{first:012}-{last:012}.parquet"
        schema = stored_schema(table)
        oldest: int | None = None
        newest = 0
        try:
            with temporary.open("wb") as file:
                with pq.ParquetWriter(file, schema, **(_quick(schema) if first == last else _SMALL)) as parquet:
                    for part in _regrouped(parts):
                        low, high = _bounds(part.column(time_column(table)))
                        oldest = low if oldest is None else min(oldest, low)
                        newest = max(newest, high)
                        parquet.write_table(part, row_group_size=ROW_GROUP)
                file.flush()
                os.fsync(file.fileno())
            if oldest is None:
                temporary.unlink()
                return None
            path = folder / name_of(first, last, oldest, newest)
            size = temporary.stat().st_size
            commit(temporary, path)
        except BaseException as error:
            temporary.unlink(missing_ok=True)
            if isinstance(error, OSError):
                raise cannot_write(self.directory, error) from error
            raise
        return Segment(path, first, last, oldest, newest, size)

    def _merge(self, table: Table, group: Sequence[Segment]) -> None:
        parts = (to_stored(piece, table) for segment in group for piece in self._pieces(segment))
        merged = self._put(table, group[0].first, group[-1].last, parts)
        if merged is None:
            return
        segments = self._segments[table.name]
        place = segments.index(group[0])
        segments[place : place + len(group)] = [merged]
        self._covered += [(self._clock(), segment) for segment in group]

    def _span(self) -> int | None:
        return None if self._keep_ms is None else self._keep_ms // _SPANS

    # -- retention -------------------------------------------------------------------------------------------

    def _retain(self) -> bool:
        """Delete facts that are too old, then the oldest until the size fits; whether any went."""
        horizon = None if self._keep_ms is None else self._clock() - self._keep_ms
        facts = sorted(
            (
                (segment, name)
                for name, table in TABLES.items()
                if table.kind == "fact"
                for segment in self._segments[name]
            ),
            key=lambda pair: pair[0].newest,
        )
        excess = 0 if self._keep_bytes is None else self._size() - self._keep_bytes
        went = False
        for segment, name in facts:
            if not (excess > 0 or (horizon is not None and segment.newest < horizon)):
                break
            excess -= segment.size + self._drop(segment)
            self._segments[name].remove(segment)
            went = True
        return went

    def _size(self) -> int:
        live_bytes = sum(segment.size for segments in self._segments.values() for segment in segments)
        return live_bytes + sum(segment.size for _since, segment in self._covered)

    def _prune(self) -> None:
        """Of dimensions, drop rows that were recorded before all kept facts and that none of these names."""
        if self._clock() - self._pruned < _PRUNE_MS:
            return
        self._pruned = self._clock()
        for name, dimension in TABLES.items():
            if dimension.kind != "dimension":
                continue
            users = [(at, segment) for table, at in users_of(name) for segment in self._segments[table.name]]
            horizon = min((segment.oldest for _at, segment in users), default=self._clock())
            old = [segment for segment in self._segments[name] if segment.newest < horizon]
            if not old:
                continue
            keys = list(dimension.key)
            named = _distinct(
                self.read(segment, list(at)).rename_columns(keys).group_by(keys, use_threads=False).aggregate([])
                for at, segment in users
            )
            for segment in old:
                if segment.path not in self._damaged:
                    self._keep_named(dimension, segment, named)

    def _keep_named(self, dimension: Table, segment: Segment, named: pa.Table | None) -> None:
        rows = self.read(segment)
        kept = rows.slice(0, 0) if named is None else rows.join(named, list(dimension.key), join_type="left semi")
        if kept.num_rows == rows.num_rows:
            return
        segments = self._segments[dimension.name]
        place = segments.index(segment)
        smaller = self._put(dimension, segment.first, segment.last, [kept.sort_by(time_column(dimension))])
        segments[place : place + 1] = [] if smaller is None else [smaller]
        if smaller is None or smaller.path != segment.path:
            self._drop(segment)

    def _drop(self, segment: Segment) -> int:
        """Delete a segment and, before it, those that it covers: they would count again.  Their size."""
        covered = [entry for entry in self._covered if _covers(segment, entry[1])]
        for _since, inner in covered:
            self._delete(inner)
        self._covered = [entry for entry in self._covered if entry not in covered]
        self._delete(segment)
        return sum(inner.size for _since, inner in covered)

    def _sweep(self) -> None:
        limit = self._clock() - GRACE_MS
        if all(since > limit for since, _segment in self._covered):
            return
        try:
            with unread(self.directory) as nobody_reads:
                limit -= 0 if nobody_reads else _PATIENCE_MS
                for _since, segment in (entry for entry in self._covered if entry[0] <= limit):
                    self._delete(segment)
        except OSError as error:
            raise cannot_write(self.directory, error) from error
        self._covered = [entry for entry in self._covered if entry[0] > limit]

    def _delete(self, segment: Segment) -> None:
        try:
            segment.path.unlink(missing_ok=True)
        except OSError as error:
            raise cannot_write(self.directory, error) from error


def _quick(schema: pa.Schema) -> dict[str, Any]:
    """How to write what is merged soon: numbers as differences, not looked up in a dictionary first."""
    texts = [field.name for field in schema if pa.types.is_string(field.type)]
    numbers = [field.name for field in schema if pa.types.is_integer(field.type) or pa.types.is_timestamp(field.type)]
    encodings = dict.fromkeys(numbers, "DELTA_BINARY_PACKED")
    return {"compression": "snappy", "use_dictionary": texts, "column_encoding": encodings}


def due(segments: Sequence[Segment], span: int | None) -> list[list[Segment]]:
    """The groups to merge: ``FAN`` neighbours of one level, none big, together no longer than ``span`` ms.

    Levels are powers of ``FAN`` of how many flushes a segment holds, so a row is rewritten once a level.
    """
    groups: list[list[Segment]] = []
    group: list[Segment] = []
    for segment in segments:
        if group and (segment.size >= BIG or _level(segment) != _level(group[0])):
            group = []
        if segment.size < BIG:
            group.append(segment)
        if len(group) == FAN:
            if span is None or max(s.newest for s in group) - min(s.oldest for s in group) <= span:
                groups.append(group)
            group = []
    return groups


def damaged(path: Path) -> StoreError:
    """What to say of a segment that is no Parquet file any more."""
    return StoreError(
        f"segment {path.name} of the store {path.parent.parent} is damaged ({path.parent.name})",
        help=f"move {path} away: everything else stays readable",
    )


def _covers(outer: Segment, inner: Segment) -> bool:
    return outer.path.parent == inner.path.parent and outer.first <= inner.first and inner.last <= outer.last


def _level(segment: Segment) -> int:
    level, flushes = 0, segment.flushes
    while flushes >= FAN:
        flushes //= FAN
        level += 1
    return level


def _regrouped(parts: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in pieces of about a row group, however small the parts are."""
    held: list[pa.Table] = []
    rows = 0
    for part in parts:
        held.append(part)
        rows += part.num_rows
        if rows >= ROW_GROUP:
            yield pa.concat_tables(held, promote_options="default")
            held, rows = [], 0
    if rows:
        yield pa.concat_tables(held, promote_options="default")


def _bounds(times: pa.ChunkedArray) -> tuple[int, int]:
    """The first and last of stored times in ms, rounded outwards; 0 if none is known."""
    ends: Any = pc.min_max(times.cast(pa.int64()))
    low, high = ends["min"].as_py(), ends["max"].as_py()
    return (0, 0) if low is None else (low // 1000, -(-high // 1000))


def _distinct(tables: Iterable[pa.Table]) -> pa.Table | None:
    together: pa.Table | None = None
    for table in tables:
        both = table if together is None else pa.concat_tables([together, table])
        together = both.group_by(both.schema.names, use_threads=False).aggregate([])
    return together
