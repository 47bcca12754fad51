"""``record`` and ``watch --record``: what is played later is what was shown."""

from __future__ import annotations

import json
import signal
import subprocess
import time
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pace import patience
from readiness import Readiness
from watching import BEESPACE, CHATTER, TALK, Place, end, environment, rows_of, said

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("flows_load")]


COUNTED = ("tx_packets", "tx_bytes", "rx_packets", "rx_bytes", "retransmits", "tx_resets", "rx_resets")


def beespace(*arguments: str) -> str:
    done = subprocess.run(
        [*BEESPACE, *arguments], capture_output=True, text=True, env=environment(), timeout=patience(60)
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.host_only
def test_what_was_shown_is_played(place: Place, watch: Callable[..., subprocess.Popen[str]], tmp_path: Path) -> None:
    """Line by line: the table's rows, losses and all."""
    file, before, after = tmp_path / "a.beespace", tmp_path / "before", tmp_path / "after"
    talker, port = place.talker()
    process = watch(
        "flows", "execs", "-o", "json", "--interval", "200ms", "--record", str(file), "--store", str(before)
    )
    time.sleep(1.2)
    program = place.start(["sh", "-c", "exit 3"])
    program.wait(patience(10))
    time.sleep(0.5)
    output, summary = end(process)
    rows = rows_of(output)
    assert {row["process_pid"] for row in rows if row.get("local_port") == port} == {talker.pid}
    assert 3 in {row.get("exit_code") for row in rows}
    done = subprocess.run(
        [*BEESPACE, "replay", str(file), "flows", "execs", "-o", "json", "--speed", "max", "--store", str(after)],
        capture_output=True, text=True, env=environment(), timeout=patience(60),
    )  # fmt: skip
    assert done.stdout == output
    # The same sums; how much watching cost is not part of a recording.
    assert sums(done.stderr) == [part for part in sums(summary) if not part.startswith(("cpu ", "memory "))]
    asked = "select local_port, sum(tx_bytes), any_value(process_name) from flows group by 1 order by 1"
    stored = beespace("query", asked, "--store", str(before), "-o", "json")
    assert stored == beespace("query", asked, "--store", str(after), "-o", "json") != ""
    only = beespace("replay", str(file), "--port", str(port), "--speed", "max", "-o", "json")
    assert rows_of(only) == [row for row in rows if port in (row.get("local_port"), row.get("remote_port"))]


@pytest.mark.host_only
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_recording_that_is_ended_is_whole(place: Place, tmp_path: Path, how: signal.Signals) -> None:
    file = tmp_path / "b.beespace"
    talker, port = place.talker(CHATTER)
    with closing(Readiness()) as readiness:
        process = subprocess.Popen(
            [*BEESPACE, "record", "-o", str(file), "flows", "--interval", "200ms", "--cgroup", str(place.path)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment() | readiness.environment,
        )  # fmt: skip
        readiness.wait(process)
    time.sleep(0.5)
    assert not file.exists()
    output, errors = end(process, how)
    assert output == "" and f"{file}: {file.stat().st_size:,} bytes" in errors
    assert [path.name for path in tmp_path.iterdir()] == [file.name]
    with zipfile.ZipFile(file) as packed:
        assert "execs.arrow" not in packed.namelist()
        manifest = json.loads(packed.read("manifest.json"))
        with packed.open("flows.arrow") as stream:
            flows = pa.ipc.open_stream(stream).read_all()
    assert manifest["rows"]["flows"] == flows.num_rows > 0
    assert manifest["started"] < manifest["ended"]
    # Connections that fail are told of every cgroup, without packets.
    assert {talker.pid} == {row["process_pid"] for row in flows.select(["process_pid", "tx_packets"]).to_pylist()
                            if row["tx_packets"]}  # fmt: skip
    shown = beespace("replay", str(file), "--speed", "max")
    assert f"127.0.0.1:{port}" in shown and " flows  sent " in shown.splitlines()[-1]


@pytest.mark.host_only
def test_what_a_kill_leaves_can_be_read(place: Place, tmp_path: Path) -> None:
    file = tmp_path / "c.beespace"
    place.talker(CHATTER)
    process = subprocess.Popen(
        [*BEESPACE, "record", "-o", str(file), "--interval", "100ms", "--cgroup", str(place.path)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(),
    )  # fmt: skip

    def left() -> int:
        rows: list[int] = []
        for stream in tmp_path.glob(".c.beespace.*.partial/flows.arrow"):
            with stream.open("rb") as opened, pa.ipc.open_stream(opened) as reader:
                try:
                    for batch in reader:
                        rows.append(batch.num_rows)
                except (pa.ArrowInvalid, OSError):
                    pass  # where it was cut
        return sum(rows)

    deadline = time.monotonic() + patience(30)
    while not list(tmp_path.glob(".c.beespace.*.partial/intervals.jsonl")) or len(_lines(tmp_path)) < 5:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    process.kill()
    process.communicate()
    assert not file.exists()
    assert left()


@pytest.mark.parametrize("packets", ["headers", "full"])
def test_flows_counted_again_are_those_of_the_kernel(place: Place, tmp_path: Path, packets: str) -> None:
    """The same programs on the same packets: the machine's rows, summed up, are the kernel's."""
    file = tmp_path / "c.beespace"
    process = subprocess.Popen(
        [*BEESPACE, "record", "-o", str(file), "flows", "--packets", packets, "--interval", "200ms",
         "--cgroup", str(place.path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(),
    )  # fmt: skip
    deadline = time.monotonic() + patience(60)
    while not _lines(tmp_path):  # then everything is attached
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    talker, port = place.talker(TALK)
    assert talker.stdin is not None and talker.stdout is not None
    for _ in range(3):
        talker.stdin.write("20\n")
        talker.stdin.flush()
        assert talker.stdout.readline() == "done\n"
        time.sleep(0.3)
    end(process)
    played = ["replay", str(file), "--speed", "max", "-o", "json"]
    # Connections that fail are told of every cgroup, without packets: only what is the test's own counts.
    kernel, machine = (
        {ends: row for ends, row in _sums(rows_of(beespace(*played, *how))).items() if port in ends}
        for how in ((), ("--recount",))
    )
    assert machine == kernel
    assert {ends: row["role"] for ends, row in kernel.items()} == {
        ends: "server" if ends[0] == port else "client" for ends in kernel
    }
    assert {row["process_pid"] for row in kernel.values()} == {talker.pid}
    with zipfile.ZipFile(file) as packed:
        captured = packed.read("packets.pcapng")
    assert (b"q" * 100 in captured) == (packets == "full")
    (tmp_path / "packets.pcapng").write_bytes(captured)
    shown = subprocess.run(["tcpdump", "-n", "-r", str(tmp_path / "packets.pcapng"), "tcp", "port", str(port)],
                           capture_output=True, text=True, check=True).stdout  # fmt: skip
    assert len(shown.splitlines()) == sum(row["tx_packets"] + row["rx_packets"] for row in kernel.values())


def _sums(rows: list[dict[str, Any]]) -> dict[tuple[int, int], dict[str, Any]]:
    """By ports: what adds up added up, the rest as it was last."""
    found: dict[tuple[int, int], dict[str, Any]] = {}
    for row in rows:
        if "stage" not in row:
            before = found.get((row["local_port"], row["remote_port"]), {})
            added = {name: row[name] + before.get(name, 0) for name in COUNTED}
            last = {name: row[name] for name in ("process_pid", "process_name", "role", "cgroup_id", "transport")}
            found[row["local_port"], row["remote_port"]] = {**added, **last}
    return found


def _lines(folder: Path) -> list[str]:
    found = folder.glob(".c.beespace.*.partial/intervals.jsonl")
    return [line for path in found for line in path.read_text().splitlines()]


def sums(errors: str) -> list[str]:
    """The summary, without how long it took."""
    return said(errors).rpartition(" s: ")[2].strip().split("  ")
