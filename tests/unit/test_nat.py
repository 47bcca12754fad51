"""Translated connections: what each end sees, one row for each, every packet once."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pytest

from beespace.enrich import CgroupTree, Containers, Processes, Who
from beespace.enrich.canonical import canonical
from beespace.errors import KernelError
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
ESTABLISHED, SYN_SENT, FIN_WAIT1, CLOSE = 1, 2, 4, 7  # include/net/tcp_states.h
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
    answer = answers(plain)
    assert route(plain, Tracked(plain, answer), None) is None
    assert route(answer, Tracked(plain, answer), None) is None
    assert route(plain, None, None) is None


def test_a_source_that_was_translated_alone() -> None:
    """A masquerade: the server's peer is another, what was called is the server."""
    plain = packets("10.1.0.2", 40000, "10.2.0.3", 8080)
    seen = Tracked(plain, packets("10.2.0.3", 8080, "10.1.0.1", 50000))
    assert route(seen.reply, seen, None) == Route(ip("10.1.0.2"), 40000, NOWHERE, 0)
    assert route(plain, seen, None) is None


def answers(packets: Tuple) -> Tuple:
    return Tuple(packets.destination, packets.source, packets.destination_port, packets.source_port)


class FakeConntrack:
    """Knows these connections, in both directions; ``plain``: and every other, which is not translated."""

    def __init__(self, *tracked: Tracked, plain: bool = False) -> None:
        self.tracked = tracked
        self.plain = plain
        self.asked: list[Tuple] = []

    def find(self, packets: Tuple, protocol: int) -> Tracked | None:
        self.asked.append(packets)
        found = next((each for each in self.tracked if packets in each), None)
        return Tracked(packets, answers(packets)) if found is None and self.plain else found

    def find_all(self, questions: Sequence[tuple[Tuple, int]]) -> list[Tracked | None]:
        return [self.find(*each) for each in questions]

    def entries(self) -> int:
        return 1

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
    conntrack = FakeConntrack(tracked, Tracked(other := packets(local, 50001, "10.9.9.9", 443), answers(other)))
    nat = Nat(conntrack)  # type: ignore[arg-type]
    found = nat.resolve(halves)
    assert found.into.tolist() == [0, 0, 1]
    one, plain = found.rows
    assert (bytes(one["remote"]), one["remote_port"]) == (ip(BACK[0]), BACK[1])
    sums = ("tx_packets", "tx_bytes", "rx_packets", "rx_bytes", "first", "last", "pid", "owned", "rtt_us")
    assert [one[name] for name in sums] == [5, 500, 4, 400, 10, 31, 9, 1, 3]
    assert (found.called.addresses[0].tobytes(), found.called.ports[0]) == (ip(FRONT[0]), FRONT[1])
    assert (bytes(plain["remote"]), found.called.ports[1]) == (ip("10.9.9.9"), 0)
    assert bytes(halves["remote"][1]) == ip(FRONT[0])  # the kernel's rows stay as they were
    asked = list(conntrack.asked)
    nat.resolve(halves)
    assert conntrack.asked == asked  # once for a connection


class Slow(FakeConntrack):
    """Takes its time."""

    now = 0.0

    def find(self, packets: Tuple, protocol: int) -> Tracked | None:
        self.now += 0.04
        return super().find(packets, protocol)


def test_a_budget_that_is_spent_leaves_the_rest_for_later() -> None:
    slow = Slow(plain=True)
    nat = Nat(slow, budget_s=0.1, spent=lambda: slow.now, at_once=1)  # type: ignore[arg-type]
    many = rows(*((packets("10.1.0.2", port, "10.9.9.9", 80), {"cookie": port}) for port in range(1, 11)))
    nat.resolve(many)
    assert 0 < nat.asked < 10 and nat.deferred == 10 - nat.asked
    for _ in range(10):
        nat.resolve(many)
    assert nat.asked == 10


def test_connections_that_end_come_first() -> None:
    """They have no packets any more with which they could be asked for."""
    slow = Slow(plain=True)
    nat = Nat(slow, budget_s=0.05, spent=lambda: slow.now, at_once=1)  # type: ignore[arg-type]
    states = {1: ESTABLISHED, 2: SYN_SENT, 3: FIN_WAIT1, 4: ESTABLISHED, 5: CLOSE}
    many = rows(
        *((packets("10.1.0.2", port, "10.9.9.9", 80), {"cookie": port, "state": state})
          for port, state in states.items())
    )  # fmt: skip
    nat.resolve(many)
    assert [each.source_port for each in slow.asked] == [3, 5]


