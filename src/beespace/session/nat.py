"""Service and back-end in one row: what a connection was opened to, and who really answers.

Packets of one connection look different on both sides of a translation.  Where it happens on their way (a pod's
packets in the host's namespace), the socket's side has the Service's address; where it happens around the socket (a
process of the host), what is sent has the back-end's and what is received the Service's, and one connection would be
two rows.  Connection tracking knows both sides: every row gets the real peer as its remote end, the address that the
client called goes beside it, and rows that are now of the same ends are one.

It is asked once for each connection, of UDP again while it lasts (a translation is made anew after a pause).  A
connection is tracked once its first packet has left, which may be after we counted that packet: of one that is not
tracked, it is asked again with the next packets.  Where nothing is tracked nobody is asked.  Asking takes ``budget_s``
of CPU time an interval at most, and begins with connections that are ending; those that were not reached are asked for
with their next packets, counted as ``deferred``.
"""

from __future__ import annotations

import errno
import math
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from beespace.errors import KernelError
from beespace.lang.packet import IPPROTO_TCP, IPPROTO_UDP
from beespace.probes.flows import FlowKey
from beespace.session.remembered import Remembered
from beespace.stream.keys import key_column, key_words
from beespace.stream.text import octets
from beespace.syscall.conntrack import Conntrack, Tracked, Tuple

__all__ = ["Called", "Nat", "Route"]

