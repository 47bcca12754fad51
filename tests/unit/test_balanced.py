"""What clients called where a program of their cgroup chose the back-end: whom we ask, how long, and how often."""

from __future__ import annotations

import errno
from collections.abc import Container
from typing import Any

import numpy as np
import pytest

from beespace.enrich.canonical import canonical
from beespace.errors import KernelError
from beespace.probes.flows import FlowKey, FlowStats, Role
from beespace.session import balanced
from beespace.session.balanced import LOOK_S, Balanced
from beespace.session.nat import Called
from beespace.stream import joined_layout
from beespace.stream.dtype import dtype_of
from beespace.syscall.peers import Peer


def ip(text: str) -> bytes:
    found = canonical(text)
    assert found is not None
    return found


BACK, FRONT = ip("10.2.0.3"), ip("10.96.0.10")


class Sockets:
    """Processes with sockets: pid -> cookie -> what getpeername says, None: that it is not connected."""

    def __init__(self, **of: dict[int, Peer | None]) -> None:
        self.of = {int(pid[1:]): found for pid, found in of.items()}
        self.asked: list[int] = []
        self.now = 0.0
        self.takes = 0.0
        self.complete = True
        self.error = 0

    def __call__(self, pid: int, cookies: Container[int], until: float) -> tuple[dict[int, Peer | None], bool]:
        self.asked.append(pid)
        if self.error:
            raise KernelError("cannot look at a process's sockets", call="pidfd_getfd", errno=self.error)
        self.now += self.takes
        return {cookie: peer for cookie, peer in self.of.get(pid, {}).items() if cookie in cookies}, self.complete


def rows(*owners: tuple[int, int], role: int = Role.CLIENT) -> Any:
    made = np.zeros(len(owners), dtype_of(joined_layout(FlowKey.layout, FlowStats.layout)))
    for row, (pid, cookie) in enumerate(owners):
        made["remote"][row] = np.void(BACK)
        for name, value in {"pid": pid, "cookie": cookie, "remote_port": 8080, "owned": 1, "role": role}.items():
            made[name][row] = value
    made["protocol"] = 6
    return made


def fill(balance: Balanced, found: Any) -> list[int]:
    called = Called(np.zeros((len(found), 16), np.uint8), np.zeros(len(found), np.int32))
    balance.fill(found, called)
    for row, port in enumerate(called.ports.tolist()):
        assert called.addresses[row].tobytes() == (FRONT if port else bytes(16))
    return called.ports.tolist()


def made(sockets: Sockets, present: bool = True) -> Balanced:
    return Balanced(lambda: present, ask=sockets, spent=lambda: sockets.now)


def test_each_connection_is_asked_for_once() -> None:
    sockets = Sockets(p7={1: Peer(FRONT, 80), 2: Peer(BACK, 8080)}, p8={3: Peer(FRONT, 443)})
    balance = made(sockets)
    many = rows((7, 1), (7, 2), (8, 3), (9, 4))
    assert fill(balance, many) == [80, 0, 443, 0]  # the second called the back-end itself, the last has gone
    assert sorted(sockets.asked) == [7, 8, 9]
    assert fill(balance, many) == [80, 0, 443, 0]
    assert sorted(sockets.asked) == [7, 8, 9]


def test_nobody_is_asked_without_a_balancer_and_no_server_with_one() -> None:
    sockets = Sockets(p7={1: Peer(FRONT, 80)})
    assert fill(made(sockets, present=False), rows((7, 1))) == [0]
    assert fill(made(sockets), rows((7, 1), role=Role.SERVER)) == [0]
    assert sockets.asked == []


def test_a_balancer_that_comes_later() -> None:
    sockets, there = Sockets(p7={1: Peer(FRONT, 80)}), []
    balance = Balanced(lambda: bool(there), ask=sockets, clock=lambda: sockets.now)
    assert fill(balance, rows((7, 1))) == [0]
    there.append(True)
    sockets.now += LOOK_S
    assert fill(balance, rows((7, 1))) == [80]


def test_a_budget_that_is_spent_leaves_the_rest_for_later() -> None:
    sockets = Sockets(**{f"p{pid}": {pid: Peer(FRONT, 80)} for pid in range(1, 6)})
    sockets.takes = 0.015
    balance = made(sockets)
    many = rows(*((pid, pid) for pid in range(1, 6)))
    assert fill(balance, many).count(80) == 2 and balance.deferred == 3
    assert fill(balance, many).count(80) == 4
    sockets.complete = False  # nor is what a process could not be asked in time taken for an answer
    other = rows((6, 6))
    assert fill(balance, other) == [0]
    sockets.of[6], sockets.complete = {6: Peer(FRONT, 81)}, True
    assert fill(balance, other) == [81]


def test_who_may_not_look_says_so() -> None:
    def refuse(*_arguments: Any) -> Any:
        raise KernelError("cannot look at a process's sockets: not permitted", call="pidfd_getfd", errno=1)

    balance = Balanced(lambda: True, ask=refuse)
    assert fill(balance, rows((7, 1))) == [0]
    assert balance.note is not None and "balance" in balance.note


def test_a_connection_that_was_not_connected_yet_is_asked_for_again() -> None:
    """Its first packet was sent at the end of an interval: getpeername has no answer before the peer's."""
    sockets = Sockets(p7={1: None})
    balance = made(sockets)
    assert fill(balance, rows((7, 1))) == [0]
    sockets.of[7] = {1: Peer(FRONT, 80)}
    assert fill(balance, rows((7, 1))) == [80] and balance.deferred == 0


def test_a_socket_that_was_handed_over_is_asked_for_where_it_is() -> None:
    sockets = Sockets(p7={}, p8={1: Peer(FRONT, 80)})
    balance = made(sockets)
    assert fill(balance, rows((7, 1))) == [0]
    assert fill(balance, rows((8, 1))) == [80]
    assert fill(balance, rows((7, 1))) == [80]  # what is known of it stays so
    assert sockets.asked == [7, 8]


def test_a_datagram_socket_that_is_connected_anew() -> None:
    sockets = Sockets(p7={1: Peer(FRONT, 80)})
    balance = made(sockets)
    first, other = rows((7, 1)), rows((7, 1))
    assert fill(balance, first) == [80]
    other["remote_port"], sockets.of[7] = 9090, {1: Peer(FRONT, 90)}
    assert fill(balance, other) == [90]


def test_one_process_that_may_not_be_looked_at_is_not_the_end() -> None:
    sockets = Sockets(p7={1: Peer(FRONT, 80)}, p9={3: Peer(FRONT, 81)})
    balance = made(sockets)
    assert fill(balance, rows((7, 1))) == [80]
    sockets.error = errno.EPERM
    assert fill(balance, rows((8, 2))) == [0]
    sockets.error = errno.EMFILE
    assert fill(balance, rows((9, 3))) == [0] and balance.deferred == 1
    sockets.error = 0
    assert fill(balance, rows((9, 3))) == [81] and balance.note is None
    assert fill(balance, rows((8, 2))) == [0] and sockets.asked == [7, 8, 9, 9]


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(balanced, "REMEMBERED", 2)
    sockets = Sockets(p7={cookie: Peer(FRONT, 80) for cookie in range(1, 6)})
    balance = made(sockets)
    for cookie in (1, 2, 3, 1):
        assert fill(balance, rows((7, cookie))) == [80]
    assert len(sockets.asked) == 4  # the first had to be asked for again
