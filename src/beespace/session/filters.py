"""Stages that keep the rows a user asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from beespace.stream import Batch, Stage


def only(column: str, values: Sequence[Any]) -> Stage:
    """Rows whose ``column`` is one of ``values``; tables without that column pass whole."""
    return _keep((column,), values)


def only_port(ports: Sequence[int]) -> Stage:
    """Rows with one of ``ports`` at either end."""
    return _keep(("local_port", "remote_port"), ports)


def _keep(columns: Sequence[str], values: Sequence[Any]) -> Stage:
    def stage(batch: Batch) -> Batch:
        present = [name for name in columns if name in batch.records.schema.names]
        if not present:
            return batch
        keep = None
        for name in present:
            column = batch.records.column(name)
            found = pc.is_in(column, value_set=pa.array(values, column.type))
            keep = found if keep is None else pc.or_(keep, found)
        return batch.with_records(batch.records.filter(keep))

    return stage
