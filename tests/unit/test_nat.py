"""Translated connections: what each end sees, one row for each, every packet once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc

from beespace.enrich import CgroupTree, Containers, Processes, Who
from beespace.enrich.canonical import canonical
from beespace.probes.flows import FlowKey, FlowStats
from beespace.session.flows import FlowRows
from beespace.session.nat import NOWHERE, Nat, Route, route
from beespace.stream import joined_layout
from beespace.stream.dtype import dtype_of
from beespace.syscall.conntrack import Tracked, Tuple


def ip(text: str) -> bytes:
    found = canonical(text)
    assert found is not None
    return found


def packets(source: str, source_port: int, destination: str, destination_port: int) -> Tuple:
    return Tuple(ip(source), ip(destination), source_port, destination_port)


# A client calls a Service; on the way it becomes a back-end's address, and the client the router's.
CALLED = packets("10.1.0.2", 40000, "10.96.0.10", 80)
SERVED = packets("10.2.0.3", 8080, "10.1.0.1", 50000)
TRACKED = Tracked(CALLED, SERVED)
BACK, FRONT = ("10.2.0.3", 8080), ("10.96.0.10", 80)


def test_what_the_client_sees() -> None:
    assert route(CALLED, TRACKED, None) == Route(ip(BACK[0]), BACK[1], ip(FRONT[0]), FRONT[1])


def test_what_the_server_sees() -> None:
    assert route(SERVED, TRACKED, None) == Route(ip("10.1.0.2"), 40000, ip(FRONT[0]), FRONT[1])


def test_what_is_sent_after_its_translation() -> None:
    sent = packets("10.1.0.1", 50000, *BACK)
    assert route(sent, None, TRACKED) == Route(ip(BACK[0]), BACK[1], ip(FRONT[0]), FRONT[1])


def test_what_is_not_translated() -> None:
    plain = packets("10.1.0.2", 40000, "10.2.0.3", 8080)
    answer = Tuple(plain.destination, plain.source, plain.destination_port, plain.source_port)
    assert route(plain, Tracked(plain, answer), None) is None
    assert route(answer, Tracked(plain, answer), None) is None
    assert route(plain, None, None) is None


def test_a_source_that_was_translated_alone() -> None:
    """A masquerade: the server's peer is another, what was called is the server."""
    plain = packets("10.1.0.2", 40000, "10.2.0.3", 8080)
    seen = Tracked(plain, packets("10.2.0.3", 8080, "10.1.0.1", 50000))
    assert route(seen.reply, seen, None) == Route(ip("10.1.0.2"), 40000, NOWHERE, 0)
    assert route(plain, seen, None) is None


class FakeConntrack:
    """Knows one connection, in both directions."""

    def __init__(self, tracked: Tracked) -> None:
        self.tracked = tracked
        self.asked = 0

    def find(self, packets: Tuple, protocol: int) -> Tracked | None:
        self.asked += 1
        return self.tracked if packets in self.tracked else None

    def close(self) -> None:
        pass


def rows(*flows: tuple[Tuple, dict[str, int]]) -> Any:
    made = np.zeros(len(flows), dtype_of(joined_layout(FlowKey.layout, FlowStats.layout)))
    for row, (ends, values) in enumerate(flows):
        for name, value in (("local", ends.source), ("remote", ends.destination)):
            made[name][row] = np.void(value)
        facts = {"local_port": ends.source_port, "remote_port": ends.destination_port, "protocol": 6, "cookie": 7}
        for field, number in {**facts, **values}.items():
            made[field][row] = number
    return made


