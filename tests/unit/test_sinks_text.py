"""JSON, CSV, Arrow and query results, read back with independent readers."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beespace.errors import UsageError
from beespace.sinks.arrow import ArrowSink
from beespace.sinks.csv import CsvSink
from beespace.sinks.json import JsonSink, json_lines
from beespace.sinks.result import write_result
from beespace.stream import TABLES, Batch

FLOWS, EXECS, LOSSES = TABLES["flows"], TABLES["execs"], TABLES["losses"]
NOW = 1_700_000_000_000_000_001


def flow(**values: Any) -> dict[str, Any]:
    return {"time": NOW, "process_pid": 7, "process_name": "curl", "tx_bytes": 10, **values}


def batch(*rows: dict[str, Any], lost: dict[str, int] | None = None) -> Batch:
    return Batch("flows", FLOWS.batch_of(rows), lost or {})


_TEXT = st.text(st.characters(exclude_categories=["Cs"]))
_ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "text": st.none() | _TEXT,
            "number": st.none() | st.integers(-(2**63), 2**63 - 1),
            "real": st.none() | st.floats(),
            "flag": st.none() | st.booleans(),
            "raw": st.none() | st.binary(),
            "list": st.none() | st.lists(st.none() | _TEXT),
            "item": st.none() | st.fixed_dictionaries({"a": st.none() | st.integers(0, 9), "b": st.none() | _TEXT}),
        }
    )
)
_SCHEMA = pa.schema(
    {
        "text": pa.string(),
        "number": pa.int64(),
        "real": pa.float64(),
        "flag": pa.bool_(),
        "raw": pa.binary(),
        "list": pa.list_(pa.string()),
        "item": pa.struct({"a": pa.int8(), "b": pa.string()}),
    }
)


@given(_ROWS)
@settings(deadline=None)
def test_json_says_what_the_rows_say(rows: list[dict[str, Any]]) -> None:
    records = pa.RecordBatch.from_pylist(rows, schema=_SCHEMA)
    lines = bytes(json_lines(records)).decode()
    assert lines.endswith("\n") or not rows
    got = [json.loads(line) for line in lines.split("\n")[:-1]]
    for row, line in zip(rows, got, strict=True):
        expected = dict(row)
        if expected["real"] is not None and not math.isfinite(expected["real"]):
            expected["real"] = None
        if expected["raw"] is not None:
            expected["raw"] = expected["raw"].hex()
        assert line == expected
    sliced = bytes(json_lines(records.slice(1))).decode()
    assert sliced == "".join(line + "\n" for line in lines.split("\n")[1:-1])


def test_json_flow_has_every_column_in_order_and_exact_time() -> None:
    stream = io.BytesIO()
    with JsonSink(stream) as sink:
        sink.write(batch(flow(process_name='a "b"\n', cgroup_id=2**64 - 1)))
    (line,) = stream.getvalue().splitlines()
    row = json.loads(line)
    assert tuple(row) == FLOWS.names
    assert row["time"] == "2023-11-14T22:13:20.000000001Z"
    assert (row["process_name"], row["cgroup_id"], row["pod_name"]) == ('a "b"\n', 2**64 - 1, None)


def test_json_says_what_was_lost() -> None:
    stream = io.BytesIO()
    with JsonSink(stream) as sink:
        sink.write(batch(flow(), lost={"ring": 3, "map": 0}))
        sink.write(batch())
    first, second = map(json.loads, stream.getvalue().splitlines())
    assert first["process_pid"] == 7
    assert list(second) == list(LOSSES.names)
    assert (second["stage"], second["table"], second["rows"]) == ("ring", "flows", 3)


def test_many_rows_are_written_in_pieces() -> None:
    stream = io.BytesIO()
    rows = 70_000
    JsonSink(stream).write(Batch("losses", LOSSES.conform(pa.RecordBatch.from_pydict({"rows": range(rows)}))))
    lines = stream.getvalue().splitlines()
    assert [json.loads(line)["rows"] for line in (lines[0], lines[65_536], lines[-1])] == [0, 65_536, rows - 1]
    assert len(lines) == rows


def test_csv_reads_back() -> None:
    stream = io.BytesIO()
    with CsvSink(stream) as sink:
        sink.write(batch(flow(process_name='x, "y"\nz', interval_s=0.5)))
        sink.write(batch(flow(interval_s=float("nan"))))
    header, first, second = csv.reader(io.StringIO(stream.getvalue().decode()))
    assert tuple(header) == FLOWS.names
    row = dict(zip(header, first, strict=True))
    assert (row["time"], row["process_name"], row["interval_s"], row["pod_name"]) == (
        "2023-11-14T22:13:20.000000001Z",
        'x, "y"\nz',
        "0.5",
        "",
    )
    assert dict(zip(header, second, strict=True))["interval_s"] == ""


def test_arrow_reads_back_with_units_and_losses() -> None:
    stream = io.BytesIO()
    with ArrowSink(stream) as sink:
        sink.write(batch(flow(), lost={"ring": 2, "map": 0}))
        sink.write(batch(flow(), flow()))
    reader = pa.ipc.open_stream(stream.getvalue())
    assert reader.schema.equals(FLOWS.schema)
    assert reader.schema.field("rtt_us").metadata[b"unit"] == b"us"
    first = reader.read_next_batch_with_custom_metadata()
    assert json.loads(first.custom_metadata[b"lost"]) == {"ring": 2}
    assert first.batch.column("time").type == pa.timestamp("ns", "UTC")
    assert reader.read_next_batch().num_rows == 2
    assert not stream.closed


@pytest.mark.parametrize(("sink", "name"), [(CsvSink, "csv"), (ArrowSink, "arrow")])
def test_two_tables_do_not_fit_into_one(sink: type[CsvSink | ArrowSink], name: str) -> None:
    with sink(io.BytesIO()) as opened:
        opened.write(batch(flow()))
        with pytest.raises(UsageError, match=f"-o {name} can hold one table, not both flows and execs"):
            opened.write(Batch("execs", EXECS.empty()))


class Gone(io.BytesIO):
    """A pipe whose reader leaves after ``room`` bytes."""

    room = 1_000

    def write(self, data: Any) -> int:
        self.room -= len(data)
        if self.room < 0:
            raise BrokenPipeError(32, "Broken pipe")
        return super().write(data)


@pytest.mark.parametrize("sink", [JsonSink, CsvSink, ArrowSink])
def test_a_reader_that_left_is_said_once(sink: type[JsonSink | CsvSink | ArrowSink]) -> None:
    opened = sink(Gone())
    with pytest.raises(BrokenPipeError):
        for _ in range(100):
            opened.write(batch(flow(), flow()))
    opened.close()
    opened.close()


def test_head_ends_a_writer_without_a_traceback() -> None:
    program = (
        "import sys\n"
        "from beespace.sinks.json import JsonSink\n"
        "from beespace.stream import TABLES, Batch\n"
        "batch = Batch('losses', TABLES['losses'].batch_of([{'rows': 1}] * 1000))\n"
        "with JsonSink(sys.stdout.buffer) as sink:\n"
        "    try:\n"
        "        while True: sink.write(batch)\n"
        "    except BrokenPipeError:\n"
        "        pass\n"
    )
    writer = subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")},
    )
    assert writer.stdout is not None and writer.stderr is not None
    with writer, writer.stdout, writer.stderr:
        assert json.loads(writer.stdout.readline())["rows"] == 1
        writer.stdout.close()
        assert writer.stderr.read() == b""


# -- results -------------------------------------------------------------------------------------------------------

RESULT = pa.table(
    {
        "time": pa.array([NOW, None], pa.timestamp("ns", "UTC")),
        "name": ["web\x1b[31m", "a name that is quite long, as they are"],
        "sum": pa.array([3, None], pa.int64()),
    }
)


def shown(result: pa.Table, format: str, width: int | None = None) -> str:
    stream = io.BytesIO()
    write_result(result, format, stream, width)
    return stream.getvalue().decode()


def test_result_as_a_table() -> None:
    lines = shown(RESULT, "table").splitlines()
    assert lines[0].split() == ["time", "name", "sum"]
    assert lines[2].startswith("2023-11-14T22:13:20.000Z  web\N{REPLACEMENT CHARACTER}[31m")
    assert re.fullmatch(r"null +a name that is quite long, as they are +null", lines[3])
    assert lines[4] == "(2 rows)"
    assert shown(RESULT.slice(0, 1), "table").endswith("(1 row)\n")
    assert shown(RESULT.slice(0, 0), "table").endswith("(0 rows)\n")


def test_result_fits_the_terminal() -> None:
    assert max(map(len, shown(RESULT, "table", 60).splitlines())) <= 60
    assert "…" in shown(RESULT, "table", 60)
    blocks = shown(RESULT, "table", 30).splitlines()
    assert blocks[0] == "── 1 ──"
    assert blocks[2].startswith("name  web")


def test_result_as_json_csv_and_arrow() -> None:
    assert json.loads(shown(RESULT, "json").splitlines()[1]) == {
        "time": None,
        "name": "a name that is quite long, as they are",
        "sum": None,
    }
    assert shown(RESULT.slice(0, 0), "csv").strip() == '"time","name","sum"'
    assert shown(RESULT.slice(0, 0), "json") == ""
    stream = io.BytesIO()
    write_result(RESULT, "arrow", stream)
    assert pa.ipc.open_stream(stream.getvalue()).read_all().equals(RESULT)


def test_unknown_output() -> None:
    with pytest.raises(UsageError, match="no output 'xml'"):
        shown(RESULT, "xml")