@pytest.mark.parametrize("protocol", [6, 17])
def test_a_short_connection_that_was_not_tracked_yet_is_asked_for_with_its_next_packets(protocol: int) -> None:
    """Its first packet was counted at the very end of an interval, and all the others in the next."""
    early, now = FakeConntrack(), 0.0
    nat = Nat(early, clock=lambda: now)  # type: ignore[arg-type]
    flow = rows((TRACKED.original, {"tx_packets": 1, "protocol": protocol}))
    assert nat.resolve(flow).called.ports.tolist() == [0]
    early.tracked, now = (TRACKED,), 1.0
    assert nat.resolve(flow).called.ports.tolist() == [TRACKED.original.destination_port]


def test_a_connection_that_nobody_tracks_is_asked_for_ever_less() -> None:
    conntrack, now = FakeConntrack(), 0.0
    nat = Nat(conntrack, clock=lambda: now)  # type: ignore[arg-type]
    flow = rows((TRACKED.original, {"tx_packets": 1}))
    asked = []
    for second in range(100):
        before, now = nat.asked, float(second)
        nat.resolve(flow)
        asked += [second] * (nat.asked - before)
    assert asked == [0, 1, 3, 8]


def test_packets_without_a_socket_may_be_of_another_connection() -> None:
    """The same ends are used again, and another back-end answers."""
    conntrack, now = FakeConntrack(TRACKED), 0.0
    nat = Nat(conntrack, clock=lambda: now)  # type: ignore[arg-type]
    flow = rows((TRACKED.original, {"rx_packets": 1, "cookie": 0}))
    assert bytes(nat.resolve(flow).rows["remote"][0]) == ip(BACK[0])
    conntrack.tracked, now = (Tracked(CALLED, SERVED._replace(source=ip("10.2.0.4"))),), 60.0
    assert bytes(nat.resolve(flow).rows["remote"][0]) == ip("10.2.0.4")


def test_nobody_is_asked_where_nothing_is_tracked() -> None:
    """What was known before holds."""
    conntrack = FakeConntrack(TRACKED)
    nat = Nat(conntrack)  # type: ignore[arg-type]
    flow = rows((TRACKED.original, {"tx_packets": 1}))
    nat.resolve(flow)
    asked = list(conntrack.asked)
    conntrack.entries = lambda: 0  # type: ignore[method-assign]
    assert bytes(nat.resolve(flow).rows["remote"][0]) == ip(BACK[0])
    nat.resolve(rows((packets("10.1.0.2", 1, "10.9.9.9", 80), {"cookie": 9})))
    assert conntrack.asked == asked and nat.deferred == 0


class Failing(FakeConntrack):
    """Fails as the kernel does."""

    errno = 0

    def find(self, packets: Tuple, protocol: int) -> Tracked | None:
        if self.errno:
            raise KernelError("cannot ask connection tracking", call="nfnetlink", errno=self.errno)
        return super().find(packets, protocol)


def test_a_failure_that_passes_is_not_the_end() -> None:
    failing = Failing(TRACKED)
    nat = Nat(failing)  # type: ignore[arg-type]
    flow = rows((TRACKED.original, {"tx_packets": 1}))
    failing.errno = errno.ENOBUFS
    assert nat.resolve(flow).called.ports.tolist() == [0] and nat.deferred == 1 and nat.note is None
    failing.errno = 0
    assert nat.resolve(flow).called.ports.tolist() == [TRACKED.original.destination_port]
    failing.errno = errno.EPERM
    nat.resolve(rows((TRACKED.original, {"cookie": 8})))
    assert nat.note is not None


def test_an_interval_in_which_nothing_happened() -> None:
    with Who(Processes(Path("/x"), trusted=True), CgroupTree(Path("/x")), Containers([])) as who:
        for nat in (None, Nat(FakeConntrack(TRACKED))):  # type: ignore[arg-type]
            made = FlowRows(who, "node", 0, nat=nat)
            made.begin((bytearray(), bytearray(), 0))
            batch, _ = made.batch(now=1, boot_offset=0, interval=1.0, lost={})
            assert len(batch) == 0


def test_columns_of_a_translated_flow() -> None:
    layout = FlowKey.layout.size
    each = rows((CALLED, {"tx_packets": 1, "first": 1, "last": 2}))
    keys = bytearray(each.view(np.uint8)[:layout].tobytes())
    values = bytearray(FlowStats.layout.size)
    with Who(Processes(Path("/x"), trusted=True), CgroupTree(Path("/x")), Containers([])) as who:
        made = FlowRows(who, "node", 0, nat=Nat(FakeConntrack(TRACKED)))  # type: ignore[arg-type]
        made.begin((keys, values, 1))
        batch, _ = made.batch(now=1, boot_offset=0, interval=1.0, lost={})
    row = {name: batch.records.column(name)[0].as_py() for name in ("remote_address", "target_address", "target_port")}
    assert row == {"remote_address": BACK[0], "target_address": FRONT[0], "target_port": FRONT[1]}
    assert pc.sum(batch.records.column("remote_port")).as_py() == BACK[1]