def test_two_halves_of_one_connection_are_one_row() -> None:
    """Of a process around whose socket addresses are translated."""
    local = "10.1.0.1"
    tracked = Tracked(packets(local, 50000, *FRONT), packets(*BACK, local, 50000))
    halves = rows(
        (
            packets(local, 50000, *BACK),
            {"tx_packets": 5, "tx_bytes": 500, "first": 10, "last": 30, "owned": 1, "pid": 9},
        ),
        (packets(local, 50000, *FRONT), {"rx_packets": 4, "rx_bytes": 400, "first": 11, "last": 31, "rtt_us": 3}),
        (packets(local, 50001, "10.9.9.9", 443), {"tx_packets": 1, "first": 1, "last": 1, "cookie": 8}),
    )
    conntrack = FakeConntrack(tracked)
    nat = Nat(conntrack)  # type: ignore[arg-type]
    found = nat.resolve(halves)
    assert found.into.tolist() == [0, 0, 1]
    one, other = found.rows
    assert (bytes(one["remote"]), one["remote_port"]) == (ip(BACK[0]), BACK[1])
    sums = ("tx_packets", "tx_bytes", "rx_packets", "rx_bytes", "first", "last", "pid", "owned", "rtt_us")
    assert [one[name] for name in sums] == [5, 500, 4, 400, 10, 31, 9, 1, 3]
    assert (found.called.addresses[0].tobytes(), found.called.ports[0]) == (ip(FRONT[0]), FRONT[1])
    assert (bytes(other["remote"]), found.called.ports[1]) == (ip("10.9.9.9"), 0)
    assert bytes(halves["remote"][1]) == ip(FRONT[0])  # the kernel's rows stay as they were
    asked = conntrack.asked
    nat.resolve(halves)
    assert conntrack.asked == asked  # once for a connection


class Slow(FakeConntrack):
    """Takes its time."""

    now = 0.0

    def find(self, packets: Tuple, protocol: int) -> Tracked | None:
        self.now += 0.04
        return super().find(packets, protocol)


def test_a_budget_that_is_spent_leaves_the_rest_for_later() -> None:
    slow = Slow(TRACKED)
    nat = Nat(slow, budget_s=0.1, clock=lambda: slow.now)  # type: ignore[arg-type]
    many = rows(*((packets("10.1.0.2", port, "10.9.9.9", 80), {"cookie": port}) for port in range(1, 11)))
    nat.resolve(many)
    assert 0 < nat.asked < 10 and nat.deferred == 10 - nat.asked
    for _ in range(10):
        nat.resolve(many)
    assert nat.asked == 10


def test_a_connection_that_was_not_tracked_yet_is_asked_for_once_more() -> None:
    early, now = FakeConntrack(TRACKED), 0.0
    nat = Nat(early, clock=lambda: now)  # type: ignore[arg-type]
    flow = rows((TRACKED.original, {"tx_packets": 1}))
    early.tracked = Tracked(packets("10.0.0.1", 1, "10.0.0.2", 2), packets("10.0.0.2", 2, "10.0.0.1", 1))
    assert nat.resolve(flow).called.ports.tolist() == [0]
    early.tracked, now = TRACKED, 6.0
    assert nat.resolve(flow).called.ports.tolist() == [TRACKED.original.destination_port]
    asked, now = nat.asked, 60.0
    nat.resolve(flow)
    assert nat.asked == asked


def test_an_interval_in_which_nothing_happened() -> None:
    with Who(Processes(Path("/x"), trusted=True), CgroupTree(Path("/x")), Containers([])) as who:
        for nat in (None, Nat(FakeConntrack(TRACKED))):  # type: ignore[arg-type]
            made = FlowRows(who, "node", 0, nat=nat)
            made.begin((bytearray(), bytearray(), 0), {})
            batch, _ = made.batch(now=1, boot_offset=0, interval=1.0, lost={})
            assert len(batch) == 0


def test_columns_of_a_translated_flow() -> None:
    layout = FlowKey.layout.size
    each = rows((CALLED, {"tx_packets": 1, "first": 1, "last": 2}))
    keys = bytearray(each.view(np.uint8)[:layout].tobytes())
    values = bytearray(FlowStats.layout.size)
    with Who(Processes(Path("/x"), trusted=True), CgroupTree(Path("/x")), Containers([])) as who:
        made = FlowRows(who, "node", 0, nat=Nat(FakeConntrack(TRACKED)))  # type: ignore[arg-type]
        made.begin((keys, values, 1), {})
        batch, _ = made.batch(now=1, boot_offset=0, interval=1.0, lost={})
    row = {name: batch.records.column(name)[0].as_py() for name in ("remote_address", "target_address", "target_port")}
    assert row == {"remote_address": BACK[0], "target_address": FRONT[0], "target_port": FRONT[1]}
    assert pc.sum(batch.records.column("remote_port")).as_py() == BACK[1]
