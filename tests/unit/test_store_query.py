"""SQL over a store: the joins, the types, what a query may not do, and what is said of a wrong one."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from beespace.errors import StoreError, UsageError
from beespace.sinks.store import query as query_module
from beespace.sinks.store.query import query
from beespace.sinks.store.segment import live, segments_in
from beespace.sinks.store.shape import STORED_TIME, stored_schema
from beespace.sinks.store.writer import Writer
from beespace.stream import TABLES

S = 1_000_000  # µs
T0 = 1_700_000_000 * S
START = T0 - 100 * S


def put(directory: Path, **tables: list[dict[str, Any]]) -> Path:
    """A store with these rows, one segment for each table; times are µs."""
    writer = Writer(directory)
    for name, rows in tables.items():
        schema = stored_schema(TABLES[name])
        arrays = [pa.array([row.get(field.name) for row in rows], field.type) for field in schema]
        writer.write(TABLES[name], pa.Table.from_arrays(arrays, schema=schema))
    writer.close()
    return directory


def flow(at: int, pid: int = 7, **values: Any) -> dict[str, Any]:
    return {"time": at, "process_pid": pid, "process_start_time": START, "tx_bytes": 1, **values}


def process(valid_from: int, pid: int = 7, **values: Any) -> dict[str, Any]:
    return {
        "process_pid": pid, "process_start_time": START, "valid_from": valid_from, "recorded": valid_from, **values,
    }  # fmt: skip


def ask(directory: Path, sql: str) -> list[tuple[Any, ...]]:
    """Rows as tuples, times as µs."""
    answer = query(directory, sql)
    columns = [
        (column.cast(STORED_TIME).cast(pa.int64()) if pa.types.is_timestamp(column.type) else column).to_pylist()
        for column in answer.columns
    ]
    return list(zip(*columns, strict=True))


# -- columns and types ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TABLES)
def test_an_empty_table_has_its_columns(tmp_path: Path, name: str) -> None:
    answer = query(put(tmp_path), f"select * from {name}")
    assert answer.num_rows == 0
    assert tuple(answer.schema.names) == TABLES[name].names
    for column in TABLES[name].columns:
        assert answer.schema.field(column.name).type == column.type


@pytest.mark.parametrize("name", TABLES)
def test_a_table_with_rows_has_the_same_columns(tmp_path: Path, name: str) -> None:
    row = {
        "time": T0,
        "process_pid": 1,
        "process_start_time": T0,
        "container_id": "c",
        "valid_from": T0,
        "recorded": T0,
    }
    answer = query(put(tmp_path, **{name: [row]}), f"select * from {name}")
    assert answer.num_rows == 1
    assert tuple(answer.schema.names) == TABLES[name].names
    for column in TABLES[name].columns:
        assert answer.schema.field(column.name).type == column.type


def test_times_sums_and_differences(tmp_path: Path) -> None:
    put(tmp_path, flows=[flow(T0, tx_bytes=1, rx_bytes=3), flow(T0 + S, tx_bytes=2, rx_bytes=3)])
    answer = query(tmp_path, "select max(time) as t, sum(tx_bytes) as s, min(tx_bytes - rx_bytes) as d from flows")
    assert [field.type for field in answer.schema] == [pa.timestamp("ns", "UTC"), pa.int64(), pa.int64()]
    assert answer.column("t")[0].as_py() == datetime(2023, 11, 14, 22, 13, 21, tzinfo=UTC)
    assert (answer.column("s")[0].as_py(), answer.column("d")[0].as_py()) == (3, -2)
    assert ask(tmp_path, "select count(*) from flows where time > '2023-11-14 22:13:20Z'") == [(1,)]
    assert ask(tmp_path, "select count(*) from flows where time < now() - interval 1 day") == [(2,)]
    assert ask(tmp_path, "select time_bucket(interval 10 second, time), count(*) from flows group by 1") == [(T0, 2)]
    assert ask(tmp_path, "select '2500-01-01 00:00:00Z'::timestamptz is null, 2::hugeint ** 100 > 1") == [(False, True)]


def test_segments_of_an_older_beespace_lack_columns(tmp_path: Path) -> None:
    put(tmp_path, losses=[{"time": T0, "rows": 1}])
    (segment,) = segments_in(tmp_path / "losses")
    pq.write_table(pq.read_table(segment.path).drop_columns(["stage"]), segment.path)
    assert ask(tmp_path, "select * from losses") == [(T0, None, None, 1)]


# -- joins ---------------------------------------------------------------------------------------------------------


def test_names_are_those_of_that_time(tmp_path: Path) -> None:
    put(
        tmp_path,
        flows=[flow(T0 - S), flow(T0 + 5 * S), flow(T0 + 10 * S), flow(T0 + 11 * S), flow(T0, pid=8), flow(T0, pid=9)],
        processes=[
            process(T0, process_name="sh", process_executable="/bin/sh"),
            process(T0 + 10 * S, process_name="nginx"),
            process(T0 + 100 * S, pid=9, process_name="late"),
        ],
    )
    assert ask(tmp_path, "select process_pid, time, process_name, process_executable from flows order by 1, 2") == [
        (7, T0 - S, "sh", "/bin/sh"),  # seen before its name was: the first version counts
        (7, T0 + 5 * S, "sh", "/bin/sh"),
        (7, T0 + 10 * S, "nginx", None),
        (7, T0 + 11 * S, "nginx", None),
        (8, T0, None, None),
        (9, T0, "late", None),
    ]
    assert ask(tmp_path, "select process_name, valid_from, valid_to from processes order by process_pid, 2") == [
        ("sh", T0, T0 + 10 * S),
        ("nginx", T0 + 10 * S, None),
        ("late", T0 + 100 * S, None),
    ]


def test_a_pid_that_is_used_again_is_somebody_else(tmp_path: Path) -> None:
    put(
        tmp_path,
        flows=[flow(T0), flow(T0, process_start_time=START + S), flow(T0, process_start_time=None)],
        processes=[
            process(START, process_name="first"),
            process(T0, process_start_time=START + S, process_name="second"),
        ],
    )
    rows = ask(tmp_path, "select process_name from flows order by 1 nulls last")
    assert rows == [("first",), ("second",), (None,)]


def test_late_metadata_repairs_old_rows(tmp_path: Path) -> None:
    put(
        tmp_path,
        flows=[flow(T0, container_id="abc")],
        execs=[{"time": T0, "container_id": "abc", "process_name": "sh"}],
        containers=[
            {"container_id": "abc", "valid_from": T0 + S, "recorded": T0 + S, "container_name": "web"},
            {
                "container_id": "abc",
                "valid_from": T0 + S,
                "recorded": T0 + 9 * S,
                "pod_name": "web-1",
                "namespace": "shop",
            },
        ],
    )
    joined = [("web", "web-1", "shop")]
    assert ask(tmp_path, "select container_name, pod_name, namespace from flows") == joined
    assert ask(tmp_path, "select container_name, pod_name, namespace from execs") == joined
    assert len(ask(tmp_path, "select * from containers")) == 1


@pytest.mark.parametrize("order", [1, -1])
def test_what_one_segment_says_twice_lasted_as_long_as_the_longer(tmp_path: Path, order: int) -> None:
    seen = [process(T0, recorded=T0 + 9 * S, valid_to=T0 + second * S) for second in (2, 5)]
    put(tmp_path, processes=seen[::order])
    assert ask(tmp_path, "select valid_to from processes") == [(T0 + 5 * S,)]


_VERSIONS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 20), st.sampled_from("abc") | st.none()), max_size=12)


@given(_VERSIONS, st.lists(st.tuples(st.integers(0, 4), st.integers(-2, 25)), min_size=1, max_size=12))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_joins_agree_with_a_plain_search(
    tmp_path_factory: pytest.TempPathFactory, versions: list[tuple[int, int, str | None]], facts: list[tuple[int, int]]
) -> None:
    directory = put(
        tmp_path_factory.mktemp("store"),
        flows=[flow(T0 + at, pid, rx_bytes=number) for number, (pid, at) in enumerate(facts)],
        processes=[
            process(T0 + at, pid, process_name=name, recorded=T0 + number)
            for number, (pid, at, name) in enumerate(versions)
        ],
    )
    expected = []
    for pid, at in facts:
        of_pid: dict[int, str | None] = {}
        for version_pid, valid_from, name in versions:  # recorded in this order
            if version_pid == pid:
                of_pid[valid_from] = name if name is not None else of_pid.get(valid_from)
        started = [valid_from for valid_from in sorted(of_pid) if valid_from <= at] or sorted(of_pid)[:1]
        expected.append(of_pid[started[-1]] if started else None)
    assert [name for (name,) in ask(directory, "select process_name from flows order by rx_bytes")] == expected


# -- only reading --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sql",
    ["from flows", "table flows", "describe flows", "summarize flows", "show tables", "values (1)", "explain select 1",
     "EXPLAIN (FORMAT json) select 1", "explain analyze select 1", "with a as (select 1) select * from a", "select 1;",
     "pivot flows on transport using sum(tx_bytes) group by time", "-- a comment\nselect 1"],
)  # fmt: skip
def test_questions_are_answered(tmp_path: Path, sql: str) -> None:
    query(put(tmp_path, flows=[flow(T0, transport="tcp")]), sql)


@pytest.mark.parametrize(
    "sql",
    ["drop view flows", "create table t as select 1", "insert into flows values (1)", "delete from flows",
     "copy flows to '{}/out.csv'", "copy (select 1) to '{}/out.parquet' (use_tmp_file false)", "set threads = 1",
     "set enable_external_access = true", "attach '{}/other.db'", "install httpfs", "load httpfs", "pragma version",
     "call duckdb_settings()", "export database '{}/out'", "explain analyze copy (select 1) to '{}/out.csv'",
     "explain explain analyze copy (select 1) to '{}/out.csv'", "begin", "prepare a as select 1", "checkpoint",
     "explain analyze create table t as select 1", "use segments", "vacuum"],
)  # fmt: skip
def test_a_query_only_reads(tmp_path: Path, sql: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    put(tmp_path / "store", flows=[flow(T0)])
    with pytest.raises(UsageError) as caught:
        query(tmp_path / "store", sql.format(outside))
    assert caught.value.exit_status == 2
    assert list(outside.iterdir()) == []
    assert ask(tmp_path / "store", "select count(*) from flows") == [(1,)]


@pytest.mark.parametrize(
    "sql",
    ["select * from '{}'", "select * from read_csv('{}')", "select * from read_text('{}')", "from read_blob('{}')",
     "select * from parquet_metadata('{}')", "select * from glob('{}')", "select * from read_parquet('{}')",
     "select * from sniff_csv('{}')", "select * from query('select * from read_text(''{}'')')",
     "select * from secret_rows"],
)  # fmt: skip
def test_no_file_and_no_variable_is_in_reach(tmp_path: Path, sql: str) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("password\nhunter2\n")
    secret_rows = pa.table({"password": ["hunter2"]})
    put(tmp_path / "store")
    with pytest.raises(UsageError) as caught:
        query(tmp_path / "store", sql.format(secret))
    assert "hunter2" not in str(caught.value)
    assert secret_rows.num_rows == 1


def test_a_query_writes_nothing(tmp_path: Path) -> None:
    put(tmp_path, flows=[flow(T0)])
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    here = set(Path().iterdir())
    ask(tmp_path, "select process_name, count(*) from flows group by 1 order by 2")
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    assert set(Path().iterdir()) == here


# -- what is wrong with a query ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "message", "help"),
    [
        (
            "select * from flow",
            "there is no table 'flow', at line 1, column 15:\n  select * from flow\n                ^",
            "did you mean flows?",
        ),
        (
            "select * from zzz",
            "there is no table 'zzz'",
            "there are flows, execs, dns, drops, uplinks, costs, processes, containers, addresses, losses",
        ),
        ("select tx_byte from flows", "no column 'tx_byte', at line 1, column 8", "did you mean tx_bytes or rx_bytes"),
        ("select f.pod from flows f", "there is no column 'pod', at line 1, column 8", "did you mean pod_uid?"),
        ("select node from flows\ngroup by 1 having zzz > 1", "no column 'zzz', at line 2, column 19", "`beespace"),
        ("select tx_bytes from execs", "there is no column 'tx_bytes'", None),
        ("selec 1", 'syntax error at or near "selec", at line 1, column 1:\n  selec 1\n  ^', None),
        ("select node\nfrom flows were 1", "syntax error at or near", None),
        ("select 'é', frm(1)", "frm does not exist, at line 1, column 13", None),
        ("select 'abc", "unterminated", None),
        ("", "there is no statement in the query", "ask one thing"),
        ("  -- nothing", "there is no statement in the query", "ask one thing"),
        ("select 1; select 2", "the query has 2 statements", "ask one thing"),
        ("drop view flows", "a query only reads: DROP is not allowed", "ask with SELECT"),
        ("from read_text('/etc/passwd')", "may read the store's tables, and no files", "there are flows"),
        ("select 'x'::int", "Could not convert string 'x' to INT32, at line 1, column 11", None),
        ("select error('my own words')", "my own words", None),
        ("select sum(tx_bytes, 1) from flows", "No function matches", None),
        ("select 1 from flows where sum(tx_bytes) > 1", "cannot contain aggregates, at line 1, column 27", None),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, sql: str, message: str, help: str | None) -> None:
    with pytest.raises(UsageError) as caught:
        query(put(tmp_path), sql)
    assert message in caught.value.message
    assert "exception_type" not in str(caught.value)
    if help is not None:
        assert caught.value.help is not None and caught.value.help.startswith(help)


def test_a_damaged_segment_is_named(tmp_path: Path) -> None:
    put(tmp_path, flows=[flow(T0)], execs=[{"time": T0}])
    (segment,) = segments_in(tmp_path / "flows")
    whole = segment.path.read_bytes()
    for broken in (b"", b"PAR1", whole[: len(whole) // 2], whole[:4] + b"\xff" * 60 + whole[64:]):
        segment.path.write_bytes(broken)
        with pytest.raises(StoreError, match=f"segment {segment.path.name} of the store .* is damaged") as caught:
            query(tmp_path, "select * from flows")
        assert caught.value.help == f"move {segment.path} away: everything else stays readable"
    segment.path.rename(tmp_path / "away.parquet")
    assert ask(tmp_path, "select (select count(*) from flows), (select count(*) from execs)") == [(0, 1)]


def test_paths_with_odd_characters(tmp_path: Path) -> None:
    assert ask(put(tmp_path / "it's ü", flows=[flow(T0)]), "select count(*) from flows") == [(1,)]
    with pytest.raises(StoreError, match="have a meaning in its path"):
        query(put(tmp_path / "a[1]"), "select 1")
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "it's ü")
    assert ask(link, "select count(*) from flows") == [(1,)]


def test_a_segment_that_vanished_is_looked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, flows=[flow(T0)])
    (segment,) = segments_in(tmp_path / "flows")
    renamed = segment.path.with_name(segment.path.name.replace("000000000001.", "000000000002."))
    listings: list[int] = []

    def listing(directory: Path) -> Any:
        found = segments_in(directory)
        if directory.name == "flows":
            listings.append(1)
            if len(listings) == 1:
                segment.path.rename(renamed.with_name("000000000001-000000000002-1-2.parquet"))
        return found

    monkeypatch.setattr(query_module, "segments_in", listing)
    assert ask(tmp_path, "select count(*) from flows") == [(1,)]
    assert len(listings) == 2
    monkeypatch.setattr(query_module, "segments_in", lambda directory: [segment] if directory.name == "flows" else [])
    with pytest.raises(StoreError, match="changes faster than it can be read"):
        query(tmp_path, "select count(*) from flows")
    assert live([segment]) == [segment]
