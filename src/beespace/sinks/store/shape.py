"""What is stored of each table.

Facts are stored without the columns that are joined (they keep the keys), dimensions with the
time when a row was ``recorded``: of two rows that say something of the same key and time, the one
recorded later counts, which is how late metadata repairs what is old.

Times are stored in microseconds.  SQL has TIMESTAMP WITH TIME ZONE in microseconds only: on
nanoseconds DuckDB knows neither ``now()`` nor intervals, and through a cast it cannot skip row
groups (10 M rows: 0.2 s instead of 0.02 s for the last second).  Parquet has the unit, so any other reader
sees right times.
"""

from __future__ import annotations

import pyarrow as pa

from beespace.stream.table import Table
from beespace.stream.tables import TABLES

STORED_TIME = pa.timestamp("us", "UTC")
RECORDED = "recorded"


def stored_schema(table: Table) -> pa.Schema:
    """The schema of the segments of ``table``."""
    fields = [column.field() for column in table.columns if column.dimension is None]
    if table.kind == "dimension":
        fields.append(pa.field(RECORDED, STORED_TIME))
    return pa.schema(
        [field.with_type(STORED_TIME) if pa.types.is_timestamp(field.type) else field for field in fields],
        metadata={"table": table.name},
    )


def time_column(table: Table) -> str:
    """The column that decides how old a row is."""
    return RECORDED if table.kind == "dimension" else "time"


def users_of(dimension: str) -> list[tuple[Table, tuple[str, ...]]]:
    """The fact tables whose rows name a key of ``dimension`` that is joined, and the columns in which they do."""
    found = []
    for table in TABLES.values():
        if any(column.dimension == dimension for column in table.columns):
            found.append((table, TABLES[dimension].key))
        keys = {column.late.key for column in table.columns if column.late and column.late.table == dimension}
        found += [(table, (key,)) for key in sorted(keys)]
    return found


def to_stored(records: pa.RecordBatch | pa.Table, table: Table) -> pa.Table:
    """``records`` with the columns and types of the segments; what is missing is null."""
    schema = stored_schema(table)
    present = set(records.schema.names)
    columns = [
        records.column(field.name).cast(field.type, safe=not pa.types.is_timestamp(field.type))
        if field.name in present
        else pa.nulls(records.num_rows, field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)
