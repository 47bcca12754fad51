"""What beespace costs, as bpftool has it; and what ``--max-cpu`` leaves out, with every packet counted."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pace import patience
from watching import HEADERS, TALK, Place, end, rows_of, talk

from beespace.session.detail import Detail
from beespace.session.running import RunningProgram
from beespace.session.watch import Watch, WatchOptions
from beespace.stream import Batch

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("flows_load")]


def bpftool(what: str, number: int) -> dict[str, Any]:
    done = subprocess.run(["bpftool", "-j", what, "show", "id", str(number)], capture_output=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def of(batches: list[Batch], table: str) -> list[dict[str, Any]]:
    names = ("kind", "probe", "name", "cpu_ns", "runs", "memory_bytes", "entries", "max_entries", "detail")
    wanted = {"costs": names, "flows": ("tx_bytes", "tx_packets", "rx_bytes", "rx_packets", "detail", "drops")}[table]
    return [row for batch in batches if batch.table == table for row in batch.records.select(list(wanted)).to_pylist()]


def until_quiet(watch: Watch) -> None:
    """Until no packet came for a while: acknowledgements may be 40 ms late."""
    seen, now = -1, 0
    while seen != now:
        seen = now
        time.sleep(0.2)
        now = watch.costs.programs()["flows", "on_egress"].run_count


def test_programs_and_maps_are_as_bpftool_has_them(place: Place) -> None:
    talker, _port = place.talker(TALK)
    with Watch(WatchOptions(cgroup=place.path, costs=True)) as watch:
        watch.collect()
        running = watch._flows._running
        assert isinstance(running, RunningProgram)
        egress = running.loaded.programs["on_egress"]
        until_quiet(watch)
        before = bpftool("prog", egress.info().id)
        assert before.get("run_cnt", 0) == watch.costs.programs()["flows", "on_egress"].run_count
        talk(talker, 200)
        until_quiet(watch)
        rows = {(row["kind"], row["probe"], row["name"]): row for row in of(watch.collect(), "costs")}
        after = bpftool("prog", egress.info().id)
        ours = rows["program", "flows", "on_egress"]
        # Only what the talker sent passes here, and it says no more until it is asked again.
        assert ours["runs"] == after["run_cnt"] - before.get("run_cnt", 0) >= 400
        assert ours["cpu_ns"] == after["run_time_ns"] - before.get("run_time_ns", 0) > 0
        assert ours["memory_bytes"] == after["bytes_memlock"]
        for name in ("owners", "listening", "moved", "lost_packets"):
            shown = bpftool("map", running.loaded.maps.raw[name].info.id)
            mine = rows["map", "flows", name]
            assert mine["memory_bytes"] == shown["bytes_memlock"], name
            assert mine["max_entries"] == shown.get("max_entries", 0), name
        table = rows["map", "flows", "flows"]
        assert (table["entries"], table["max_entries"]) == (2, 65_536)
        assert table["memory_bytes"] > 2 * 65_536 * 8  # the buckets of two tables
        process = rows["process", None, "beespace"]
        assert process["cpu_ns"] > 0 and process["memory_bytes"] > 10_000_000 and process["detail"] is None
        own = watch.own
        assert own.kernel_seconds is not None and own.kernel_seconds * 1e9 >= ours["cpu_ns"]
        assert own.kernel_memory == sum(row["memory_bytes"] for row in rows.values() if row["kind"] != "process")
    assert watch.costs.programs() == {} and watch.costs.maps() == {}


def test_nobody_counts_who_was_not_asked_to(place: Place) -> None:
    with Watch(WatchOptions(cgroup=place.path)) as watch:
        assert not of(watch.collect(), "costs")
        if Path("/proc/sys/kernel/bpf_stats_enabled").read_text().strip() == "0":
            assert watch.costs.kernel_seconds() is None


class Steps:
    """A budget that goes through all steps, down and up again."""

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self._left = [*Detail, *reversed(Detail)]

    def spent(self, share: float, seconds: float) -> Detail:
        assert share > 0 and seconds > 0
        return self._left.pop(0) if self._left else Detail.FULL


def test_every_byte_is_counted_whatever_is_left_out(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("beespace.session.watch.CpuBudget", Steps)
    talkers = [place.talker(TALK)[0] for _ in range(3)]
    with Watch(WatchOptions(cgroup=place.path, max_cpu=0.02)) as watch:
        found: list[tuple[Detail, list[dict[str, Any]]]] = []
        for expected in [*Detail, *reversed(Detail)]:
            sent = sum(talk(talker, 20) for talker in talkers)
            batches = watch.collect()
            assert watch.detail is expected
            rows = of(batches, "flows")
            for way in ("tx", "rx"):
                counted = sum(row[f"{way}_bytes"] - HEADERS * row[f"{way}_packets"] for row in rows)
                assert counted == sent, (expected, way)
            assert {row["detail"] for row in rows} == {expected.word}
            # Nothing was thrown away: 0 where somebody looks, null where nobody does.
            looked = expected < Detail.NO_DROPS and watch._drop_rows.note is None
            assert {row["drops"] for row in rows} == ({0} if looked else {None})
            found.append((expected, rows))
            attached = len(watch._dns_rows.probe.links) if watch._dns_rows.note is None else None
            assert attached in (None, 2 if expected < Detail.NO_DNS else 0)
        assert len(found[0][1]) == len(found[-1][1]) == 6
        assert len(found[Detail.OWNERS][1]) == 6  # three processes, a client's and a server's side


def test_a_budget_that_is_never_enough_and_one_that_always_is(place: Place) -> None:
    """By the real measure: anything is more than a millionth, and less than a thousand cores."""
    talker, _port = place.talker(TALK)
    with Watch(WatchOptions(cgroup=place.path, max_cpu=1e-6)) as watch:
        assert watch._budget is not None
        sent = counted = 0
        seen = []
        for _ in range(8):
            sent += talk(talker, 10)
            rows = of(watch.collect(), "flows")
            counted += sum(row["tx_bytes"] - HEADERS * row["tx_packets"] for row in rows)
            seen.append(watch.detail)
        assert seen == sorted(seen) and seen[-1] is Detail.OWNERS
        assert watch.stretch == 4.0  # the table is nearly empty
        watch._budget.limit, watch._budget._hold = 1000.0, 0.0
        for _ in range(8):
            sent += talk(talker, 10)
            rows = of(watch.collect(), "flows")
            counted += sum(row["tx_bytes"] - HEADERS * row["tx_packets"] for row in rows)
        assert watch.detail is Detail.FULL and watch.stretch == 1.0
        assert counted == sent


def test_the_command_says_what_it_left_out(
    place: Place, watch: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    talker, port = place.talker(TALK)
    shown = tmp_path / "rows.json"
    options = ("-o", "json", "--max-cpu", "0.0001%", "--interval", "100ms", "--port", str(port))
    with shown.open("w") as stream:
        process = watch("flows", "costs", *options, stdout=stream, ready=False)
    sent = 0
    deadline = time.monotonic() + patience(60)
    while '"detail":"owners"' not in (rows := shown.read_text()):
        if '"kind":"process"' in rows:  # an interval is over, so it watches
            sent += talk(talker, 5)
        assert time.monotonic() < deadline and process.poll() is None, process.communicate()
        time.sleep(0.05)
    sent += talk(talker, 5)
    _, errors = end(process)
    lines = rows_of(shown.read_text())
    said = [line for line in errors.splitlines() if line.startswith("beespace: detail ")]
    assert [line.split()[2] for line in said] == ["slower:", "no_dns:", "no_drops:", "pairs:", "owners:"]
    assert "detail owners" not in errors.splitlines()[-1] and "less detail for" in errors.splitlines()[-1]
    flows = [row for row in lines if "tx_bytes" in row]
    # Both sides of the connection have the port, the client's as its remote one.
    assert sum(row["tx_bytes"] - HEADERS * row["tx_packets"] for row in flows) == sent
    assert {row["kind"] for row in lines if "kind" in row} == {"process", "program", "map"}


# In a network namespace of its own: to as many addresses as it is told, from one socket to another, and what the kernel
# says was sent and received there altogether.
SPRAY = """
import socket, subprocess, sys
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
receiver.bind(("0.0.0.0", 0))
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
print("ready", flush=True)
for line in sys.stdin:
    for number in range(int(line)):
        sender.sendto(b"x" * 100, (f"127.1.{number >> 8}.{number & 255}", receiver.getsockname()[1]))
        receiver.recv(200)
    head, values = (row.split() for row in open("/proc/self/net/snmp") if row.startswith("Udp:"))
    counts = dict(zip(head, values))
    print(counts["OutDatagrams"], counts["InDatagrams"], flush=True)
