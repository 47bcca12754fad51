"""``-o csv``: a header, then one row a line (RFC 4180); nothing between commas is what is not known."""

from __future__ import annotations

from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from beespace.errors import UsageError
from beespace.sinks.sink import Closing, Output
from beespace.sinks.words import text_of
from beespace.stream.batch import Batch


class CsvSink(Closing):
    """Writes batches of one table to ``stream``.  Losses do not fit into its columns and are left to the summary."""

    def __init__(self, stream: BinaryIO) -> None:
        self._output = Output(stream)
        self._table: str | None = None

    def write(self, batch: Batch) -> None:
        """The header with the first batch, then its rows; ``UsageError`` for a second table."""
        first = self._table is None
        self._table = one_table(self._table, batch.table, "csv")
        write_csv(self._output, batch.records, header=first)

    def close(self) -> None:
        """Nothing is held back."""


def write_csv(output: Output, records: pa.RecordBatch, *, header: bool) -> None:
    """``records`` as CSV: times in RFC 3339, texts quoted where they must be."""
    columns = [_plain(column) for column in records.columns]
    plain = pa.RecordBatch.from_arrays(columns, names=records.schema.names)
    options = pa.csv.WriteOptions(include_header=header, quoting_style="needed")
    buffer = pa.BufferOutputStream()
    pa.csv.write_csv(plain, buffer, options)
    output.write(memoryview(buffer.getvalue()))


def one_table(seen: str | None, table: str, format: str) -> str:
    """``table`` if it is the first or the same again; these formats have one set of columns from start to end."""
    if seen not in (None, table):
        raise UsageError(
            f"-o {format} can hold one table, not both {seen} and {table}",
            help="name one table, or use -o json, where every line has its own columns",
        )
    return table


def _plain(values: pa.Array) -> pa.Array:
    """Numbers as they are (Arrow quotes texts), the rest as text: Arrow's own text of a time lacks the T."""
    kind = values.type
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_decimal(kind):
        return values
    if pa.types.is_floating(kind):
        return pc.if_else(pc.is_finite(values), values, None)
    return text_of(values)
