"""``Table`` and ``Column``: what the catalogue is made of, and how a batch is brought into its shape."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa

from beespace.errors import InternalError


@dataclass(frozen=True, slots=True)
class Late:
    """``column`` of the dimension ``table``, whose key is what the row has in ``key``; at SQL's ``at``.

    Only a row of the dimension that holds at that time counts, and only if it is the only one.
    """

    key: str
    table: str
    column: str
    at: str


@dataclass(frozen=True, slots=True)
class Column:
    """One column: name, Arrow type, what it says in one line, unit, OpenTelemetry attribute.

    ``dimension`` names the table that this column is joined from when history is read; a column
    without one is stored with the row itself.  ``late`` is for what is stored and may become known
    later, too: history shows what the dimension says of the time of the row, else what was stored.
    """

    name: str
    type: pa.DataType
    doc: str
    unit: str | None = None
    otel: str | None = None
    dimension: str | None = None
    late: Late | None = None

    def field(self) -> pa.Field:
        """The Arrow field, with unit, words and OTel name as metadata."""
        entries = {"doc": self.doc, "unit": self.unit, "otel": self.otel}
        return pa.field(self.name, self.type, metadata={key: value for key, value in entries.items() if value})


@dataclass(frozen=True, slots=True)
class Table:
    """One table of the catalogue.

    ``kind`` is ``fact`` (a row happened at ``time``) or ``dimension`` (a row describes who
    ``key`` is, from ``valid_from`` until ``valid_to``).
    """

    name: str
    doc: str
    columns: tuple[Column, ...]
    kind: str = "fact"
    key: tuple[str, ...] = ()

    @property
    def schema(self) -> pa.Schema:
        return pa.schema([column.field() for column in self.columns], metadata={"table": self.name})

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> Column:
        """The column of that name; ``KeyError`` if there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    def conform(self, records: pa.RecordBatch) -> pa.RecordBatch:
        """``records`` with exactly the columns of this table, in order and of its types.

        A column that ``records`` lacks is null; one that the table does not know is dropped.  A
        value that does not fit the type is a bug of whoever made it.
        """
        schema = self.schema
        if records.schema.equals(schema, check_metadata=False):
            return pa.RecordBatch.from_arrays(records.columns, schema=schema)
        present = set(records.schema.names)
        arrays = [
            _cast(self.name, column, records.column(column.name))
            if column.name in present
            else pa.nulls(records.num_rows, column.type)
            for column in self.columns
        ]
        return pa.RecordBatch.from_arrays(arrays, schema=schema)

    def batch_of(self, rows: Iterable[dict[str, object]]) -> pa.RecordBatch:
        """A few rows given as dictionaries (missing columns are null); for slow paths and tests."""
        return pa.RecordBatch.from_pylist(list(rows), schema=self.schema)

    def empty(self) -> pa.RecordBatch:
        """No rows."""
        return self.batch_of(())


def _cast(table: str, column: Column, values: pa.Array) -> pa.Array:
    if values.type.equals(column.type):
        return values
    try:
        return values.cast(column.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise InternalError(f"{table}.{column.name} cannot hold {values.type} values: {error}") from error
