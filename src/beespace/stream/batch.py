"""``Batch``: rows of one table, and what was lost before they got here.

A batch is a value: frozen, and shared between stages and sinks without copies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TypeAlias

import pyarrow as pa


def _nothing() -> Mapping[str, int]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Batch:
    """``records`` of the table named ``table``.

    ``lost`` counts rows that are missing, by the stage that lost them (``ring`` full, ``map``
    full, ``decode``, ``store`` ...), since the batch before; stages that lost nothing may be absent.
    """

    table: str
    records: pa.RecordBatch
    lost: Mapping[str, int] = field(default_factory=_nothing)

    def __len__(self) -> int:
        rows: int = self.records.num_rows
        return rows

    def with_records(self, records: pa.RecordBatch) -> Batch:
        """The same batch with other rows or columns."""
        return replace(self, records=records)

    def with_lost(self, stage: str, rows: int) -> Batch:
        """The same batch with ``rows`` more lost at ``stage``."""
        if rows == 0:
            return self
        return replace(self, lost=MappingProxyType({**self.lost, stage: self.lost.get(stage, 0) + rows}))


Stage: TypeAlias = Callable[[Batch], Batch]


def run(stages: Iterable[Stage], batch: Batch) -> Batch:
    """``batch`` through every stage, in the order of the list."""
    for stage in stages:
        batch = stage(batch)
    return batch
