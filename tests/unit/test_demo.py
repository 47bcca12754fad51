"""``beespace demo``: the recording in the package, through the machine, the pipeline, the store and the table."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from beespace.cli.main import main
from beespace.sinks.recording import Recording

DEMO = Path(__file__).parents[2] / "src" / "beespace" / "session" / "demo.beespace"
GOLDEN = Path(__file__).parents[1] / "golden" / "demo.json"
COUNTED = ("tx_packets", "tx_bytes", "rx_packets", "rx_bytes", "tx_resets", "rx_resets")


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    """What ``-o json`` prints, by a process of its own that is nobody's in particular."""
    done = run("-o", "json")
    assert "this is a recording" in done.stderr and "nothing lost" in done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "beespace", "demo", *arguments], capture_output=True, text=True, timeout=300,
        user="nobody" if os.geteuid() == 0 and readable() else None,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done


def readable() -> bool:
    """Whether somebody without rights can start this Python and read this package."""
    probe = [sys.executable, "-c", "import beespace.cli.demo"]
    try:
        return subprocess.run(probe, user="nobody", capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def edges(rows: list[dict[str, Any]]) -> dict[str, list[int]]:
    """Packets and bytes by who talks to whom."""
    found: dict[str, Counter[str]] = {}
    for row in rows:
        near, far = f"{row['namespace']}/{row['pod_name']}", f"{row['remote_namespace']}/{row['remote_pod']}"
        name = f"{row['process_name']} {near} -> {far} {row['transport']} {row['role']}"
        found.setdefault(name, Counter()).update({column: row[column] or 0 for column in COUNTED})
    return {name: list(found[name].values()) for name in sorted(found)}


def test_it_is_what_it_always_was(rows: list[dict[str, Any]]) -> None:
    """``python tests/unit/test_demo.py`` writes the expected file again, after a new recording or a new column."""
    assert edges(rows) == json.loads(GOLDEN.read_text())


def test_it_tells_its_story(rows: list[dict[str, Any]]) -> None:
    began = min(row["time"] for row in rows)
    seconds = [(_seconds(row["time"]) - _seconds(began), row) for row in rows]
    asked = {(row["workload"], row["remote_workload"]) for row in rows if row["role"] == "client"}
    assert {("customers", "frontend"), ("frontend", "catalog"), ("frontend", "payment")} <= asked
    assert ("cart", "postgres-0") in {(row["workload"], row["remote_pod"]) for row in rows}
    refused = [at for at, row in seconds if row["workload"] == "payment" and row["rx_resets"]]
    assert refused and min(refused) > 12 and max(refused) < 31
    payments = {row["pod_name"]: [at for at, each in seconds if each["pod_name"] == row["pod_name"]] for row in rows
                if row["workload"] == "payment"}  # fmt: skip
    assert len(payments) == 2
    broken, old = sorted(payments, key=lambda name: payments[name][0], reverse=True)
    assert payments[broken][0] > 12 and payments[broken][-1] < 31 and payments[old][-1] > 30


def _seconds(time: str) -> float:
    hours, minutes, seconds = time[11:-1].split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def test_without_linux(rows: list[dict[str, Any]]) -> None:
    """No epoll, no /proc, no /sys with the types of a kernel, no clock of the boot: the same rows."""
    command = [sys.executable, str(Path(__file__).parent / "elsewhere.py"), "demo", "-o", "json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert [json.loads(line) for line in done.stdout.splitlines()] == rows


def test_programs_of_the_shop_only() -> None:
    execs = [json.loads(line) for line in run("execs", "-o", "json").stdout.splitlines()]
    assert {row["container_name"] for row in execs} >= {"payment"}
    assert 1 in {row["exit_code"] for row in execs}  # the broken one, started again and again
    for row in execs:  # and the runtime, before a container is one
        assert row["namespace"] == "shop" or row["process_name"].startswith("runc:"), row


def test_the_table_and_a_question(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["demo"]) == 0
    out, err = capfd.readouterr()
    assert "PROCESS" in out and "shop/frontend-" in out and "this is a recording" in err
    asked = "select workload, sum(tx_packets) as sent from flows where role = 'client' group by 1 order by 2 desc"
    assert main(["demo", "--query", asked, "-o", "json"]) == 0
    answer = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert {"customers", "frontend", "cart"} <= {row["workload"] for row in answer}
    assert main(["demo", "--query", "from flows", "execs"]) == 2


def test_the_recording_is_small_and_holds_headers_only() -> None:
    assert DEMO.stat().st_size < 300_000
    with Recording(DEMO) as recording:
        assert recording.manifest.packets == "headers" and recording.manifest.title
        told = [recording.open("packets.pcapng").read(), recording.open("manifest.json").read()]
        for name in recording.members:
            if name.endswith(".arrow"):
                for column in pa.ipc.open_stream(recording.open(name)).read_all().columns:
                    if not pa.types.is_timestamp(column.type):
                        told += [str(value).encode() for value in column.to_pylist()]
    for private in (b"products", b"charge 1999", b"/root", b"beespace-pods", b"GET /"):
        assert private not in b"\n".join(told)


if __name__ == "__main__":
    made = edges([json.loads(line) for line in run("-o", "json").stdout.splitlines()])
    GOLDEN.write_text(json.dumps(made, indent=0) + "\n")
