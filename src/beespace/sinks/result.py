"""The answer of a query: as a table for people, JSON lines, CSV or an Arrow stream."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import BinaryIO

import pyarrow as pa
from rich.cells import cell_len

from beespace.errors import UsageError
from beespace.sinks.csv import write_csv
from beespace.sinks.grid import GridColumn as Column
from beespace.sinks.grid import clean, fit, gap_of, line
from beespace.sinks.json import write_lines
from beespace.sinks.sink import Output
from beespace.sinks.words import text_of

NULL = "null"
_LEAST = 12  # places that a text column keeps


def write_result(result: pa.Table, format: str, stream: BinaryIO, width: int | None = None) -> None:
    """Write ``result`` to ``stream`` as ``table``, ``json``, ``csv`` or ``arrow``.

    A table is fitted to ``width`` places (that of the terminal, if ``stream`` is one): texts are
    cut, and if that is not enough every row is shown as a block of lines.
    """
    if format not in FORMATS:
        raise UsageError(f"there is no output {format!r}", help=f"-o takes {', '.join(FORMATS)}")
    if format == "table" and width is None and stream.isatty():
        width = os.get_terminal_size(stream.fileno()).columns or None
    FORMATS[format](result, Output(stream), width)


def _json(result: pa.Table, output: Output, _width: int | None) -> None:
    for batch in result.to_batches():
        write_lines(output, batch)


def _csv(result: pa.Table, output: Output, _width: int | None) -> None:
    batches = result.to_batches() or [pa.RecordBatch.from_pylist([], schema=result.schema)]
    for number, batch in enumerate(batches):
        write_csv(output, batch, header=number == 0)


def _arrow(result: pa.Table, output: Output, _width: int | None) -> None:
    with pa.PythonFile(output, mode="w") as file, pa.ipc.new_stream(file, result.schema) as writer:
        writer.write_table(result)


def _table(result: pa.Table, output: Output, width: int | None) -> None:
    numeric = [_is_number(field.type) for field in result.schema]
    columns = [
        Column(clean(field.name), index, shrinks_to=_LEAST if _may_be_cut(field.type) else None, right=number)
        for index, (field, number) in enumerate(zip(result.schema, numeric, strict=True))
    ]
    texts = [
        [
            NULL if text is None else clean(text)
            for batch in column.chunks
            for text in text_of(_short(batch)).to_pylist()
        ]
        for column in result.columns
    ]
    rows = [list(row) for row in zip(*texts, strict=True)]
    places = fit(columns, rows, width)
    lines: list[str] = []
    if len(places) == len(columns):
        titles = [column.title for column in columns]
        lines.append("".join(line(columns, places, titles, width)))
        lines.append((" " * gap_of(width)).join("─" * place.width for place in places))
        lines += ["".join(line(columns, places, row, width)).rstrip() for row in rows]
    else:
        name = max(cell_len(column.title) for column in columns)
        for number, row in enumerate(rows, 1):
            lines.append(f"── {number} ──")
            lines += [
                f"{column.title}{' ' * (name - cell_len(column.title))}  {text}"
                for column, text in zip(columns, row, strict=True)
            ]
    lines.append(f"({result.num_rows} row{'' if result.num_rows == 1 else 's'})")
    output.write(("\n".join(lines) + "\n").encode())


FORMATS: dict[str, Callable[[pa.Table, Output, int | None], None]] = {
    "table": _table,
    "json": _json,
    "csv": _csv,
    "arrow": _arrow,
}


def _short(values: pa.Array) -> pa.Array:
    """Times to the millisecond: nobody reads more in a table."""
    kind = values.type
    return values.cast(pa.timestamp("ms", kind.tz), safe=False) if pa.types.is_timestamp(kind) else values


def _may_be_cut(kind: pa.DataType) -> bool:
    return not _is_number(kind) and not pa.types.is_timestamp(kind)


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))
