"""Batches into the store: names split off, losses counted, disks that fill, readers meanwhile."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from beespace.errors import InternalError, StoreError
from beespace.sinks.store import sink as sink_module
from beespace.sinks.store import writer as writer_module
from beespace.sinks.store.dimensions import Dimensions
from beespace.sinks.store.query import query
from beespace.sinks.store.segment import segments_in
from beespace.sinks.store.sink import StoreSink
from beespace.stream import TABLES, Batch

NS = 1_000_000_000
T0 = time.time_ns() // NS * NS
START = T0 - 100 * NS
ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}"}


def batch(table: str, *rows: dict[str, Any], lost: dict[str, int] | None = None) -> Batch:
    return Batch(table, TABLES[table].batch_of(rows), lost or {})


def flow(at: int = T0, **values: Any) -> dict[str, Any]:
    return {"time": at, "process_pid": 7, "process_start_time": START, "tx_bytes": 1, **values}


def ask(directory: Path, sql: str) -> list[tuple[Any, ...]]:
    answer = query(directory, sql)
    columns = [
        (column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column).to_pylist()
        for column in answer.columns
    ]
    return list(zip(*columns, strict=True))


def kept(directory: Path, *batches: Batch) -> Path:
    """The store after these batches, each flushed by itself."""
    with StoreSink(directory, keep_s=None) as sink:
        for each in batches:
            sink.write(each)
            sink.flush()
    return directory


# -- rows and names ------------------------------------------------------------------------------------------------


def test_what_goes_in_comes_out(tmp_path: Path) -> None:
    row = {
        **flow(), "interval_s": 1.0, "node": "n1", "process_name": "curl", "process_executable": "/usr/bin/curl",
        "process_uid": 1000, "cgroup_id": 2**63 + 1, "container_id": "abc", "container_name": "web",
        "container_image": "nginx:1", "pod_name": "web-1", "pod_uid": "u-1", "namespace": "shop", "workload": "web",
        "local_address": "10.0.0.1", "local_port": 65_535, "remote_address": "fe80::1", "remote_port": 443,
        "remote_name": "example.org", "remote_pod": "db-1", "remote_namespace": "data", "remote_service": "db",
        "transport": "tcp", "network_type": "ipv6", "role": "client", "state": "established", "tx_packets": 2,
        "rx_bytes": 2**62, "rx_packets": 4, "retransmits": 0, "rtt_us": 85, "first_seen": T0 - 5_000, "last_seen": T0,
    }  # fmt: skip
    more = [column for column in TABLES["flows"].columns if column.name not in row]
    row |= {each.name: f"a {each.name}" if each.type == pa.string() else len(each.name) for each in more}
    kept(tmp_path, batch("flows", row))
    (answer,) = ask(tmp_path, "select * from flows")
    assert dict(zip(TABLES["flows"].names, answer, strict=True)) == row
    stored = pa.parquet.read_schema(segments_in(tmp_path / "flows")[0].path).names
    assert "process_name" not in stored and "pod_name" not in stored
    assert {"process_pid", "process_start_time", "cgroup_id", "container_id"} <= set(stored)


def test_a_talkative_process_is_one_row(tmp_path: Path) -> None:
    kept(tmp_path, *(batch("flows", flow(T0 + n * NS, process_name="curl")) for n in range(10)))
    assert ask(tmp_path, "select process_pid, process_name, count(*) over () from processes") == [(7, "curl", 1)]
    assert len(segments_in(tmp_path / "processes")) == 1
    kept(tmp_path, batch("flows", flow(T0 + 11 * NS, process_name="curl")))  # remembered over a restart
    assert len(segments_in(tmp_path / "processes")) == 1
    assert ask(tmp_path, "select count(*), count(process_name) from flows") == [(11, 11)]


def test_a_new_program_is_a_new_version(tmp_path: Path) -> None:
    def ran(at: int, name: str, **values: Any) -> dict[str, Any]:
        return {
            "time": T0 + at * NS, "process_pid": 7, "process_start_time": START, "process_name": name, "parent_pid": 1,
            "process_args": f"{name} -x", **values,
        }  # fmt: skip

    kept(
        tmp_path,
        batch("execs", ran(0, "sh"), ran(1, "make")),
        batch("flows", flow(T0 + 2 * NS, process_name="make", container_id="abc")),
        batch("execs", ran(3, "cc1", process_args=None), ran(9, "cc1", exit_code=0, duration_s=6.0, process_args=None)),
    )
    second = NS
    assert ask(
        tmp_path,
        "select process_name, process_args, parent_pid, container_id, valid_from, valid_to from processes order by 5",
    ) == [
        ("sh", "sh -x", 1, None, T0, T0 + second),
        ("make", "make -x", 1, "abc", T0 + second, T0 + 3 * second),
        ("cc1", None, 1, "abc", T0 + 3 * second, T0 + 9 * second),
    ]
    assert ask(tmp_path, "select process_name from flows") == [("make",)]
    assert len(ask(tmp_path, "select * from execs")) == 4


def test_what_a_dimension_says_itself_counts_more(tmp_path: Path) -> None:
    told = {"process_pid": 7, "process_start_time": START, "valid_from": START, "process_name": "real"}
    pod = {"container_id": "abc", "valid_from": START, "pod_name": "web-1"}
    kept(
        tmp_path,
        batch("processes", told),
        batch("flows", flow(process_name="thread-3", process_uid=5, container_id="abc")),
        batch("containers", pod),
        batch("processes", {**told, "valid_to": T0 + NS}),
    )
    assert ask(tmp_path, "select process_name, process_uid, pod_name from flows") == [("real", 5, "web-1")]
    assert ask(tmp_path, "select process_name, process_uid, valid_to from processes") == [("real", 5, T0 + NS)]


def test_late_names_reach_old_rows(tmp_path: Path) -> None:
    kept(
        tmp_path,
        batch("flows", flow(container_id="abc"), flow(container_id=None, process_pid=8)),
        batch("flows", flow(T0 + NS, container_id="abc", pod_name="web-1", namespace="shop")),
    )
    assert ask(tmp_path, "select container_id, pod_name from flows order by time, process_pid") == [
        ("abc", "web-1"),
        (None, None),
        ("abc", "web-1"),
    ]


def test_start_times_that_jitter_are_one_process(tmp_path: Path) -> None:
    jitter = (0, 700, -1_300, 9_000_000)
    kept(
        tmp_path,
        *(
            batch("flows", flow(T0 + n, process_start_time=START + shift, process_name="a"))
            for n, shift in enumerate(jitter)
        ),
        batch("flows", flow(process_start_time=START + 50_000_000, process_name="b")),
        batch("flows", flow(process_start_time=None, process_name="c"), flow(process_pid=None, process_name="d")),
    )
    kept(tmp_path, batch("flows", flow(process_start_time=START + 2_000, process_name="a")))
    assert ask(tmp_path, "select process_name, count(*) from flows where process_pid = 7 group by 1 order by 1") == [
        ("a", 5),
        ("b", 1),
        (None, 1),  # without a start a pid is nobody
    ]
    assert len(ask(tmp_path, "select distinct process_start_time from flows where process_name = 'a'")) == 1


def test_memory_of_names_is_bounded() -> None:
    dimensions = Dimensions(capacity=10)
    flows = TABLES["flows"]
    for first in (0, 50, 0):
        rows = [
            flow(process_pid=first + n, process_start_time=START + n * NS, process_name="x", container_id=f"c{n}")
            for n in range(50)
        ]
        stored = sink_module._in_microseconds(pa.Table.from_batches([flows.batch_of(rows)]))
        dimensions.learn(flows, dimensions.steady(stored))
        assert dimensions.take_changes(1)["processes"].num_rows == 50  # forgotten and written again
    assert all(len(memory.known) <= 10 for memory in dimensions._memory.values())
    assert len(dimensions._starts) <= 10


# -- losses --------------------------------------------------------------------------------------------------------


def test_losses_are_rows(tmp_path: Path) -> None:
    kept(
        tmp_path,
        batch("flows", flow(), lost={"ring": 3, "map": 0}),
        batch("flows", lost={"ring": 4}),
        batch("execs", lost={"ring": 5}),
    )
    assert ask(tmp_path, 'select stage, "table", sum(rows) from losses group by all order by 2') == [
        ("ring", "execs", 5),
        ("ring", "flows", 7),
    ]


def test_what_comes_faster_than_it_can_be_written_is_counted(tmp_path: Path) -> None:
    sink = StoreSink(tmp_path, flush_s=60, pending_rows=10)
    for _ in range(4):
        sink.write(batch("flows", flow(), flow(), flow()))
    sink.close()
    assert ask(tmp_path, "select count(*) from flows") == [(9,)]
    assert ask(tmp_path, 'select stage, "table", rows from losses') == [("store backlog", "flows", 3)]


def test_a_write_never_waits_for_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = threading.Event()
    original = writer_module.Writer.write

    def slow(self: Any, *arguments: Any) -> Any:
        held.wait(10)
        return original(self, *arguments)

    monkeypatch.setattr(writer_module.Writer, "write", slow)
    with StoreSink(tmp_path, flush_s=0.01) as sink:
        sink.write(batch("flows", flow()))
        time.sleep(0.1)  # the thread is in slow()
        began = time.monotonic()
        for _ in range(10):
            sink.write(batch("flows", flow()))
        assert time.monotonic() - began < 1
        held.set()
    assert ask(tmp_path, "select count(*) from flows") == [(11,)]


def test_an_error_of_ours_does_not_end_the_thread_in_silence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with StoreSink(tmp_path, flush_s=60) as sink:
        with monkeypatch.context() as patch:
            patch.setattr(writer_module.Writer, "write", lambda *_arguments: 1 / 0)
            sink.write(batch("flows", flow(process_name="a")))
            with pytest.raises(InternalError, match="the store failed: ZeroDivisionError"):
                sink.flush()
            assert sink.lost == {("store", "flows"): 1, ("store", "processes"): 1}
        sink.write(batch("flows", flow(process_name="a")))  # the name did not get there either: it is written again
    assert ask(tmp_path, "select process_name from flows") == [("a",)]
    assert ask(tmp_path, 'select stage, "table", rows from losses order by 2') == [
        ("store", "flows", 1),
        ("store", "processes", 1),
    ]


def test_names_are_there_before_the_rows_that_need_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    original = writer_module.Writer.write

    def recorded(self: Any, table: Any, rows: Any) -> Any:
        written.append(table.name)
        return original(self, table, rows)

    monkeypatch.setattr(writer_module.Writer, "write", recorded)
    told = {"process_pid": 7, "process_start_time": START, "valid_from": START, "process_name": "real"}
    with StoreSink(tmp_path, flush_s=60) as sink:
        sink.write(batch("flows", flow(process_name="thread-3", container_id="abc", pod_name="web-1"), lost={"map": 1}))
        sink.write(batch("processes", told))
    assert written == ["processes", "containers", "flows", "losses"]
    assert ask(tmp_path, "select process_name, pod_name from flows") == [("real", "web-1")]
    assert ask(tmp_path, "select count(*) from processes") == [(1,)]


def test_unknown_tables_are_refused(tmp_path: Path) -> None:
    with StoreSink(tmp_path) as sink, pytest.raises(InternalError, match="no table 'zzz'"):
        sink.write(Batch("zzz", TABLES["flows"].empty()))


# -- full disks ----------------------------------------------------------------------------------------------------

_FILLING = """
import sys, json, pathlib
sys.path.insert(0, {tests!r})
from test_store_sink import batch, flow, StoreSink, StoreError, T0
import numpy as np
{limit}
sink = StoreSink(pathlib.Path(sys.argv[1]), flush_s=60, keep_s=None)
random = np.random.default_rng(1)
def rows(count):
    return [flow(T0 + n, process_name=random.bytes(40).hex(), process_pid=n, rx_bytes=int(random.integers(1 << 60)))
            for n in range(count)]
