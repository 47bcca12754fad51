"""Segments, compaction, retention, locks, and stores that are none."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beespace.errors import StoreError
from beespace.sinks.store import writer as writer_module
from beespace.sinks.store.directory import check, reading
from beespace.sinks.store.query import query
from beespace.sinks.store.segment import Segment, live, name_of, segments_in, superseded
from beespace.sinks.store.shape import stored_schema
from beespace.sinks.store.writer import FAN, Writer, due
from beespace.stream import TABLES

LOSSES, PROCESSES, FLOWS = TABLES["losses"], TABLES["processes"], TABLES["flows"]
SOURCE = str(Path(__file__).parents[2] / "src")


class Clock:
    """Milliseconds that pass when told to."""

    def __init__(self, now: int = 1_700_000_000_000) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


def losses(*times_ms: int, rows: int = 1) -> pa.Table:
    return pa.table(
        {
            "time": pa.array([time * 1000 for time in times_ms], pa.timestamp("us", "UTC")),
            "rows": [rows] * len(times_ms),
        }
    )


def stored(directory: Path, table: str = "losses") -> list[int]:
    """The ``rows`` column of everything that counts, in order of segments."""
    found: list[int] = []
    for segment in live(segments_in(directory / table)):
        found += pq.read_table(segment.path).column("rows").to_pylist()
    return found


@contextmanager
def as_nobody(directory: Path) -> Iterator[None]:
    """Without the rights of the owner, who may be root."""
    if os.geteuid():
        pytest.skip("only root can become somebody else")
    for parent in directory.parents:
        if not parent.stat().st_mode & 0o001:
            parent.chmod(parent.stat().st_mode | 0o001)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


# -- segments ------------------------------------------------------------------------------------------------------


def segment(first: int, last: int, oldest: int = 0, newest: int = 0, size: int = 1) -> Segment:
    return Segment(Path(name_of(first, last, oldest, newest)), first, last, oldest, newest, size)


def test_names_say_it_all(tmp_path: Path) -> None:
    for name in (name_of(9, 17, 5, 99), name_of(18, 18, 0, 1), ".tmp-000000000019-000000000019.parquet", "notes.txt"):
        (tmp_path / name).write_bytes(b"12345")
    found = segments_in(tmp_path)
    assert [(s.first, s.last, s.oldest, s.newest, s.size, s.flushes) for s in found] == [
        (9, 17, 5, 99, 5, 9),
        (18, 18, 0, 1, 5, 1),
    ]
    assert segments_in(tmp_path / "nowhere") == []


@given(
    st.permutations(
        [segment(1, 1), segment(2, 2), segment(1, 2), segment(3, 3), segment(4, 4), segment(1, 4), segment(5, 5)]
    )
)
def test_what_is_covered_does_not_count(segments: list[Segment]) -> None:
    assert [(s.first, s.last) for s in live(segments)] == [(1, 4), (5, 5)]
    assert len(superseded(segments)) == 5


@given(st.integers(1, 700), st.integers(0, 300))
def test_flushes_end_up_in_few_segments(flushes: int, restart: int) -> None:
    segments: list[Segment] = []
    rewritten = 0
    for number in range(1, flushes + 1):
        segments.append(segment(number, number))
        while groups := due(segments, None):
            for group in groups:
                assert [s.last + 1 for s in group[:-1]] == [s.first for s in group[1:]]
                place = segments.index(group[0])
                segments[place : place + len(group)] = [segment(group[0].first, group[-1].last)]
                rewritten += group[-1].last - group[0].first + 1
        if number == restart:
            segments = live(segments)
    assert len(segments) <= (FAN - 1) * 4
    assert rewritten <= 4 * flushes
    assert sum(s.flushes for s in segments) == flushes


def test_big_segments_and_long_spans_are_left_alone() -> None:
    small = [segment(n, n, n * 1000, n * 1000 + 999) for n in range(1, 9)]
    assert [len(group) for group in due(small, 7_999)] == [8]
    assert due(small, 7_998) == []
    big = [segment(n, n, size=writer_module.BIG) for n in range(1, 9)]
    assert due(big, None) == []
    assert due([*small[:4], *big[:1], *small[4:]], None) == []


# -- writing -------------------------------------------------------------------------------------------------------


def test_segments_have_the_stored_schema_and_bounds(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    made = writer.write(LOSSES, losses(1_700_000_000_123, 1_700_000_000_001))
    assert writer.write(LOSSES, losses()) is None
    writer.close()
    assert made is not None
    assert (made.oldest, made.newest) == (1_700_000_000_001, 1_700_000_000_123)
    assert segments_in(tmp_path / "losses") == [made]
    schema = pq.read_schema(made.path)
    assert schema.equals(stored_schema(LOSSES))
    assert schema.field("rows").metadata[b"unit"] == b"{row}"


def test_new_segments_are_quick_and_merged_ones_small(tmp_path: Path) -> None:
    """What is merged soon is written otherwise than what stays; both say the same."""
    writer = Writer(tmp_path)
    at = 1_700_000_000_000
    for flush in range(FAN):
        writer.write(LOSSES, losses(*range(at + 1000 * flush, at + 1000 * flush + 500)))
    new = list(writer.segments("losses"))
    rows = pa.concat_tables([writer.read(segment) for segment in new])
    assert encodings(new[0].path, "time") == ("SNAPPY", "DELTA_BINARY_PACKED")
    writer.maintain()
    (merged,) = writer.segments("losses")
    writer.close()
    assert encodings(merged.path, "time")[0] == "ZSTD"
    assert pq.read_table(merged.path).equals(rows)


def encodings(path: Path, column: str) -> tuple[str, ...]:
    with pq.ParquetFile(path) as file:
        found = file.metadata.row_group(0).column(file.schema.names.index(column))
        return found.compression, *(each for each in found.encodings if each not in ("RLE", "PLAIN"))


def test_a_segment_is_on_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = Writer(tmp_path)
    synced: list[tuple[str, int]] = []
    original = os.fsync

    def fsync(descriptor: int) -> None:
        original(descriptor)
        synced.append((Path(f"/proc/self/fd/{descriptor}").readlink().name, len(segments_in(tmp_path / "losses"))))

    monkeypatch.setattr(os, "fsync", fsync)
    writer.write(LOSSES, losses(1_700_000_000_000))
    writer.close()
    assert synced == [(".tmp-000000000001-000000000001.parquet", 0), ("losses", 1)]


def test_compaction_keeps_every_row_once(tmp_path: Path) -> None:
    clock = Clock()
    writer = Writer(tmp_path, clock=clock)
    for number in range(1, FAN * FAN + 4):
        writer.write(LOSSES, losses(clock.now, clock.now, rows=number))
        writer.maintain()
        assert stored(tmp_path) == [n for n in range(1, number + 1) for _ in "ab"]
    assert len(writer.segments("losses")) == 1 + 3
    assert len(segments_in(tmp_path / "losses")) > 70  # still there for those who read them
    clock.now += 60_000
    writer.maintain()
    assert segments_in(tmp_path / "losses") == list(writer.segments("losses"))
    writer.close()
    answer = query(tmp_path, "select sum(rows) as sum, count(*) as count from losses")
    assert answer.to_pylist() == [{"sum": 67 * 68, "count": 134}]


def test_a_crash_between_merge_and_delete_counts_nothing_twice(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    for number in range(FAN):
        writer.write(LOSSES, losses(1_700_000_000_000, rows=number))
    writer.maintain()
    writer.close()  # as a crash leaves it: merged and covered segments side by side
    (tmp_path / "losses" / ".tmp-000000000009-000000000009.parquet").write_bytes(b"half")
    assert len(segments_in(tmp_path / "losses")) == FAN + 1
    assert stored(tmp_path) == list(range(FAN))
    clock = Clock(2**62)
    again = Writer(tmp_path, clock=clock)
    assert [path.name for path in (tmp_path / "losses").glob(".tmp-*")] == []
    assert [s.flushes for s in again.segments("losses")] == [FAN]
    clock.now += 60_000
    again.maintain()
    again.close()
    assert len(segments_in(tmp_path / "losses")) == 1


def test_merging_reads_little_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "ROW_GROUP", 10)
    monkeypatch.setattr(writer_module, "_PIECE", 3)
    writer = Writer(tmp_path)
    for number in range(FAN):
        writer.write(LOSSES, losses(*[1_700_000_000_000] * 7, rows=number))
    writer.maintain()
    (merged,) = writer.segments("losses")
    writer.close()
    file = pq.ParquetFile(merged.path)
    assert max(file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)) == 10
    assert stored(tmp_path) == [n for n in range(FAN) for _ in range(7)]


def test_a_damaged_segment_is_said_and_left_alone(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    made = [writer.write(LOSSES, losses(1_700_000_000_000)) for _ in range(FAN)]
    assert made[3] is not None
    made[3].path.write_bytes(b"PAR1 this is no segment PAR1")
    with pytest.raises(StoreError, match=re.escape(f"segment {made[3].path.name} of the store {tmp_path} is damaged")):
        writer.maintain()
    writer.maintain()  # goes on without it
    assert not list(tmp_path.glob("*/.tmp-*"))
    writer.write(LOSSES, losses(1_700_000_000_000))
    writer.close()


# -- retention -----------------------------------------------------------------------------------------------------


def test_old_rows_go(tmp_path: Path) -> None:
    clock = Clock()
    writer = Writer(tmp_path, keep_ms=10_000, clock=clock)
    for number in range(15):
        writer.write(LOSSES, losses(clock.now, rows=number))
        clock.now += 1_000
        writer.maintain()
    writer.close()
    assert stored(tmp_path) == list(range(5, 15))
    assert len(segments_in(tmp_path / "losses")) == 10


def test_bytes_are_bounded_and_the_oldest_go_first(tmp_path: Path) -> None:
    clock = Clock()
    limit = 20_000
    writer = Writer(tmp_path, keep_bytes=limit, clock=clock)
    for number in range(80):
        writer.write(LOSSES, losses(clock.now, rows=number))
        clock.now += 1_000
        writer.maintain()
        assert sum(path.stat().st_size for path in tmp_path.glob("*/*.parquet")) <= limit
        kept = stored(tmp_path)
        assert kept == list(range(kept[0], number + 1))
    writer.close()
    assert len(kept) < 80


def test_merged_segments_stay_while_somebody_reads(tmp_path: Path) -> None:
    clock = Clock()
    writer = Writer(tmp_path, clock=clock)
    for number in range(FAN):
        writer.write(LOSSES, losses(clock.now, rows=number))
    writer.maintain()

    def left() -> int:
        writer.maintain()
        return len(segments_in(tmp_path / "losses"))

    clock.now += 60_000
    with reading(tmp_path), reading(tmp_path):  # readers do not wait for one another
        assert left() == FAN + 1
        clock.now += 600_000 - 1
        assert left() == FAN + 1
        clock.now += 1
        assert left() == 1  # a reader that hangs does not fill the disk
    for number in range(FAN):
        writer.write(LOSSES, losses(clock.now, rows=number))
    assert left() == 2 + FAN
    clock.now += 60_000
    assert left() == 2
    writer.close()


def test_retention_never_brings_covered_rows_back(tmp_path: Path) -> None:
    clock = Clock()
    writer = Writer(tmp_path, keep_ms=30_000 * 16, clock=clock)
    for number in range(FAN):
        writer.write(LOSSES, losses(clock.now, rows=number))
    writer.maintain()
    assert len(segments_in(tmp_path / "losses")) == FAN + 1
    clock.now += 30_000 * 16 + 1
    writer._covered = [(clock.now, covered) for _since, covered in writer._covered]  # still in grace
    writer.maintain()
    writer.close()
    assert segments_in(tmp_path / "losses") == []


def test_dimension_rows_stay_while_a_fact_names_them(tmp_path: Path) -> None:
    clock = Clock()
    writer = Writer(tmp_path, keep_ms=1_000_000, clock=clock)
    start = clock.now * 1000

    def process(pid: int) -> pa.Table:
        row = {"process_pid": pid, "process_start_time": start, "valid_from": start, "process_name": f"p{pid}"}
        return pa.Table.from_pylist([{**row, "recorded": clock.now * 1000}], schema=stored_schema(PROCESSES))

    def talk(pid: int) -> pa.Table:
        row = {"process_pid": pid, "process_start_time": start, "time": clock.now * 1000, "tx_bytes": 1}
        return pa.Table.from_pylist([row], schema=stored_schema(FLOWS))

    for pid in (1, 2, 3):
        writer.write(PROCESSES, process(pid))
    writer.write(FLOWS, talk(1))
    clock.now += 600_000
    writer.write(FLOWS, talk(2))  # long after 2 was recorded
    clock.now += 600_000
    writer.write(PROCESSES, process(4))  # recorded now, not named yet
    writer.maintain()
    writer.close()
    answer = query(tmp_path, "select process_name, tx_bytes from flows").to_pylist()
    assert answer == [{"process_name": "p2", "tx_bytes": 1}]
    assert query(tmp_path, "select process_pid from processes order by 1").column(0).to_pylist() == [2, 4]


# -- directories ---------------------------------------------------------------------------------------------------


def test_one_writer(tmp_path: Path) -> None:
    first = Writer(tmp_path)
    with pytest.raises(StoreError, match=f"is being written by process {os.getpid()}") as caught:
        Writer(tmp_path)
    assert caught.value.help is not None and "one writer" in caught.value.help
    first.close()
    first.close()
    Writer(tmp_path).close()


def test_a_killed_writer_leaves_a_readable_store_and_no_lock(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib, time\n"
        "from beespace.sinks.store.writer import Writer\n"
        "from beespace.stream import TABLES\n"
        "import pyarrow as pa\n"
        "writer = Writer(pathlib.Path(sys.argv[1]))\n"
        "rows = pa.table({'time': pa.array([1700000000000000], pa.timestamp('us', 'UTC')), 'rows': [1]})\n"
        "for number in range(10**9):\n"
        "    writer.write(TABLES['losses'], rows)\n"
        "    writer.maintain()\n"
        "    print(number + 1, flush=True)\n"
    )
    total = 0
    for enough in (5, 9, 21):
        writer = subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path)],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": SOURCE},
        )
        assert writer.stdout is not None
        with writer:
            written = 0
            while written < enough:
                written = int(writer.stdout.readline())
            writer.send_signal(signal.SIGKILL)
            written = int((writer.stdout.read().split() or [written])[-1])
        total += written
        count = query(tmp_path, "select count(*) as rows from losses").to_pylist()[0]["rows"]
        assert count in (total, total + 1)  # the last may be on disk and not yet told
        total = count
    Writer(tmp_path).close()
    assert not list(tmp_path.glob("*/.tmp-*"))


def test_the_marker_is_what_makes_a_store(tmp_path: Path) -> None:
    Writer(tmp_path / "new" / "store").close()
    marker = tmp_path / "new" / "store" / "beespace.json"
    assert json.loads(marker.read_text()) == {"format": "beespace-store", "version": 1}
    check(marker.parent)


def test_what_a_crash_leaves_of_a_new_store_is_taken_over(tmp_path: Path) -> None:
    (tmp_path / ".tmp-beespace.json").write_bytes(b"{")
    (tmp_path / "lock").touch()
    with pytest.raises(StoreError, match="is empty: there is no history"):
        check(tmp_path)
    Writer(tmp_path).close()
    check(tmp_path)


def _missing(path: Path) -> None:
    path.rmdir()


def _foreign(path: Path) -> None:
    (path / "thesis.tex").write_text("years of work")


def _other_json(path: Path) -> None:
    (path / "beespace.json").write_text('{"bees": 3}')


def _truncated(path: Path) -> None:
    Writer(path).close()
    (path / "beespace.json").write_text('{"format": "bee')


def _newer(path: Path) -> None:
    (path / "beespace.json").write_text('{"format": "beespace-store", "version": 2}')


def _without_marker(path: Path) -> None:
    Writer(path).close()
    (path / "beespace.json").unlink()


def _a_file(path: Path) -> None:
    path.rmdir()
    path.write_text("hello")


@pytest.mark.parametrize(
    ("prepare", "reading", "writing"),
    [
        (_missing, "there is no store at {}", None),
        (lambda path: None, "{} is empty: there is no history in it yet", None),
        (_foreign, "{} is not a beespace store, and there is something in it", "{} is not a beespace store"),
        (_other_json, "{} is not a beespace store", "{} is not a beespace store"),
        (_truncated, "the store {} is damaged: its beespace.json is not JSON", "the store {} is damaged"),
        (_newer, "the store {} has format 2, this beespace reads format 1", "the store {} has format 2"),
        (_without_marker, "the store {} is incomplete: its beespace.json is missing", "the store {} is incomplete"),
        (_a_file, "{} is a file, not a store", "{} is a file, not a store"),
    ],
)
def test_what_is_no_store_is_said(tmp_path: Path, prepare: object, reading: str, writing: str | None) -> None:
    path = tmp_path / "store"
    path.mkdir()
    assert callable(prepare)
    prepare(path)
    before = sorted(str(each) for each in tmp_path.rglob("*"))
    with pytest.raises(StoreError, match=re.escape(reading.format(path))) as caught:
        query(path, "select 1")
    assert caught.value.help
    assert sorted(str(each) for each in tmp_path.rglob("*")) == before
    if writing is None:
        Writer(path).close()
        return
    with pytest.raises(StoreError, match=re.escape(writing.format(path))):
        Writer(path)
    left = {Path(each).name for each in map(str, tmp_path.rglob("*"))} - {Path(each).name for each in before}
    assert left <= {"lock"}


def test_a_store_that_may_not_be_written(tmp_path: Path) -> None:
    Writer(tmp_path).close()
    query(tmp_path, "select 1")
    with as_nobody(tmp_path / "x"), pytest.raises(StoreError, match="cannot be written: permission denied") as caught:
        Writer(tmp_path)
    assert caught.value.help == "give --store a directory that you own"


def test_a_store_that_may_not_be_read(tmp_path: Path) -> None:
    Writer(tmp_path).close()
    (tmp_path / "beespace.json").chmod(0o600)
    with as_nobody(tmp_path / "x"), pytest.raises(StoreError, match="cannot be read: permission denied"):
        check(tmp_path)
