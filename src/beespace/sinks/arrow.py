"""``-o arrow``: an Arrow IPC stream (https://arrow.apache.org/docs/format/Columnar.html), read by anything.

The schema carries units and words as field metadata; every batch carries its losses as metadata
``lost``, a JSON object of rows by stage.
"""

from __future__ import annotations

import json
from typing import Any, BinaryIO

import pyarrow as pa

from beespace.sinks.csv import one_table
from beespace.sinks.sink import Closing, Output
from beespace.stream.batch import Batch


class ArrowSink(Closing):
    """Writes batches of one table to ``stream``."""

    def __init__(self, stream: BinaryIO) -> None:
        self._output = Output(stream)
        self._file: Any = None
        self._writer: Any = None
        self._table: str | None = None

    def write(self, batch: Batch) -> None:
        """The schema with the first batch, then its rows; ``UsageError`` for a second table."""
        self._table = one_table(self._table, batch.table, "arrow")
        if self._writer is None:
            self._file = pa.PythonFile(self._output, mode="w")
            self._writer = pa.ipc.new_stream(self._file, batch.records.schema)
        lost = {stage: rows for stage, rows in batch.lost.items() if rows}
        self._writer.write_batch(batch.records, custom_metadata={"lost": json.dumps(lost)} if lost else None)

    def close(self) -> None:
        """End the stream."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()
            self._file.close()