sink.write(batch("flows", *rows(20)))
sink.flush()
said = []
{full}
for _ in range(2):
    sink.write(batch("flows", *rows(20_000)))
    try:
        sink.flush()
    except StoreError as error:
        said.append([error.message, error.help])
{relief}
sink.write(batch("flows", *rows(3)))
sink.close()
print(json.dumps(said))
"""

_RLIMIT = {
    "limit": "import resource; hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]",
    "full": "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))",
    "relief": "resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))",
}
_TMPFS = {
    "limit": "from os import system; assert not system('mount -t tmpfs -o size=400k none ' + sys.argv[1])",
    "full": "",
    "relief": "assert not system('mount -o remount,size=80m ' + sys.argv[1])",
}


def _fill(directory: Path, how: dict[str, str], *prefix: str, after: str = "") -> list[list[str]]:
    program = _FILLING.format(tests=str(Path(__file__).parent), **how) + after
    done = subprocess.run(
        [*prefix, sys.executable, "-c", program, str(directory)],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    said: list[list[str]] = json.loads(done.stdout.splitlines()[0])
    return said


def _rows_after(directory: Path) -> tuple[Any, ...]:
    found = ask(directory, 'select stage, "table", sum(rows) from losses group by all order by 2')
    assert [row[:2] for row in found] == [("store", "flows"), ("store", "processes")]
    return (ask(directory, "select count(*), count(process_name) from flows")[0], found[0][2])


def test_a_file_that_may_not_grow(tmp_path: Path) -> None:
    said = _fill(tmp_path, _RLIMIT)
    assert (
        said
        == [
            [
                f"the store {tmp_path} cannot grow: file too large",
                "make room there, or keep less: --keep 1d, --keep-bytes 1GiB",
            ]
        ]
        * 2
    )
    assert _rows_after(tmp_path) == ((23, 23), 40_000)
    assert not list(tmp_path.glob("*/.tmp-*"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small file system")
def test_a_full_disk(tmp_path: Path) -> None:
    after = (
        "\nimport test_store_sink, shutil\n"
        "assert test_store_sink._rows_after(pathlib.Path(sys.argv[1])) == ((23, 23), 40_000)\n"
        "assert not list(pathlib.Path(sys.argv[1]).glob('*/.tmp-*'))\n"
    )
    said = _fill(tmp_path, _TMPFS, "unshare", "--mount", "--propagation", "private", after=after)
    assert len(said) == 2
    assert all(message == f"the store {tmp_path} cannot grow: no space left on device" for message, _help in said)
    assert list(tmp_path.iterdir()) == []  # it was mounted in the other's namespace only


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a read-only file system")
def test_a_read_only_store_can_be_read_and_says_so_when_written(tmp_path: Path) -> None:
    kept(tmp_path, batch("flows", flow()))
    program = (
        f"import sys, subprocess, pathlib\nsys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from test_store_sink import ask, StoreSink\n"
        "from beespace.errors import StoreError\n"
        "path = pathlib.Path(sys.argv[1])\n"
        "subprocess.run(['mount', '--bind', path, path], check=True)\n"
        "subprocess.run(['mount', '-o', 'remount,bind,ro', path], check=True)\n"
        "print(ask(path, 'select count(*) from flows'))\n"
        "try: StoreSink(path)\n"
        "except StoreError as error: print(error)\n"
    )
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", sys.executable, "-c", program, str(tmp_path)],
        env=ENVIRONMENT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines() == [
        "[(1,)]",
        f"the store {tmp_path} cannot be written: read-only file system",
        "  help: give --store a directory that you own",
    ]


# -- readers while it is written -----------------------------------------------------------------------------------

_WRITING = """
import sys, pathlib, time
sys.path.insert(0, {tests!r})
from test_store_sink import batch, flow, StoreSink, T0
from beespace.sinks.store import writer
writer.GRACE_MS = 0  # files vanish under readers as soon as they can
sink = StoreSink(pathlib.Path(sys.argv[1]), flush_s=60)
number = 0
while True:
    sink.write(batch("flows", *(flow(T0 + number, process_name=f"p{{number % 5}}", rx_bytes=number) for _ in range(3))))
    sink.flush()
    number += 1
    print(number, flush=True)
