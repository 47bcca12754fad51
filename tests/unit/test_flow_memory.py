"""What is remembered of flows between intervals is bounded, and nothing is told twice because of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from beespace.enrich import CgroupTree, Containers, Processes, Who
from beespace.probes.flows import FlowKey, FlowStats
from beespace.session import flows
from beespace.session.flows import FORGOTTEN_NS, FlowRows
from beespace.stream.dtype import dtype_of

BOOKED = 3


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch) -> Iterator[FlowRows]:
    monkeypatch.setattr(flows, "REMEMBERED", BOOKED)
    with Who(Processes(Path("/x"), trusted=True), CgroupTree(Path("/x")), Containers([])) as who:
        yield FlowRows(who, "node", 0)


def interval(rows: FlowRows, *seen: tuple[int, int, int], at: int = 1) -> list[tuple[int, int]]:
    """An interval of connections, given as port, cookie and running total; what each has sent again, and its first."""
    keys = np.zeros(len(seen), dtype_of(FlowKey.layout))
    values = np.zeros(len(seen), dtype_of(FlowStats.layout))
    keys["protocol"] = 6
    values["tx_packets"] = 1
    values["first"] = values["last"] = at
    for row, (port, cookie, total) in enumerate(seen):
        keys["local_port"][row], values["cookie"][row], values["retransmits"][row] = port, cookie, total
    rows.begin((bytearray(keys.tobytes()), bytearray(values.tobytes()), len(seen)))
    batch, _ = rows.batch(now=1, boot_offset=0, interval=1.0, lost={})
    columns = (batch.records.column(name).cast("int64").to_pylist() for name in ("retransmits", "first_seen"))
    return list(zip(*columns, strict=True))


def test_what_was_sent_again_is_told_once_although_the_flow_was_forgotten(rows: FlowRows) -> None:
    assert interval(rows, (1, 10, 5), (2, 20, 0), at=1) == [(5, 1), (0, 1)]
    interval(rows, *((port, port * 10, 0) for port in range(3, 9)), at=2)
    # First sight is forgotten; the five are not.
    assert interval(rows, (1, 10, 7), (2, 20, 1), at=3) == [(2, 3), (1, 3)]
    assert rows.forgotten == 0


def test_another_connection_on_the_same_ends_begins_at_nothing(rows: FlowRows) -> None:
    interval(rows, (1, 10, 5))
    interval(rows, *((port, port * 10, 0) for port in range(3, 9)))
    assert interval(rows, (1, 11, 3), at=3) == [(3, 3)]


def test_a_connection_that_was_silent_for_long(rows: FlowRows) -> None:
    interval(rows, (1, 10, 5), at=1)
    later = FORGOTTEN_NS + 2
    assert interval(rows, (1, 10, 6), at=later) == [(1, later)]


def test_what_is_forgotten_after_all_is_counted(rows: FlowRows) -> None:
    interval(rows, *((port, port * 10, 1) for port in range(1, 2 * BOOKED + 3)))
    assert rows.forgotten == 2
