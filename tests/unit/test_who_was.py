"""Who had an address when: the history, the late join, and the command."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from beespace.cli.arguments import moment
from beespace.cli.main import main
from beespace.enrich.address_book import AddressBook, Holder
from beespace.sinks.store.query import query
from beespace.sinks.store.sink import StoreSink
from beespace.sinks.store.who_was import who_was
from beespace.stream import Batch
from beespace.stream.tables import ADDRESSES, FLOWS

SECOND = 1_000_000_000
T0 = 1_700_000_000 * SECOND
A = "10.1.0.5"


def span(pod: str, since: int, until: int | None = None, **more: Any) -> dict[str, Any]:
    """Times in seconds after T0."""
    row = {"address": A, "kind": "pod", "holder_uid": f"uid-{pod}", "pod_name": pod, "namespace": "shop", **more}
    return {**row, "valid_from": T0 + since * SECOND, "valid_to": None if until is None else T0 + until * SECOND}


def flow(first: int, last: int, transport: str = "tcp", **more: Any) -> dict[str, Any]:
    times = {"time": T0 + last * SECOND, "first_seen": T0 + first * SECOND, "last_seen": T0 + last * SECOND}
    return {**times, "remote_address": A, "transport": transport, "tx_bytes": 1, **more}


def keep(directory: Path, addresses: list[dict[str, Any]], flows: list[dict[str, Any]] = []) -> Path:  # noqa: B006
    with StoreSink(directory, keep_s=None) as sink:
        for row in addresses:  # as they come, one batch after the other
            sink.write(Batch("addresses", pa.RecordBatch.from_pylist([row], schema=ADDRESSES.schema)))
            sink.flush()
        if flows:
            sink.write(Batch("flows", FLOWS.conform(pa.RecordBatch.from_pylist(flows, schema=FLOWS.schema))))
    return directory


def names(store: Path, *seconds: int) -> list[list[str]]:
    return [[row["pod_name"] for row in who_was(store, A, T0 + at * SECOND)] for at in seconds]


def test_through_reuse(tmp_path: Path) -> None:
    rows = [span("one", 10), span("one", 10, 20), span("two", 22), span("two", 22, 24), span("three", 24)]
    assert names(keep(tmp_path / "s", rows), 9, 10, 19, 20, 21, 22, 23, 24, 99) == [
        [], ["one"], ["one"], [], [], ["two"], ["two"], ["three"], ["three"],
    ]  # fmt: skip


def test_an_agent_that_died_did_not_see_the_end(tmp_path: Path) -> None:
    keep(tmp_path / "s", [span("one", 10)])
    assert names(keep(tmp_path / "s", [span("two", 50)]), 20, 49, 50) == [["one"], ["one"], ["two"]]


def test_where_two_may_have_had_it_both_are_said(tmp_path: Path) -> None:
    assert names(keep(tmp_path / "s", [span("one", 10, 30), span("two", 25)]), 24, 27, 30) == [
        ["one"], ["one", "two"], ["two"],
    ]  # fmt: skip


def test_what_is_learnt_late_names_what_was_stored(tmp_path: Path) -> None:
    """Of TCP, who had the address when the connection began; of anything else, when the packet came."""
    addresses = [span("one", 10, 20, workload="web", workload_kind="Deployment"), span("two", 22)]
    flows = [
        flow(12, 15),
        flow(12, 40),  # a connection does not outlive its peer: it is still with the first
        flow(12, 40, "udp"),
        flow(21, 21),
        flow(21, 21, remote_pod="said then"),
        flow(30, 31, remote_pod="said then"),
        flow(12, 15, remote_address="10.9.9.9"),
    ]
    found = query(keep(tmp_path / "s", addresses, flows), "select remote_pod, remote_workload from flows")
    assert found.column("remote_pod").to_pylist() == ["one", "one", "two", None, "said then", "two", None]
    assert found.column("remote_workload").to_pylist() == ["web", "web", None, None, None, None, None]


STEPS = st.lists(st.tuples(st.integers(0, 3), st.integers(1, 5), st.integers(0, 3)), min_size=1, max_size=12)


@settings(max_examples=200, deadline=None)
@given(STEPS)
def test_a_book_names_the_holder_and_nobody_else(steps: list[tuple[int, int, int]]) -> None:
    """Pods have the address one after another; each end is seen at once, or some seconds late, or the next is first."""
    book = AddressBook()
    truth: list[tuple[int, int, str]] = []
    clock = 10
    events: list[tuple[int, Callable[[], None]]] = []
    for number, (gap, length, late) in enumerate(steps):
        began, ended = clock + gap, clock + gap + length
        uid = f"u{number}"
        truth.append((began, ended, uid))

        def hold(uid: str = uid, began: int = began) -> None:
            book.hold(A, Holder("pod", uid, uid), began * SECOND)

        def release(uid: str = uid, at: int = ended + late, exact: bool = not late) -> None:
            book.release(A, uid, at * SECOND, exact=exact)

        events += [(began, hold), (ended + late, release)]
        clock = ended
    for _, event in sorted(events, key=lambda each: each[0]):
        event()
    for at in range(clock + 10):
        found = book.at(A, at * SECOND)
        holders = [uid for began, ended, uid in truth if began <= at < ended]
        if found is not None and holders:
            assert found.uid == holders[0]
        elif found is not None:  # nobody: only the one whose end was noticed late
            began, ended, _ = truth[int(found.uid[1:])]
            assert ended <= at


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_history_says_what_the_book_says(
    steps: list[tuple[int, int, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    book, rows, clock = AddressBook(), [], 10
    for number, (gap, length, late) in enumerate(steps):
        clock += gap
        book.hold(A, Holder("pod", f"u{number}", f"p{number}", "shop"), T0 + clock * SECOND)
        clock += length
        book.release(A, f"u{number}", T0 + (clock + late) * SECOND, exact=late == 0)
        rows += [
            {"address": A, "kind": "pod", "holder_uid": each.holder.uid, "pod_name": each.holder.name,
             "valid_from": each.since, "valid_to": each.until} for each in book.take_changes()
        ]  # fmt: skip
    store = keep(tmp_path_factory.mktemp("store") / "s", rows)
    found = query(store, "select holder_uid, valid_from, valid_to from addresses")
    uids, froms, tos = (column.cast("int64") if index else column for index, column in enumerate(found.columns))
    spans = list(zip(uids.to_pylist(), froms.to_pylist(), tos.to_pylist(), strict=True))
    kept = {each.holder.uid for each in book.spans(A)}
    for at in (T0 + second * SECOND for second in range(9, clock + 4)):
        held = {uid for uid, since, until in spans if since <= at and (until is None or at < until)} & kept
        named = book.at(A, at)
        if named is not None:
            assert named.uid in held
        if len(held) == 1 and named is not None:
            assert held == {named.uid}


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = keep(
        tmp_path / "s", [span("one", 10, 20, node="n1", workload="web", workload_kind="Deployment"), span("two", 22)]
    )
    ask = ["who-was", A, "--store", str(store), "--at"]
    assert main([*ask, "2023-11-14T22:13:35Z"]) == 0
    assert capsys.readouterr().out == (
        "10.1.0.5 at 2023-11-14T22:13:35.000Z: pod shop/one (Deployment web, node n1), "
        "from 2023-11-14T22:13:30.000Z, until 2023-11-14T22:13:40.000Z\n"
    )
    assert main([*ask, "2023-11-14T22:13:41Z"]) == 1
    assert "nobody is known to have had 10.1.0.5" in capsys.readouterr().err
    assert main([*ask, "1s", "-o", "json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["pod_name"], said["valid_from"], said["valid_to"]) == ("two", "2023-11-14T22:13:42.000Z", None)
    assert main(["who-was", "nonsense", "--at", "1s"]) == 2
    assert main([*ask, "yesterday"]) == 2


def test_moments() -> None:
    assert moment("2023-11-14T22:13:20Z") == T0
    assert moment("2023-11-14T23:13:20.25+01:00") == T0 + SECOND // 4
    now = time.time_ns()
    assert 0 <= now - moment("5m") + 60 * SECOND - 360 * SECOND + SECOND <= 2 * SECOND
    assert 0 <= now - moment("02:13") <= 25 * 3600 * SECOND
    assert np.sign(now - moment("0:00:01")) >= 0
