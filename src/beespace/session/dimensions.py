"""Dimension rows for the store: who the keys in the facts were, and when.

A process is named by its pid and its start.  The kernel counts starts from boot and ``/proc`` rounds them
to ticks, so both sides of a join are rounded down to a tick and moved by one offset, fixed when the
session began: the wall clock may be set meanwhile, and must not make two processes of one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from beespace.enrich import Who
from beespace.stream import Batch
from beespace.stream.dtype import TIME
from beespace.stream.tables import ADDRESSES, CONTAINERS, PROCESSES
from beespace.syscall.clock import NANOSECONDS, ticks_per_second


def start_times(starts: NDArray[np.int64], booted: int, known: NDArray[np.bool_] | None = None) -> pa.Array:
    """Process starts (ns since boot) as times; ``booted`` is boot in ns since 1970; null where not ``known``."""
    tick = NANOSECONDS // ticks_per_second()
    mask = starts <= 0 if known is None else ~known
    return pa.array(starts // tick * tick + booted, pa.int64(), mask=mask).cast(TIME)


class DimensionRows:
    """New and changed rows of ``processes``, ``containers`` and ``addresses`` since the last call."""

    def __init__(self, who: Who, booted: int) -> None:
        self._who = who
        self._booted = booted
        self.taken: Mapping[str, pa.RecordBatch] = {}  # what the last call found, as enrich has it

    def batches(self) -> list[Batch]:
        """One batch a dimension that has something new."""
        self.taken = taken = self._who.dimensions.take()
        made: list[Batch] = []
        if "processes" in taken:
            made.append(Batch("processes", PROCESSES.conform(self._processes(taken["processes"]))))
        if "containers" in taken:
            made.append(Batch("containers", CONTAINERS.conform(taken["containers"])))
        if "addresses" in taken:
            made.append(Batch("addresses", ADDRESSES.conform(taken["addresses"])))
        return made

    def _processes(self, records: pa.RecordBatch) -> pa.RecordBatch:
        columns: dict[str, Any] = dict(zip(records.schema.names, records.columns, strict=True))
        starts = np.asarray(columns["process_start_ns"].cast(pa.int64()).to_numpy(zero_copy_only=False), np.int64)
        columns["process_start_time"] = start_times(starts, self._booted)
        columns["process_args"] = pa.array(
            [None if args is None else " ".join(args) for args in columns["process_args"].to_pylist()], pa.string()
        )
        return pa.RecordBatch.from_pydict(columns)