Records = NDArray[np.void]
REMEMBERED = 200_000
AGAIN_S = 5.0  # of UDP
UNTRACKED_S = (0.0, 2.0, 5.0)  # of what is not tracked: how long after each time
AT_ONCE = 16  # questions; between them it is looked how much of the budget is left
PASSING = (errno.ENOMEM, errno.ENOBUFS, errno.EAGAIN, errno.EINTR, errno.EBUSY)
LIVING = (1, 2, 3, 12)  # TCP_ESTABLISHED, TCP_SYN_SENT, TCP_SYN_RECV, TCP_NEW_SYN_RECV (include/net/tcp_states.h)
TRANSLATED = (IPPROTO_TCP, IPPROTO_UDP, 132)
NOWHERE = bytes(16)
# What connection tracking said of a connection, until when that holds, and how often it was not tracked.
_KNOWN = np.dtype([
    ("until", "f8"), ("asked", "?"), ("untracked", "u1"), ("routed", "?"),
    ("peer", "V16"), ("called", "V16"), ("peer_port", "u2"), ("called_port", "u2"),
])  # fmt: skip
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
        spent: Callable[[], float] = time.thread_time,
        at_once: int = AT_ONCE,
    ) -> None:
        self._conntrack = conntrack
        self.note = note
        self._budget_s = budget_s
        self._clock = clock
        self._spent = spent  # CPU time: on a busy machine, others' is not taken for ours
        self._at_once = at_once
        self._known = Remembered(_KNOWN, FlowKey.layout.size // 8 + 1)
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
        if not len(rows):
            return same
        tracked = self._tracked()
        if not tracked and not len(self._known):
            return same
        ports = (rows["local_port"] != 0) & (rows["remote_port"] != 0)
        places = np.flatnonzero(np.isin(rows["protocol"], TRANSLATED) & ports)
        known = self._asked(rows[places]) if tracked else self._remembered(rows[places])
        places, known = places[known["routed"]], known[known["routed"]]
        if not len(places):
            return same
        rows = rows.copy()
        rows["remote"][places], rows["remote_port"][places] = known["peer"], known["peer_port"]
        other = octets(known["called"]).any(axis=1)
        called.addresses[places[other]] = octets(known["called"][other])
        called.ports[places[other]] = known["called_port"][other]
        return _merged(rows, called)

    def _tracked(self) -> bool:
        """Whether there is any connection to ask about."""
        if self._conntrack is None:
            return False
        try:
            return self._conntrack.entries() > 0
        except KernelError as error:
            if error.errno in PASSING:
                return True
            self._end(error)
            return False

    def _remembered(self, rows: Records) -> Records:
        """What is known of the connections."""
        numbers = self._known.find(_connections(rows))
        known = np.zeros(len(rows), _KNOWN)
        known[numbers >= 0] = self._known.facts[numbers[numbers >= 0]]
        return known

    def _asked(self, rows: Records) -> Records:
        """What is known of the connections, else what can be asked in time."""
        now = self._clock()
        numbers, _new = self._known.seen(_connections(rows))
        known = self._known.facts[numbers]
        due = np.flatnonzero(known["until"] <= now)
        # Those first that will have no packets any more, those last of which something is known.
        living = np.isin(rows["state"], LIVING) | (rows["protocol"] != IPPROTO_TCP)
        due = due[np.lexsort((known["asked"][due], living[due]))]
        end = self._spent() + self._budget_s
        for at in range(0, len(due), self._at_once):
            these = due[at : at + self._at_once]
            if self._spent() > end or not self._learn(numbers[these].tolist(), rows[these], now):
                self.deferred += len(these)
        known = self._known.facts[numbers]
        self._known.forget(REMEMBERED)
        return known

    def _learn(self, numbers: list[int], rows: Records, now: float) -> bool:
        """Ask for a few connections; False if there was no answer.  ``numbers`` say where their facts are."""
        if self._conntrack is None:  # it failed in the middle of an interval
            return False
        protocols: list[int] = rows["protocol"].tolist()
        ends = [_ends(row) for row in rows]
        self.asked += len(rows)
        try:
            found = _ask(self._conntrack, list(zip(ends, protocols, strict=True)))
        except KernelError as error:
            if error.errno not in PASSING:
                self._end(error)
            return False
        facts = self._known.facts
        for number, packets, protocol, cookie, (forth, back) in zip(
            numbers, ends, protocols, rows["cookie"].tolist(), found, strict=True
        ):
            times = int(facts["untracked"][number])
            if forth is None and back is None and times < len(UNTRACKED_S):
                until, times = now + UNTRACKED_S[times], times + 1
            else:
                # A TCP connection keeps its route.  Without a socket, nobody can tell whose the packets are.
                until = math.inf if protocol == IPPROTO_TCP and cookie != 0 else now + AGAIN_S
            made = route(packets, forth, back)
            ports = (made.peer, made.called, made.peer_port, made.called_port) if made else (NOWHERE, NOWHERE, 0, 0)
            facts[number] = (until, True, times, made is not None, *ports)
        return True

    def _end(self, error: KernelError) -> None:
        """Connection tracking does not answer any more."""
        if self._conntrack is not None:
            self._conntrack.close()
        self._conntrack = None
        self.note = f"Services and their back-ends cannot be told apart: {error}"


def _ask(conntrack: Conntrack, questions: Sequence[tuple[Tuple, int]]) -> list[tuple[Tracked | None, Tracked | None]]:
    """For each: the connection in which the packets are one direction, else that in which their answers are."""
    found = conntrack.find_all(questions)
    missing = [place for place, each in enumerate(found) if each is None]
    backs = [(_answers(questions[place][0]), questions[place][1]) for place in missing]
    reverse = dict(zip(missing, conntrack.find_all(backs), strict=True))
    return [(each, reverse.get(place)) for place, each in enumerate(found)]


def _connections(rows: Records) -> NDArray[np.uint64]:
    """The key of each flow, and the cookie of its socket: another connection has another."""
    return np.column_stack([key_words(rows, FlowKey.layout), rows["cookie"]])


def _ends(row: np.void) -> Tuple:
    return Tuple(bytes(row["local"]), bytes(row["remote"]), int(row["local_port"]), int(row["remote_port"]))


def _answers(ends: Tuple) -> Tuple:
    return Tuple(ends.destination, ends.source, ends.destination_port, ends.source_port)


def _merged(rows: Records, called: Called) -> Resolved:
    """Rows of the same two ends as one: the sums of both, the rest of the one that has an owner."""
    groups = key_column(rows, FlowKey.layout).dictionary_encode().indices.to_numpy().astype(np.intp)
    _, kept = np.unique(groups, return_index=True)
    if len(kept) == len(rows):
        return Resolved(rows, called, groups)
    rest = np.setdiff1d(np.arange(len(rows)), kept)
    while len(rest):  # the next row of each group
        _, first = np.unique(groups[rest], return_index=True)
        _add(rows, called, kept[groups[rest[first]]], rest[first])
        rest = np.delete(rest, first)
    return Resolved(rows[kept], Called(called.addresses[kept], called.ports[kept]), groups)


def _add(rows: Records, called: Called, into: NDArray[np.intp], others: NDArray[np.intp]) -> None:
    """Add each row of ``others`` to that of ``into``, of which none is there twice."""
    one, other = rows[into], rows[others]
    later = one["last"] >= other["last"]
    made = np.where(one["owned"] >= other["owned"], one, other)
    for name in SUMS:
        made[name] = one[name] + other[name]
    for name in MEASURES:
        newer, older = np.where(later, one[name], other[name]), np.where(later, other[name], one[name])
        made[name] = np.where(newer != 0, newer, older)
    made["retransmits"] = np.maximum(one["retransmits"], other["retransmits"])
    made["first"] = np.minimum(one["first"], other["first"])
    made["last"] = np.maximum(one["last"], other["last"])
    rows[into] = made
    told = (called.ports[into] == 0) & (called.ports[others] != 0)
    called.addresses[into[told]] = called.addresses[others[told]]
    called.ports[into[told]] = called.ports[others[told]]
