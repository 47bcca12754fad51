"""Whole batches: columns for every row, work for every distinct owner, null for whatever cannot be told."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from beespace.enrich import COLUMNS, CgroupTree, Container, Containers, Pod, Processes, Who
from beespace.enrich.dimensions import TABLES
from beespace.enrich.who import _distinct

A, B, PAUSE = "a1" * 32, "b2" * 32, "5a" * 32
UID = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"
SECOND = 1_000_000_000


class Source:
    name = "fake"

    def __init__(self) -> None:
        self.known = {
            A: Container(A, "fake", "web", "web:1", "web-1", UID, "shop", "web"),
            PAUSE: Container(PAUSE, "fake", pod_name="web-1", pod_uid=UID, namespace="shop", sandbox=True),
        }

    def find(self, container_id: str) -> Container | None:
        return self.known.get(container_id)

    def running(self) -> set[str]:
        return set(self.known)

    def pods(self) -> Sequence[Pod]:
        return [Pod(UID, "web-1", "shop", "web", ("10.85.0.2",))]

    def close(self) -> None:
        pass


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def who(tmp_path: Path, source: Source) -> Iterator[Who]:
    tree = CgroupTree(tmp_path / "cgroup")
    tree.observe(100, "/")
    tree.observe(101, f"/kubepods/besteffort/pod{UID}/{A}")
    tree.observe(102, f"/docker/{B}")
    tree.observe(103, f"/kubepods/besteffort/pod{UID}/{PAUSE}")
    tree.observe(104, f"/kubepods/besteffort/pod{UID}")
    tree.observe(105, "/system.slice/sshd.service")
    processes = Processes(tmp_path / "proc", trusted=True, boot_ns=lambda: 1_700_000_000 * SECOND)
    with Who(processes, tree, Containers([source], poll_s=3600)) as made:
        made.containers.settle()
        made.containers.settle()
        yield made


def resolve(who: Who, *rows: tuple[int, int, int, str]) -> dict[str, list[str | None]]:
    pids, starts, cgroups, names = (list(column) for column in zip(*rows, strict=True)) if rows else ([], [], [], [])
    found = who.resolve(
        np.array(pids, np.uint32),
        np.array(starts, np.uint64),
        np.array(cgroups, np.uint64),
        uids=np.zeros(len(rows), np.uint32),
        names=np.array(names, "S16"),
    )
    assert tuple(found) == COLUMNS
    assert all(column.type == pa.string() and len(column) == len(rows) for column in found.values())
    return {name: column.to_pylist() for name, column in found.items()}


def rows_of(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """Rows as dictionaries, times as ns since 1970."""
    columns = {
        name: (column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column).to_pylist()
        for name, column in zip(batch.schema.names, batch.columns, strict=True)
    }
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def test_a_pods_process(who: Who) -> None:
    found = resolve(who, (42, 5 * SECOND, 101, "httpd"))
    assert {name: values[0] for name, values in found.items()} == {
        "process_name": "httpd",
        "process_executable": None,
        "container_id": A,
        "container_name": "web",
        "container_image": "web:1",
        "pod_name": "web-1",
        "pod_uid": UID,
        "namespace": "shop",
        "workload": "web",
        "workload_kind": None,
        "service_name": None,
    }


def test_rows_keep_their_order(who: Who) -> None:
    rows = [
        (42, 5 * SECOND, 101, "httpd"),
        (43, 6 * SECOND, 102, "redis"),
        (42, 5 * SECOND, 101, "httpd"),
        (0, 0, 101, ""),
        (0, 0, 0, ""),
        (44, 7 * SECOND, 105, "sshd"),
    ]
    found = resolve(who, *rows)
    assert found["process_name"] == ["httpd", "redis", "httpd", None, None, "sshd"]
    assert found["container_id"] == [A, B, A, A, None, None]
    assert found["container_name"] == ["web", None, "web", "web", None, None]
    assert found["namespace"] == ["shop", None, "shop", "shop", None, None]


def test_no_rows(who: Who) -> None:
    assert all(values == [] for values in resolve(who).values())


def test_a_pause_container_shows_as_its_pod(who: Who) -> None:
    found = resolve(who, (42, 5 * SECOND, 103, "pause"))
    assert (found["container_id"], found["container_name"], found["pod_name"]) == ([None], [None], ["web-1"])


def test_a_pods_own_cgroup_names_the_pod_alone(who: Who) -> None:
    found = resolve(who, (42, 5 * SECOND, 104, "x"))
    assert (found["container_id"], found["pod_name"], found["workload"]) == ([None], ["web-1"], ["web"])


def test_an_unknown_container_has_its_id_and_a_pod_uid_and_no_names(who: Who) -> None:
    other = UID.replace("0f1e", "ffff")
    who.cgroups.observe(200, f"/kubepods/besteffort/pod{other}/{B}")
    found = resolve(who, (42, 5 * SECOND, 200, "x"))
    assert (found["container_id"], found["pod_uid"]) == ([B], [other])
    assert (found["container_name"], found["pod_name"], found["namespace"]) == ([None], [None], [None])


def test_a_name_that_comes_late_is_there_for_the_next_batch(who: Who, source: Source) -> None:
    assert resolve(who, (42, 5 * SECOND, 102, "redis"))["container_name"] == [None]
    source.known[B] = Container(B, "fake", "redis", "redis:7")
    deadline = time.monotonic() + 5
    while resolve(who, (42, 5 * SECOND, 102, "redis"))["container_name"] != ["redis"]:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_container_that_is_gone_stays_resolvable(who: Who, source: Source) -> None:
    del source.known[A]
    who.cgroups.observe_removed(101)
    who.containers.settle()
    found = resolve(who, (42, 5 * SECOND, 101, "httpd"))
    assert (found["container_name"], found["pod_name"]) == (["web"], ["web-1"])
    (row,) = [row for row in rows_of(who.dimensions.take()["containers"]) if row["container_id"] == A]
    assert row["valid_to"] is not None


def test_where_the_cgroup_id_says_nothing_the_processs_own_lines_do(who: Who, tmp_path: Path) -> None:
    folder = tmp_path / "proc/42"
    folder.mkdir(parents=True)
    (folder / "stat").write_text(f"42 (redis) S 1 {'0 ' * 17}500 0")
    (folder / "status").write_text("Uid:\t0\t0\t0\t0\n")
    (folder / "cmdline").write_bytes(b"redis\0")
    (folder / "cgroup").write_text(f"4:memory:/docker/{B}\n0::/\n")
    assert resolve(who, (42, 5 * SECOND, 100, "redis"))["container_id"] == [B]
    # ... but a cgroup id that names a container has the last word
    assert resolve(who, (42, 5 * SECOND, 101, "redis"))["container_id"] == [A]


def test_work_is_done_once_for_each_owner(who: Who) -> None:
    count = 50_000
    rng = np.random.default_rng(1)
    owners = rng.integers(0, 100, count)
    found = who.resolve(
        (owners + 1000).astype(np.uint32),
        (owners.astype(np.uint64) + 1) * SECOND,
        np.full(count, 101, np.uint64),
        names=pa.array([f"p{owner}" for owner in owners]),
    )
    assert found["process_name"].to_pylist() == [f"p{owner}" for owner in owners]
    assert who.statistics()["who"]["owners"] == 100
    assert who.statistics()["processes"]["proc_reads"] == 100


def test_reading_proc_has_a_budget(tmp_path: Path) -> None:
    ticks = iter(range(1000))
    processes = Processes(tmp_path / "proc", trusted=True)
    with Who(processes, CgroupTree(tmp_path), Containers([]), budget_s=3.0, clock=lambda: next(ticks)) as who:
        found = resolve(who, *((pid, pid * SECOND, 0, f"p{pid}") for pid in range(1, 11)))
        assert found["process_name"] == [f"p{pid}" for pid in range(1, 11)]  # the kernel's name, all the same
        assert who.statistics()["who"]["deferred"] == 7
        assert who.statistics()["processes"]["proc_reads"] == 3


def test_remote_pods(who: Who) -> None:
    found = who.remote(pa.array(["10.85.0.2", "10.85.0.77"]))
    assert found["remote_pod"].to_pylist() == ["web-1", None]


def test_without_any_runtime(tmp_path: Path) -> None:
    tree = CgroupTree(tmp_path)
    tree.observe(102, f"/docker/{B}")
    with Who(Processes(tmp_path / "proc", trusted=True), tree, Containers([])) as who:
        found = resolve(who, (42, 5 * SECOND, 102, "redis"))
        assert (found["process_name"], found["container_id"], found["container_name"]) == (["redis"], [B], [None])
        assert who.remote(pa.array(["10.0.0.1"]))["remote_pod"].to_pylist() == [None]


def test_open_in_a_root_without_runtimes(tmp_path: Path) -> None:
    with Who.open(root=tmp_path) as who:
        assert who.containers.settle()
        errors = {key: value for key, value in who.statistics()["containers"].items() if key.startswith("errors")}
        assert errors and not any(errors.values())


def test_distinct() -> None:
    rng = np.random.default_rng(7)
    pids = rng.integers(0, 5, 1000).astype(np.uint32)
    starts = rng.integers(0, 1 << 62, 4).astype(np.uint64)[rng.integers(0, 4, 1000)]
    cgroups = rng.integers(0, 3, 1000).astype(np.uint64)
    first, codes = _distinct(pids, starts, cgroups)
    keys = list(zip(pids.tolist(), starts.tolist(), cgroups.tolist(), strict=True))
    assert len(first) == len(set(keys))
    assert [keys[first[code]] for code in codes] == keys
    assert all(keys.index(keys[index]) == index for index in first)


# Dimensions


def test_dimensions_hand_out_what_is_new(who: Who) -> None:
    resolve(who, (42, 5 * SECOND, 101, "httpd"))
    tables = who.dimensions.take()
    assert set(tables) == {"processes", "cgroups", "containers", "pods", "addresses"}
    for name, batch in tables.items():
        assert batch.schema.equals(TABLES[name], check_metadata=True)
        assert batch.schema.field(0).metadata[b"doc"]
    (process,) = rows_of(tables["processes"])
    assert (process["process_pid"], process["process_start_ns"], process["process_name"]) == (42, 5 * SECOND, "httpd")
    assert [row["container_id"] for row in rows_of(tables["containers"])] == [A]  # no sandbox
    assert {row["cgroup_id"]: row["container_id"] for row in rows_of(tables["cgroups"])}[101] == A
    (pod,) = rows_of(tables["pods"])
    assert (pod["pod_uid"], pod["addresses"], pod["valid_to"]) == (UID, ["10.85.0.2"], None)
    (address,) = rows_of(tables["addresses"])
    assert (address["address"], address["kind"], address["pod_name"]) == ("10.85.0.2", "pod", "web-1")
    assert (address["holder_uid"], address["workload"], address["valid_to"]) == (UID, "web", None)
    assert who.dimensions.take() == {}


def test_dimensions_give_a_changed_row_again(who: Who, source: Source) -> None:
    who.dimensions.take()
    who.processes.observe_exec(42, SECOND, time_ns=2 * SECOND, name="a", args=("a", "b"))
    who.processes.observe_exit(42, SECOND, time_ns=3 * SECOND)
    source.known[A] = replace(source.known[A])
    tables = who.dimensions.take()
    assert set(tables) == {"processes"}
    (row,) = rows_of(tables["processes"])
    assert row["process_args"] == ["a", "b"]
    assert row["valid_to"] - row["valid_from"] == 2 * SECOND
