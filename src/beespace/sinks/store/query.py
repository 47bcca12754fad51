"""One SQL query over a store, from any process, while the writer writes.

The query sees the views and nothing else: only statements that read are taken, and DuckDB may
open the listed segments and no other file, load nothing and change no setting.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from beespace.errors import BeespaceError, InternalError, StoreError, UsageError
from beespace.sinks.store.directory import check, reading
from beespace.sinks.store.segment import Segment, live, segments_in
from beespace.sinks.store.views import statements
from beespace.sinks.store.writer import damaged
from beespace.stream.dtype import TIME
from beespace.stream.tables import TABLES

_TRIES = 20
_SETTINGS: Mapping[str, str] = {
    "python_enable_replacements": "false",  # a table's name never means a Python variable
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}
_READS = {"SELECT", "EXPLAIN", "MULTI"}  # MULTI is what PIVOT becomes
_GLOB = re.compile(r"[*?\[]")
_EXPLAIN = re.compile(r"\s*explain(\s+analyze)?(\s*\([^)]*\))?\s", re.IGNORECASE)


def query(directory: Path, sql: str) -> pa.Table:
    """The answer of ``sql`` over the store at ``directory``; times are timestamp[ns, UTC].

    Raises :class:`~beespace.errors.UsageError` for what is wrong with the query and
    :class:`~beespace.errors.StoreError` for what is wrong with the store.
    """
    check(directory)
    directory = directory.resolve()
    if _GLOB.search(str(directory)):
        raise StoreError(f"the store {directory} cannot be queried: * ? [ have a meaning in its path", help="rename it")
    with reading(directory):
        return _tried(directory, sql)


def _tried(directory: Path, sql: str) -> pa.Table:
    for attempt in range(_TRIES):
        segments = {name: live(segments_in(directory / name)) for name in TABLES}
        try:
            return _answer(segments, sql)
        except duckdb.Error as error:
            gone = _changed(segments)
            if gone and attempt < _TRIES - 1:  # dropped under our hands, or merged long ago: look again
                continue
            if gone:
                raise StoreError(
                    f"the store {directory} changes faster than it can be read", help="try again"
                ) from error
            raise _explain(error, sql, segments) from error
    raise InternalError("a query was neither answered nor refused")


def _answer(segments: Mapping[str, Sequence[Segment]], sql: str) -> pa.Table:
    paths = [str(segment.path) for each in segments.values() for segment in each]
    with duckdb.connect(config=dict(_SETTINGS)) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET temp_directory = ''")
        for statement in statements(segments):
            connection.execute(statement)
        connection.execute("SET allowed_paths = $1", [paths])
        connection.execute("SET enable_external_access = false")
        connection.execute("SET errors_as_json = true")
        connection.execute("SET lock_configuration = true")
        _only_reads(connection, sql)
        try:
            result = connection.sql(sql)
        except duckdb.Error:
            connection.execute(sql)  # fails again, this time with the position
            raise
        if result is None:
            raise UsageError("the query gives no rows", help="ask with SELECT, FROM, DESCRIBE or SUMMARIZE")
        return _in_our_types(result.to_arrow_table())


def _only_reads(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    """:class:`~beespace.errors.UsageError` unless ``sql`` is one statement that reads."""
    found = connection.extract_statements(sql)
    if len(found) != 1:
        what = "there is no statement in the query" if not found else f"the query has {len(found)} statements"
        raise UsageError(what, help='ask one thing: "select process_name, sum(tx_bytes) from flows group by 1"')
    kind = found[0].type.name
    if kind == "EXPLAIN" and (explained := _EXPLAIN.sub("", sql, count=1)) != sql:
        return _only_reads(connection, explained)
    if kind not in _READS or kind == "EXPLAIN":
        raise UsageError(
            f"a query only reads: {kind} is not allowed", help="ask with SELECT, FROM, DESCRIBE or SUMMARIZE"
        )
    return None


def _in_our_types(result: pa.Table) -> pa.Table:
    """Times as everywhere in beespace; sums, which DuckDB counts in 128 bits, as plain integers where they fit."""
    for index, field in enumerate(result.schema):
        wanted: pa.DataType | None = None
        if pa.types.is_timestamp(field.type) and field.type.tz:
            wanted = TIME
        elif pa.types.is_decimal(field.type) and field.type.scale == 0:
            wanted = pa.int64()
        if wanted is None:
            continue
        try:
            column = result.column(index).cast(wanted)
        except pa.ArrowInvalid:  # a time after 2262, a number of more than 63 bits: kept as it came
            continue
        result = result.set_column(index, field.name, column)
    return result


# -- what went wrong ---------------------------------------------------------------------------------------------


def _changed(segments: Mapping[str, Sequence[Segment]]) -> bool:
    return any(not segment.path.exists() for each in segments.values() for segment in each)


def _explain(error: duckdb.Error, sql: str, segments: Mapping[str, Sequence[Segment]]) -> BeespaceError:
    told = _told(error)
    message = str(told.get("exception_message", error))
    if isinstance(error, duckdb.CatalogException) and told.get("type") == "Table":
        return _unknown("table", str(told.get("name")), list(TABLES), sql, told)
    if isinstance(error, duckdb.BinderException) and (name := _missing_column(told, message)):
        return _unknown("column", name, _columns(sql), sql, told)
    if isinstance(error, duckdb.PermissionException):
        return UsageError("the query may read the store's tables, and no files", help=f"there are {', '.join(TABLES)}")
    if isinstance(error, duckdb.OutOfMemoryException):
        return UsageError(
            f"the query needs more memory than there is: {_first_line(message)}", help="ask for less at once"
        )
    if isinstance(error, (duckdb.ParserException, duckdb.BinderException, duckdb.CatalogException)):
        return UsageError(f"{_first_line(message)}{_where(sql, told)}")
    broken = _damaged(segments)
    return broken if broken is not None else UsageError(f"{_first_line(message)}{_where(sql, told)}")


def _told(error: duckdb.Error) -> dict[str, Any]:
    """The fields of an error that came as JSON."""
    text = str(error)
    try:
        told = json.loads(text[text.index("{") :])
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _missing_column(told: Mapping[str, Any], message: str) -> str | None:
    if told.get("error_subtype") == "COLUMN_NOT_FOUND" and told.get("name"):
        return str(told["name"])
    known = {name for table in TABLES.values() for name in table.names}
    for pattern in (r'does not have a column named "(\w+)"', r'column "?(\w+)"? must appear in the GROUP BY'):
        match = re.search(pattern, message)
        if match and match[1] not in known:
            return match[1]
    return None


def _columns(sql: str) -> list[str]:
    """The columns of the tables that the query names; of all if it names none."""
    words = set(re.findall(r"\w+", sql.lower()))
    named = [table for table in TABLES.values() if table.name in words] or list(TABLES.values())
    return list(dict.fromkeys(name for table in named for name in table.names))


def _unknown(what: str, name: str, known: Sequence[str], sql: str, told: Mapping[str, Any]) -> UsageError:
    near = difflib.get_close_matches(name.lower(), known, 3)
    if near:
        help = f"did you mean {' or '.join(near)}?"
    elif what == "table":
        help = f"there are {', '.join(known)}"
    else:
        help = "`beespace tables` lists every column"
    return UsageError(f"there is no {what} {name!r}{_where(sql, told)}", help=help)


def _where(sql: str, told: Mapping[str, Any]) -> str:
    """``, at line 1, column 8:`` with the line and a caret, if the position is known and in the query."""
    try:
        position = int(str(told.get("position")))
    except ValueError:
        return ""
    before = sql.encode()[:position].decode(errors="replace")
    if len(before) >= len(sql):
        return ""
    number, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1)
    return f", at line {number}, column {column + 1}:\n  {sql.splitlines()[number - 1]}\n  {' ' * column}^"


def _first_line(message: str) -> str:
    first = message.splitlines()[0] if message else "the query failed"
    return re.sub(r"^[A-Z]\w*( \w+)? Error: ", "", first).rstrip("!. ")


def _damaged(segments: Mapping[str, Sequence[Segment]]) -> StoreError | None:
    """The first segment that cannot be read, if there is one."""
    for each in segments.values():
        for segment in each:
            try:
                with pq.ParquetFile(segment.path) as file:
                    for group in range(file.num_row_groups):
                        file.read_row_group(group)
            except PermissionError:
                return StoreError(f"{segment.path} may not be read", help="run as the user that wrote it, or as root")
            except (OSError, pa.ArrowException):
                return damaged(segment.path)
    return None