"""


def test_readers_see_whole_flushes_while_segments_come_and_go(tmp_path: Path) -> None:
    program = _WRITING.format(tests=str(Path(__file__).parent))
    writer = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, env=ENVIRONMENT)
    assert writer.stdout is not None
    with writer:
        try:
            writer.stdout.readline()
            seen = 0
            for _ in range(40):
                ((rows, named, flushes, highest),) = ask(
                    tmp_path, "select count(*), count(process_name), count(distinct rx_bytes), max(rx_bytes) from flows"
                )
                assert rows == named == 3 * flushes
                assert flushes == highest + 1 >= seen
                seen = flushes
        finally:
            writer.send_signal(signal.SIGKILL)
        told = int(writer.stdout.read().split()[-1])
    ((flushes,),) = ask(tmp_path, "select count(distinct rx_bytes) from flows")
    assert flushes in (told, told + 1)
    assert seen > 1
    with StoreSink(tmp_path) as again:  # the lock went with the process
        again.write(batch("flows", flow(rx_bytes=10**9)))
    assert ask(tmp_path, "select count(distinct rx_bytes) from flows") == [(flushes + 1,)]


def test_failures_are_said_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = StoreSink(tmp_path, flush_s=60)

    def full(*_arguments: Any) -> None:
        raise StoreError("full")

    monkeypatch.setattr(writer_module.Writer, "write", full)
    sink.write(batch("flows", flow()))
    with pytest.raises(StoreError, match="full"):
        sink.flush()
    sink.write(batch("flows", flow()))
    with pytest.raises(StoreError, match="full"):
        sink.close()
    sink.close()
