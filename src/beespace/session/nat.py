"""Service and back-end in one row: what a connection was opened to, and who really answers.

Packets of one connection look different on both sides of a translation.  Where it happens on their way (a pod's
packets in the host's namespace), the socket's side has the Service's address; where it happens around the socket (a
process of the host), what is sent has the back-end's and what is received the Service's, and one connection would be
two rows.  Connection tracking knows both sides: every row gets the real peer as its remote end, the address that the
client called goes beside it, and rows that are now of the same ends are one.

It is asked once for each connection, of UDP again while it lasts (a translation is made anew after a pause), and for
``budget_s`` an interval at most: connections that were not reached are asked for with their next packets, counted as
``deferred``.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from beespace.errors import KernelError
from beespace.lang.packet import IPPROTO_TCP, IPPROTO_UDP
from beespace.probes.flows import FlowKey
from beespace.stream import keys_of
from beespace.syscall.conntrack import Conntrack, Tracked, Tuple

__all__ = ["Called", "Nat", "Route"]

Records = NDArray[np.void]
REMEMBERED = 200_000
AGAIN_S = 5.0  # of UDP, and once of TCP without a route
TRANSLATED = (IPPROTO_TCP, IPPROTO_UDP, 132)
NOWHERE = bytes(16)
# How rows of one connection become one: counters are added, a measure is the newer one that there is.
SUMS = (
    *("tx_bytes", "tx_packets", "rx_bytes", "rx_packets", "tx_resets", "rx_resets"),
    *("tx_zero_windows", "rx_zero_windows", "accept_overflows"),
)
MEASURES = ("rtt_us", "rtt_var_us", "rtt_min_us", "connect_us", "first_byte_us", "error", "interface", "state")


class Route(NamedTuple):
    """The real peer, and what the client called where that is another address (else :data:`NOWHERE`, 0)."""

    peer: bytes
    peer_port: int
    called: bytes
    called_port: int


class Called(NamedTuple):
    """Columns: what the client called, zero where that was the row's own end or nobody knows."""

    addresses: NDArray[np.uint8]
    ports: NDArray[np.int32]


def route(local: Tuple, found: Tracked | None, reverse: Tracked | None) -> Route | None:
    """Where the packets of ``local`` (source: this end) come from and go to; None: nothing was translated.

    ``found`` is the connection in which they are one direction; ``reverse`` that in which their answers are.
    """
    if found is not None:
        if found.original == local:
            peer, port = found.reply.source, found.reply.source_port
        else:  # ours are the answers: the peer opened it
            peer, port = found.original.source, found.original.source_port
        front = found.original.destination, found.original.destination_port
        back = found.reply.source, found.reply.source_port
    elif reverse is not None:
        # What we send was translated before we saw it, so these already are the real ends.
        peer, port = local.destination, local.destination_port
        front = reverse.original.destination, reverse.original.destination_port
        back = reverse.reply.source, reverse.reply.source_port
    else:
        return None
    called = front if front != back else (NOWHERE, 0)
    made = Route(peer, port, *called)
    same = (peer, port) == (local.destination, local.destination_port)
    return None if same and called[0] == NOWHERE else made


class Resolved(NamedTuple):
    """Rows with their real peers, what was called, and which of them each row has become."""

    rows: Records
    called: Called
    into: NDArray[np.intp]


