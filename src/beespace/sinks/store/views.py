"""The SQL that turns segments into the tables of the catalogue.

Schema ``segments`` has what is stored; the views in front of it are what a user sees.  A fact's
joined columns come from one row for each key that holds all versions as lists: a plain hash join
on a unique key (sums over 5 M rows: 0.04 s without joins, 0.13 s with both; ASOF JOIN takes
seconds), after which the version is looked up only where there are several.  The first version
also counts for what was seen before it: names arrive later than packets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa

from beespace.sinks.store.segment import Segment
from beespace.sinks.store.shape import RECORDED, stored_schema
from beespace.stream.table import Column, Late, Table
from beespace.stream.tables import TABLES

_TYPES = {
    pa.string(): "VARCHAR",
    pa.int32(): "INTEGER",
    pa.int64(): "BIGINT",
    pa.uint64(): "UBIGINT",
    pa.float64(): "DOUBLE",
    pa.bool_(): "BOOLEAN",
}
_VALIDITY = ("valid_from", "valid_to")


def statements(segments: Mapping[str, Sequence[Segment]]) -> list[str]:
    """What to execute on an empty database so that it has every view."""
    made = ["CREATE SCHEMA segments"]
    for table in TABLES.values():
        made += _stored(table, segments.get(table.name, ()))
    for table in TABLES.values():
        if table.kind == "dimension":
            made += [_dimension(table), _versions(table)]
    made += [_fact(table) for table in TABLES.values() if table.kind == "fact"]
    return made


def _stored(table: Table, segments: Sequence[Segment]) -> list[str]:
    """The union with an empty table gives columns their types when there is no segment, or only older ones."""
    schema = stored_schema(table)
    columns = ", ".join(f'"{field.name}" {_TYPES.get(field.type, "TIMESTAMPTZ")}' for field in schema)
    names = ", ".join(f'"{field.name}"' for field in schema)
    empty = f'segments."no_{table.name}"'
    rows = f"SELECT {names} FROM {empty}"
    if segments:
        files = ", ".join(_literal(str(segment.path)) for segment in segments)
        rows += f" UNION ALL BY NAME SELECT * FROM read_parquet([{files}], union_by_name = true)"
    return [
        f"CREATE TABLE {empty} ({columns})",
        f'CREATE VIEW segments."{table.name}" AS SELECT {names} FROM ({rows})',
    ]


def _dimension(table: Table) -> str:
    """One row a key and ``valid_from``; of what was recorded twice, the later that is not null counts."""
    keys = ", ".join(f'"{name}"' for name in table.key)
    columns = ", ".join(
        f'"{column.name}"' if column.name in (*table.key, "valid_from") else _latest(column) for column in table.columns
    )
    rows = f'SELECT {columns} FROM segments."{table.name}" GROUP BY {keys}, valid_from'
    following = f"lead(valid_from) OVER (PARTITION BY {keys} ORDER BY valid_from)"
    shown = ", ".join(
        f"coalesce(valid_to, {following}) AS valid_to" if column.name == "valid_to" else f'"{column.name}"'
        for column in table.columns
    )
    return f'CREATE VIEW "{table.name}" AS SELECT {shown} FROM ({rows})'


def _latest(column: Column) -> str:
    if column.name == "valid_to":  # said again in one segment: known to have lasted longer
        return f"arg_max(valid_to, struct_pack(at := {RECORDED}, valid_to)) AS valid_to"
    return f'arg_max("{column.name}", {RECORDED}) AS "{column.name}"'


def _versions(table: Table) -> str:
    keys = ", ".join(f'"{name}"' for name in table.key)
    tos = ", list(valid_to ORDER BY valid_from) AS tos" if _is_late(table) else ""
    lists = ", ".join(
        f'list("{column.name}" ORDER BY valid_from) AS "{column.name}"'
        for column in table.columns
        if column.name not in (*table.key, *_VALIDITY)
    )
    return (
        f'CREATE VIEW segments."{table.name}_versions" AS '
        f"SELECT {keys}, list(valid_from ORDER BY valid_from) AS froms{tos}, {lists} "
        f'FROM main."{table.name}" GROUP BY {keys}'  # unqualified, it would be the view's neighbour in segments
    )


def _is_late(dimension: Table) -> bool:
    """Whether facts take columns of ``dimension`` only as far as its rows hold at their time."""
    return any(
        column.late is not None and column.late.table == dimension.name
        for table in TABLES.values()
        for column in table.columns
    )


def _fact(table: Table) -> str:
    columns = ", ".join(_shown(column) for column in table.columns)
    joins = "".join(
        f' LEFT JOIN segments."{name}_versions" "{name}" ON '
        + " AND ".join(f'f."{key}" = "{name}"."{key}"' for key in TABLES[name].key)
        for name in dict.fromkeys(column.dimension for column in table.columns)
        if name is not None
    )
    joins += "".join(
        f' LEFT JOIN segments."{name}_versions" "{name}" ON f."{key}" = "{name}"."{TABLES[name].key[0]}"'
        for name, key in dict.fromkeys(
            (column.late.table, column.late.key) for column in table.columns if column.late is not None
        )
    )
    return f'CREATE VIEW "{table.name}" AS SELECT {columns} FROM segments."{table.name}" f{joins}'


def _shown(column: Column) -> str:
    if column.dimension is not None:
        return f'{_at_that_time(column)} AS "{column.name}"'
    if column.late is not None:
        return f'{_while_it_held(column.late, column.name)} AS "{column.name}"'
    return f'f."{column.name}"'


def _while_it_held(late: Late, name: str) -> str:
    """What the one row says that holds at that time; else what was stored."""
    froms, tos, values = (f'"{late.table}".{each}' for each in ("froms", "tos", f'"{late.column}"'))
    holds = f"{froms}[i] <= {late.at} AND ({tos}[i] IS NULL OR {late.at} < {tos}[i])"
    held = f"list_filter(range(1, len({froms}) + 1), lambda i: {holds})"
    return f'coalesce(CASE WHEN len({held}) = 1 THEN {values}[{held}[1]] END, f."{name}")'


def _at_that_time(column: Column) -> str:
    values, froms = f'"{column.dimension}"."{column.name}"', f'"{column.dimension}".froms'
    count = f"len(list_filter({froms}, lambda t: t <= f.time))"
    return f"CASE WHEN len({froms}) = 1 THEN {values}[1] ELSE {values}[greatest(1, {count})] END"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
