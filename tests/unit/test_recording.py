"""Recordings: what is written is read; what is damaged says so; a failing disk leaves nothing half-made."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from beespace.cli.main import main
from beespace.errors import BeespaceError, FormatError, StoreError, UsageError
from beespace.session.pace import Played
from beespace.session.replay import Replay
from beespace.sinks.recording import Manifest, Recording, RecordingSink
from beespace.sinks.recording import writer as writing
from beespace.stream import TABLES, Batch

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND
MANIFEST = Manifest("0.1", "node1", "6.12", "x86_64", START, START, booted=START - 5 * SECOND, notes=("a note",))


def flow(number: int, port: int = 80) -> dict[str, Any]:
    return {
        "time": START + number * SECOND, "interval_s": 1.0, "node": "node1", "process_pid": 7, "process_name": "curl",
        "local_address": "10.0.0.1", "local_port": 1000 + number, "remote_address": "10.0.0.2", "remote_port": port,
        "transport": "tcp", "network_type": "ipv4", "tx_bytes": number, "tx_packets": 1, "rx_bytes": 0, "rx_packets": 0,
        "first_seen": START, "last_seen": START + number * SECOND,
    }  # fmt: skip


def batch(table: str, *rows: dict[str, Any], **lost: int) -> Batch:
    return Batch(table, TABLES[table].batch_of(rows), lost)


def record(path: Path, intervals: int = 3) -> list[list[Batch]]:
    """A recording of so many intervals; what went in."""
    went: list[list[Batch]] = []
    with RecordingSink(path, MANIFEST) as sink:
        for number in range(1, intervals + 1):
            own = [
                batch("execs", {"time": START, "process_pid": number, "process_name": "sh"}),
                batch("flows", flow(number), flow(number, 443), ring=number),
                batch("processes", {"process_pid": 7, "valid_from": START, "process_name": "curl"}),
            ]
            own = own[: 1 + number]  # the first interval has no processes
            for each in own:
                sink.write(each)
            sink.mark(START + number * SECOND, 1.0, {"no socket": number - 1, "no owner": 0})
            went.append(own)
    return went


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.beespace"
    went = record(path)
    assert [each.name for each in tmp_path.iterdir()] == ["a.beespace"]
    with Recording(path) as recording:
        intervals = list(recording.intervals())
        assert [interval.time for interval in intervals] == [START + n * SECOND for n in (1, 2, 3)]
        assert [dict(interval.unattributed) for interval in intervals] == [{}, {"no socket": 1}, {"no socket": 2}]
        for interval, own in zip(intervals, went, strict=True):
            assert [each.table for each in interval.batches] == [each.table for each in own]
            for read, written in zip(interval.batches, own, strict=True):
                assert read.records.equals(written.records) and dict(read.lost) == dict(written.lost)
        manifest = recording.manifest
        assert manifest.rows == {"execs": 3, "flows": 6, "processes": 2} and manifest.notes == ("a note",)
        assert (manifest.ended, manifest.booted, manifest.lost) == (START + 3 * SECOND, START - 5 * SECOND, {})
        assert [len(each) for each in recording.table("flows")] == [2, 2, 2]
        assert list(recording.table("containers")) == [] and recording.unknown == ()


def test_the_same_recording_is_the_same_file(tmp_path: Path) -> None:
    for name in "ab":
        record(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_others_read_it(tmp_path: Path) -> None:
    """With a ZIP and an Arrow library, as docs/recording.md says."""
    record(tmp_path / "a.beespace")
    with zipfile.ZipFile(tmp_path / "a.beespace") as packed, packed.open("flows.arrow") as file:
        table = pa.ipc.open_stream(file).read_all()
    assert table.column("tx_bytes").to_pylist() == [1, 1, 2, 2, 3, 3]
    assert table.schema.field("tx_bytes").metadata[b"unit"] == b"By"


def test_play(tmp_path: Path) -> None:
    record(tmp_path / "a")
    with Recording(tmp_path / "a") as recording:
        replay = Replay(recording)
        pace = Played(replay, 10.0)
        pace.begin()
        assert (replay.began_at, pace.now(), pace.over) == (START, 0.0, False)
        first = pace.due()
        assert [each.table for each in replay.collect()] == ["execs", "flows"]
        assert pace.now() == 1.0
        assert pace.due() - first == pytest.approx(0.1)
        replay.collect()
        assert (pace.over, dict(replay.unattributed_packets)) == (False, {"no socket": 1})
        assert len(replay.collect()) == 3
        assert (replay.ends_at, replay.collect(), pace.over) == (None, [], True)


def test_an_empty_recording_is_played(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record(tmp_path / "a", 0)
    assert main(["replay", str(tmp_path / "a"), "-o", "json"]) == 0
    out, err = capsys.readouterr()
    assert out == "" and "has no flows" in err and "0 flows" in err


def test_replay_by_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record(tmp_path / "a")
    assert main(["replay", str(tmp_path / "a"), "flows", "execs", "-o", "json", "--speed", "max", "--port", "443"]) == 0
    out, err = capsys.readouterr()
    rows = [json.loads(line) for line in out.splitlines()]
    assert [row["remote_port"] for row in rows if "remote_port" in row] == [443] * 3
    assert [(row["stage"], row["rows"]) for row in rows if "stage" in row] == [("ring", 1), ("ring", 2), ("ring", 3)]
    assert [row["process_pid"] for row in rows if "exit_code" in row] == [1, 2, 3]
    assert "3.0 s: 1 flow  " in err and "lost 6 (flows ring 6)" in err and "unattributed 3 packets" in err
    assert main(["replay", str(tmp_path / "a"), "--speed", "max"]) == 0
    out, err = capsys.readouterr()
    assert out.count("PROCESS") == 3 and "cpu" not in out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["/nowhere/at-all"], "there is no file /nowhere/at-all"),
        (["FILE", "--speed", "fast"], "'fast' is no speed"),
        (["FILE", "--speed", "0"], "'0' is no speed"),
        (["FILE", "processes"], "not live"),
        (["FILE", "flows", "execs", "-o", "arrow"], "an Arrow stream holds one table"),
    ],
)
def test_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str) -> None:
    record(tmp_path / "a")
    status = main(["replay", *(str(tmp_path / "a") if each == "FILE" else each for each in arguments)])
    assert status == 2 and says in capsys.readouterr().err


def rewritten(path: Path, member: str, data: bytes) -> io.BytesIO:
    made = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(made, "w") as new:
        for name in old.namelist():
            new.writestr(name, data if name == member else old.read(name))
    made.seek(0)
    return made


@pytest.mark.parametrize(
    ("member", "data", "says"),
    [
        ("manifest.json", b"[", "no JSON"),
        ("manifest.json", b"[1]", "not that of a beespace recording"),
        ("manifest.json", b'{"format": "beespace-recording", "version": 2}', "version 2; this beespace reads 1"),
        ("manifest.json", b'{"format": "beespace-recording", "version": 1, "node": "a"}', "lacks beespace, booted"),
        ("manifest.json", b'{"format": "beespace-recording", "version": 1, "node": 5}', "node is 5"),
        ("intervals.jsonl", b"{}\n", "line 1 of intervals.jsonl is no interval"),
        ("flows.arrow", b"ARROW1", "flows.arrow is damaged"),
    ],
)
def test_what_is_no_recording(tmp_path: Path, member: str, data: bytes, says: str) -> None:
    record(tmp_path / "a")
    with pytest.raises(FormatError, match=says), Recording(rewritten(tmp_path / "a", member, data)) as recording:
        list(recording.intervals())


def test_a_table_that_is_not_known_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record(tmp_path / "a")
    with zipfile.ZipFile(tmp_path / "a", "a") as packed:
        packed.writestr("dreams.arrow", b"of a later version")
    assert main(["replay", str(tmp_path / "a"), "-o", "json", "--speed", "max"]) == 0
    assert "dreams.arrow, which this beespace does not know" in capsys.readouterr().err


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("recording") / "a"
    record(path)
    return path.read_bytes()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_is_told(sample: bytes, data: st.DataObject) -> None:
    """Bytes changed or cut anywhere: the same rows, or a sentence."""
    content = bytearray(sample)
    for _ in range(data.draw(st.integers(0, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(0, len(content)) | st.just(len(content)))]
    try:
        with Recording(io.BytesIO(bytes(content)), "it") as recording:
            for interval in recording.intervals():
                for each in interval.batches:
                    each.records.validate(full=True)
    except BeespaceError as error:
        assert "it" in str(error)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_below_the_checksums_is_told(sample: bytes, data: st.DataObject) -> None:
    """As if somebody had made the file: the ZIP is whole, what is in it is not."""
    made, name = io.BytesIO(), data.draw(st.sampled_from(["flows.arrow", "execs.arrow", "intervals.jsonl"]))
    with zipfile.ZipFile(io.BytesIO(sample)) as old, zipfile.ZipFile(made, "w") as new:
        for each in old.namelist():
            content = bytearray(old.read(each))
            if each == name:
                for _ in range(data.draw(st.integers(1, 3))):
                    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
            new.writestr(each, bytes(content))
    try:
        with Recording(made, "it") as recording:
            for interval in recording.intervals():
                for batch_ in interval.batches:
                    batch_.records.to_pylist()
    except BeespaceError as error:
        assert "it" in str(error)


def test_a_disk_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said once, what comes after is counted, and there is no file at the end but the folder."""

    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    sink = RecordingSink(tmp_path / "a", MANIFEST)
    sink.write(batch("flows", flow(1)))
    monkeypatch.setattr(writing, "_pack", full)
    with pytest.raises(StoreError, match="No space left on device") as caught:
        sink.close()
    (folder,) = tmp_path.iterdir()
    assert str(folder) in str(caught.value)
    assert json.loads((folder / "manifest.json").read_bytes())["rows"] == {"flows": 1}
    sink.close()


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a folder"):
        RecordingSink(tmp_path, MANIFEST)
    with pytest.raises(StoreError, match="No such file or directory"):
        RecordingSink(tmp_path / "no" / "folder", MANIFEST)


def test_only_some_tables(tmp_path: Path) -> None:
    with RecordingSink(tmp_path / "a", MANIFEST, frozenset({"flows"})) as sink:
        sink.write(batch("flows", flow(1)))
        sink.write(batch("execs", {"process_pid": 1}))
    with Recording(tmp_path / "a") as recording:
        assert recording.manifest.rows == {"flows": 1}
    sink = RecordingSink(tmp_path / "b", MANIFEST)
    sink.discard()
    sink.close()
    assert not (tmp_path / "b").exists() and len(list(tmp_path.iterdir())) == 1
