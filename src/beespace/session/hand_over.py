"""Sockets that changed hands: the rows of their flows get the new owner."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from beespace.stream.text import padded

__all__ = ["hand_over"]

Records = NDArray[np.void]
_FIELDS = ("pid", "start", "uid", "cgroup")


def hand_over(rows: Records, moved: pa.RecordBatch) -> None:
    """Give ``rows`` (of FlowKey and FlowStats) the owners that ``moved`` (of Moved, in order) says; the last counts."""
    if not moved.num_rows or not len(rows):
        return
    cookies = moved.column("cookie").to_numpy()
    order = np.argsort(cookies, kind="stable")
    places = np.searchsorted(cookies[order], rows["cookie"], side="right") - 1
    events = order[places.clip(min=0)]
    given = (places >= 0) & (cookies[events] == rows["cookie"])
    events = events[given]
    for name in _FIELDS:
        column = moved.column(name)
        if pa.types.is_temporal(column.type):
            column = column.cast(pa.int64())
        rows[name][given] = column.fill_null(0).to_numpy(zero_copy_only=False)[events]
    rows["name"][given] = padded(moved.column("name"), rows.dtype["name"].itemsize)[events]
    rows["owned"][given] = 1