"""


def test_a_thousand_peers_are_one_row_and_no_packet_is_missing(place: Place) -> None:
    """Against the counters of the network namespace, with the real budget under a load that is too much for it."""
    spray = place.start(["unshare", "--net", sys.executable, "-c", SPRAY])
    assert spray.stdin is not None and spray.stdout is not None
    assert spray.stdout.readline() == "ready\n"
    sums = {"tx_packets": 0, "rx_packets": 0, "tx_bytes": 0}
    rows = []
    with Watch(WatchOptions(cgroup=place.path, max_cpu=1e-6)) as watch:
        for _ in range(8):
            spray.stdin.write("1000\n")
            spray.stdin.flush()
            counted = spray.stdout.readline().split()
            rows.append(of(watch.collect(), "flows"))
            for name in sums:
                sums[name] += sum(row[name] for row in rows[-1])
    assert [sums["tx_packets"], sums["rx_packets"]] == [int(count) for count in counted] == [8000, 8000]
    assert sums["tx_bytes"] == 8000 * (20 + 8 + 100)
    assert len(rows[0]) == 2000 and rows[0][0]["detail"] in (None, "slower")
    # Sockets from before the start that are not connected: which of them serves nobody knows, so they are one row.
    assert [(row["tx_packets"], row["detail"]) for row in rows[-1]] == [(1000, "owners")]
