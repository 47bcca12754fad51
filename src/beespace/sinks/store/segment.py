"""Segments: immutable Parquet files whose names say everything a listing must know."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

_NAME = re.compile(r"(\d{12})-(\d{12})-(\d+)-(\d+)\.parquet")
TEMPORARY = ".tmp-"  # what a writer has not finished; nobody reads it


@dataclass(frozen=True, slots=True)
class Segment:
    """One file: flushes number ``first`` to ``last`` of a table, with rows of ``oldest`` to ``newest``.

    Times are milliseconds since 1970, rounded outwards; ``size`` is in bytes.
    """

    path: Path
    first: int
    last: int
    oldest: int
    newest: int
    size: int

    @property
    def flushes(self) -> int:
        return self.last - self.first + 1


def name_of(first: int, last: int, oldest: int, newest: int) -> str:
    """The file name of a segment."""
    return f"{first:012}-{last:012}-{max(oldest, 0)}-{max(newest, 0)}.parquet"


def segments_in(directory: Path) -> list[Segment]:
    """Every segment in a table's directory, also those that are superseded; none if it does not exist."""
    found = []
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                match = _NAME.fullmatch(entry.name)
                if match is None:
                    continue
                try:
                    size = entry.stat().st_size
                except FileNotFoundError:  # deleted since the directory was read
                    continue
                first, last, oldest, newest = map(int, match.groups())
                found.append(Segment(Path(entry.path), first, last, oldest, newest, size))
    except FileNotFoundError:
        return []
    return sorted(found, key=lambda segment: (segment.first, segment.last))


def live(segments: Iterable[Segment]) -> list[Segment]:
    """Those that no other covers, in the order of flushes.

    Compaction writes A-B beside the segments of A to B, which then count no more; they are deleted
    only later, so a listing never misses both.
    """
    kept: list[Segment] = []
    for segment in sorted(segments, key=lambda segment: (segment.first, -segment.last)):
        if not kept or segment.last > kept[-1].last:
            kept.append(segment)
    return kept


def superseded(segments: Sequence[Segment]) -> list[Segment]:
    """Those that another covers."""
    kept = {segment.path for segment in live(segments)}
    return [segment for segment in segments if segment.path not in kept]