class Nat:
    """Finds the routes of flows.  ``conntrack`` None: nothing is known to be translated, and ``note`` says why."""

    def __init__(
        self,
        conntrack: Conntrack | None,
        note: str | None = None,
        *,
        budget_s: float = 0.1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._conntrack = conntrack
        self.note = note
        self._budget_s = budget_s
        self._clock = clock
        self._known: OrderedDict[tuple[bytes, int], tuple[Route | None, float]] = OrderedDict()  # until when
        self.asked = self.deferred = 0

    @classmethod
    def open(cls, netns: int | None = None) -> Nat:
        """That of network namespace ``netns`` (by descriptor; None: ours)."""
        try:
            return cls(Conntrack(netns))
        except KernelError as error:
            return cls(None, f"Services and their back-ends cannot be told apart: {error}")

    def close(self) -> None:
        """Close the socket."""
        if self._conntrack is not None:
            self._conntrack.close()

    def resolve(self, rows: Records) -> Resolved:
        """``rows`` (of FlowKey and FlowStats, which stay as they are) with each connection once."""
        called = Called(np.zeros((len(rows), 16), np.uint8), np.zeros(len(rows), np.int32))
        same = Resolved(rows, called, np.arange(len(rows)))
        if self._conntrack is None or not len(rows):
            return same
        ports = (rows["local_port"] != 0) & (rows["remote_port"] != 0)
        routes = self._routes(rows, np.flatnonzero(np.isin(rows["protocol"], TRANSLATED) & ports))
        if not routes:
            return same
        rows = rows.copy()
        for row, found in routes.items():
            rows["remote"][row] = np.void(found.peer)
            rows["remote_port"][row] = found.peer_port
            if found.called != NOWHERE:
                called.addresses[row] = np.frombuffer(found.called, np.uint8)
                called.ports[row] = found.called_port
        return _merged(rows, called)

    def _routes(self, rows: Records, places: NDArray[np.intp]) -> dict[int, Route]:
        """The routes of the rows at ``places``, where there are any: what is known, else what can be asked in time."""
        now = self._clock()
        end = now + self._budget_s
        these = rows[places]
        keys = zip(keys_of(these, FlowKey.layout), these["cookie"].tolist(), strict=True)
        routes: dict[int, Route] = {}
        for row, protocol, key in zip(places.tolist(), these["protocol"].tolist(), keys, strict=True):
            known = self._known.get(key)
            if known is not None and now < known[1]:
                self._known.move_to_end(key)
                found = known[0]
            elif (now := self._clock()) <= end:
                found = self._ask(_ends(rows, row), protocol)
                # A TCP connection keeps its route; where none is known, it may have been asked for too early, once.
                settled = protocol == IPPROTO_TCP and (found is not None or known is not None)
                self._known[key] = found, math.inf if settled else now + AGAIN_S
                while len(self._known) > REMEMBERED:
                    self._known.popitem(last=False)
            else:
                self.deferred += 1
                found = known[0] if known is not None else None
            if found is not None:
                routes[row] = found
        return routes

    def _ask(self, ends: Tuple, protocol: int) -> Route | None:
        if self._conntrack is None:  # it failed in the middle of an interval
            return None
        self.asked += 1
        try:
            found = self._conntrack.find(ends, protocol)
            back = Tuple(ends.destination, ends.source, ends.destination_port, ends.source_port)
            reverse = self._conntrack.find(back, protocol) if found is None else None
        except KernelError as error:
            self._conntrack.close()
            self._conntrack = None
            self.note = f"Services and their back-ends cannot be told apart: {error}"
            return None
        return route(ends, found, reverse)


def _ends(rows: Records, row: int) -> Tuple:
    local, remote = bytes(rows["local"][row]), bytes(rows["remote"][row])
    return Tuple(local, remote, int(rows["local_port"][row]), int(rows["remote_port"][row]))


def _merged(rows: Records, called: Called) -> Resolved:
    """Rows of the same two ends as one: the sums of both, the rest of the one that has an owner."""
    ends: dict[tuple[Any, ...], int] = {}
    kept: list[int] = []
    into: list[int] = []
    columns = (rows[name].tolist() for name in ("local", "remote", "netns", "local_port", "remote_port", "protocol"))
    for row, facts in enumerate(zip(*columns, strict=True)):
        place = ends.setdefault(facts, len(kept))
        into.append(place)
        if place == len(kept):
            kept.append(row)
        else:
            _add(rows, called, kept[place], row)
    if len(kept) == len(rows):
        return Resolved(rows, called, np.array(into))
    return Resolved(rows[kept], Called(called.addresses[kept], called.ports[kept]), np.array(into))


def _add(rows: Records, called: Called, into: int, row: int) -> None:
    one, other = rows[into].copy(), rows[row].copy()
    newer, older = (one, other) if one["last"] >= other["last"] else (other, one)
    rows[into] = one if one["owned"] >= other["owned"] else other
    for name in SUMS:
        rows[name][into] = one[name] + other[name]
    for name in MEASURES:
        rows[name][into] = newer[name] or older[name]
    rows["retransmits"][into] = max(one["retransmits"], other["retransmits"])
    rows["first"][into] = min(one["first"], other["first"])
    rows["last"][into] = newer["last"]
    if not called.ports[into] and called.ports[row]:
        called.addresses[into] = called.addresses[row]
        called.ports[into] = called.ports[row]
