"""From what the ``flows`` probe holds to rows of the ``flows`` table, once an interval.

Everything is columns; what has to be remembered of a flow between intervals is, too.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from beespace.enrich import Who
from beespace.lang.packet import IPPROTO_TCP
from beespace.probes.flows import FlowKey, FlowStats, Role
from beespace.session.balanced import Balanced
from beespace.session.coarse import coarse
from beespace.session.detail import Detail
from beespace.session.dimensions import start_times
from beespace.session.dns_names import Names
from beespace.session.hand_over import hand_over
from beespace.session.interfaces import Interfaces
from beespace.session.nat import Nat
from beespace.session.one_cgroup import of_cgroup
from beespace.session.remembered import Remembered
from beespace.session.values import known, network_type, plain, times, transports, words
from beespace.stream import Batch, joined_layout, records_of
from beespace.stream.dtype import dtype_of
from beespace.stream.keys import key_column, key_words, places_of
from beespace.stream.tables import FLOWS
from beespace.stream.text import address_column, octets, text_column

Records = NDArray[np.void]

REMEMBERED = 200_000  # flows whose first sight is remembered; the oldest go first
FORGOTTEN_NS = 300 * 1_000_000_000  # endpoints that were silent for so long begin another flow

# What is remembered of a flow: first and last sight (ns since boot), running total of retransmissions.
_SIGHT = np.dtype([("first", "i8"), ("last", "i8"), ("retransmits", "i8"), ("cookie", "u8")])
_ROLES: dict[int, str | None] = {Role.UNKNOWN: None, Role.CLIENT: "client", Role.SERVER: "server"}
_DURATIONS = ("rtt_us", "rtt_var_us", "rtt_min_us", "connect_us", "first_byte_us")
_OF_PEERS = ("local_address", "remote_address", "interface")
_TROUBLES = ("tx_resets", "rx_resets", "tx_zero_windows", "rx_zero_windows", "accept_overflows")
# sk_err when a connection closes (include/uapi/asm-generic/errno.h)
ERRORS: dict[int, str | None] = {
    0: None,
    errno.ECONNREFUSED: "refused",
    errno.ETIMEDOUT: "timed_out",
    errno.ECONNRESET: "reset",
    errno.EPIPE: "reset",  # after the peer had closed its side
    errno.EHOSTUNREACH: "host_unreachable",
    errno.ENETUNREACH: "network_unreachable",
    errno.EACCES: "administratively_prohibited",
    errno.ECONNABORTED: "aborted",
    errno.EMSGSIZE: "message_size",
    errno.ENOPROTOOPT: "protocol_unreachable",
}
# include/net/tcp_states.h
_STATES = (
    None, "established", "syn_sent", "syn_recv", "fin_wait1", "fin_wait2", "time_wait", "close", "close_wait",
    "last_ack", "listen", "closing", "new_syn_recv",
)  # fmt: skip


class DropsByFlow(NamedTuple):
    """Packets that were thrown away, and the most frequent reason, by the key of the flow (each once)."""

    keys: pa.Array
    packets: NDArray[np.int64]
    reasons: pa.Array


@dataclass(frozen=True, slots=True)
class Unattributed:
    """Packets without an owner, by reason."""

    no_socket: int = 0  # no full local socket: made by the kernel, or its socket is gone
    no_owner: int = 0  # a socket that no process was seen to use

    @property
    def packets(self) -> int:
        return self.no_socket + self.no_owner

    @property
    def reasons(self) -> Mapping[str, int]:
        """Packets by reason, in words."""
        return {"no socket": self.no_socket, "no owner": self.no_owner}


class FlowRows:
    """Makes batches of the ``flows`` table; remembers when each flow was first seen."""

    def __init__(
        self,
        who: Who,
        node: str | None,
        booted: int,
        interfaces: Interfaces | None = None,
        nat: Nat | None = None,
        cgroup: Path | None = None,
        balanced: Balanced | None = None,
    ) -> None:
        """``cgroup``: the one that is watched; None: every socket."""
        self._cgroup = cgroup
        self._who = who
        self._nat = nat if nat is not None else Nat(None)
        self._balanced = balanced if balanced is not None else Balanced(lambda: False)
        self._node = node
        self._booted = booted
        self._interfaces = interfaces or Interfaces()
        self._known = Remembered(_SIGHT, FlowKey.layout.size // 8)
        # Of flows that had to go: that total and cookie, or what was sent again would be told again.
        self._resent: dict[bytes, tuple[int, int]] = {}
        self.forgotten = 0  # flows of which not even that is remembered
        self._now: Records = np.zeros(0, dtype_of(joined_layout(FlowKey.layout, FlowStats.layout)))
        self._before = self._now

    def begin(self, taken: tuple[bytearray, bytearray, int], moved: Sequence[pa.RecordBatch] = ()) -> None:
        """Take an interval's table; from now on its owners are known.

        ``moved`` (events as :class:`Moved`) are the sockets that changed hands in the interval: their rows belong to
        the new owner.
        """
        keys, values, count = taken
        rows = records_of(keys, values, count, FlowKey.layout, FlowStats.layout)
        if self._cgroup is not None:
            rows = of_cgroup(rows, self._cgroup)
        for events in moved:
            hand_over(rows, events)
        self._before, self._now = self._now, rows

    def batch(
        self,
        *,
        now: int,
        boot_offset: int,
        interval: float,
        lost: Mapping[str, int],
        dropped: DropsByFlow | None = None,
        names: Names | None = None,
        detail: Detail = Detail.FULL,
    ) -> tuple[Batch, Unattributed]:
        """Rows of the interval that was begun and ended at ``now`` (ns, wall clock).

        ``lost`` goes into the batch.  ``dropped`` are packets that were thrown away; None if nobody looked.
        ``names`` are those of remote addresses, ``detail`` is how much is to be told apart.
        """
        rows = kept = self._now
        # From here on each connection is one row, with its real peer.
        resolved = self._nat.resolve(rows)
        self._balanced.fill(resolved.rows, resolved.called)
        (rows, called, into), first, retransmits = coarse(detail, resolved, *self._remember(resolved.rows))
        count = len(rows)
        who = self._who.resolve(
            rows["pid"], rows["start"], rows["cgroup"], uids=rows["uid"], names=text_column(octets(rows["name"]))
        )
        local, remote = octets(rows["local"]), octets(rows["remote"])
        tcp = rows["protocol"] == IPPROTO_TCP
        owned = rows["owned"] != 0
        # Who has an address now need not be who had it when a connection began that is still there.
        began = np.where(tcp, first, rows["first"].astype(np.int64)) + boot_offset
        opened = rows["role"] != Role.SERVER  # what a server's client called is the server's own name
        behind = (
            {}
            if detail >= Detail.OWNERS
            else self._who.remote(
                remote,
                at=began,
                ports=rows["remote_port"],
                protocols=rows["protocol"],
                targets=np.where(opened[:, None], called.addresses, 0).astype(np.uint8),
                target_ports=called.ports,
            )
        )
        columns: dict[str, Any] = {
            "time": times(np.full(count, now, np.int64), 0),
            "interval_s": pa.array(np.full(count, interval)),
            "node": pa.array([self._node] * count, pa.string()),
            "process_pid": known(rows["pid"], owned),
            "process_start_time": start_times(rows["start"].astype(np.int64), self._booted, owned),
            "process_uid": known(rows["uid"], owned),
            "cgroup_id": known(rows["cgroup"], owned),
            "local_address": address_column(local),
            "local_port": known(rows["local_port"], rows["local_port"] != 0),
            "remote_address": address_column(remote),
            "remote_port": known(rows["remote_port"], rows["remote_port"] != 0),
            "target_address": pc.if_else(called.ports != 0, address_column(called.addresses), _NO_TEXT),
            "target_port": known(called.ports, called.ports != 0),
            "transport": transports(rows["protocol"]),
            "network_type": network_type(local),
            "role": words(rows["role"], _ROLES),
            "state": words(np.where(tcp, rows["state"], 0), dict(enumerate(_STATES))),
            "tx_bytes": plain(rows["tx_bytes"]),
            "tx_packets": plain(rows["tx_packets"]),
            "rx_bytes": plain(rows["rx_bytes"]),
            "rx_packets": plain(rows["rx_packets"]),
            "retransmits": known(retransmits, tcp),
            **{name: known(rows[name], tcp & (rows[name] != 0)) for name in _DURATIONS},
            **{name: known(rows[name], tcp) for name in _TROUBLES},
            "error": words(np.where(tcp, rows["error"], 0), ERRORS),
            **_drops(dropped, kept, into, count),
            "interface": self._interfaces.names(rows["interface"], rows["netns"]),
            "first_seen": times(first, boot_offset),
            "last_seen": times(rows["last"].astype(np.int64), boot_offset),
            **who,
            **behind,
        }
        if detail is not Detail.FULL:
            columns["detail"] = pa.array([detail.word] * count)
        if detail >= Detail.OWNERS:
            for name in _OF_PEERS:
                del columns[name]  # null
        elif names is not None:
            last = rows["last"].astype(np.int64)
            columns["remote_name"] = names.column(remote, rows["cgroup"], first, last)
        return Batch("flows", FLOWS.conform(pa.RecordBatch.from_pydict(columns)), lost), _unattributed(rows, owned)

    @property
    def records(self) -> Records:
        """What the last batch was made of: fields of FlowKey and FlowStats."""
        return self._now

    def owners(self, keys: pa.Array) -> Records:
        """Who owns the flows of those keys, in this interval or the one before; zeroes: nobody."""
        found = np.zeros(len(keys), self._now.dtype)
        for records in (self._before, self._now):
            owned = records[records["owned"] != 0]
            places = places_of(keys, key_column(owned, FlowKey.layout))
            there = places >= 0
            found[there] = owned[places[there]]
        return found

    def owners_by_cookie(self, cookies: Sequence[int]) -> Records:
        """The same by the cookie of a socket."""
        found = np.zeros(len(cookies), self._now.dtype)
        wanted = np.array(cookies, np.uint64)
        for records in (self._before, self._now):
            these = records[(records["owned"] != 0) & np.isin(records["cookie"], wanted)]
            if not len(these):
                continue
            order = np.argsort(these["cookie"], kind="stable")
            places = np.searchsorted(these["cookie"][order], wanted).clip(max=len(these) - 1)
            match = these[order[places]]
            same = match["cookie"] == wanted
            found[same] = match[same]
        return found

    def _remember(self, rows: Records) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """When each flow was first seen, and its retransmissions in this interval."""
        keys = key_words(rows, FlowKey.layout)
        numbers, new = self._known.seen(keys)
        before = self._known.facts[numbers]
        told, of_cookie = before["retransmits"].copy(), before["cookie"].copy()
        for row in np.flatnonzero(new).tolist() if self._resent else ():
            told[row], of_cookie[row] = self._resent.pop(keys[row].tobytes(), (0, 0))
        first, total = rows["first"].astype(np.int64), rows["retransmits"].astype(np.int64)
        lasts = ~new & (first - before["last"] < FORGOTTEN_NS)
        first = np.where(lasts, before["first"], first)
        same = of_cookie == rows["cookie"]  # otherwise another connection on the same endpoints
        retransmits = np.where(same, np.maximum(total - told, 0), total)
        now = np.zeros(len(rows), _SIGHT)
        now["first"], now["last"], now["cookie"] = first, rows["last"], rows["cookie"]
        now["retransmits"] = np.where(same, np.maximum(total, told), total)
        self._known.facts[numbers] = now
        self._forget()
        return first, retransmits

    def _forget(self) -> None:
        """What is remembered is bounded."""
        keys, facts = self._known.forget(REMEMBERED)
        for place in np.flatnonzero(facts["retransmits"]).tolist():
            self._resent[keys[place].tobytes()] = int(facts["retransmits"][place]), int(facts["cookie"][place])
        for key in list(islice(self._resent, max(0, len(self._resent) - REMEMBERED))):
            del self._resent[key]
            self.forgotten += 1


_NO_TEXT = pa.scalar(None, pa.string())  # a plain None has pyarrow look for a package that it does not find


def _drops(dropped: DropsByFlow | None, kept: Records, into: NDArray[np.intp], count: int) -> dict[str, pa.Array]:
    """The drops of the rows that the kernel's, ``kept``, have become; ``into`` says which."""
    none = pa.nulls(count, pa.string())
    if dropped is None:
        return {"drops": none, "drop_reason": none}
    if not len(dropped.keys):
        return {"drops": pa.array(np.zeros(count, np.int64)), "drop_reason": none}
    places = places_of(key_column(kept, FlowKey.layout), dropped.keys)
    rows = np.flatnonzero(places >= 0)
    packets = np.bincount(into[rows], dropped.packets[places[rows]], count).astype(np.int64)
    reasons = np.full(count, -1, np.int64)
    reasons[into[rows[::-1]]] = places[rows[::-1]]  # of several the first
    return {"drops": pa.array(packets), "drop_reason": dropped.reasons.take(pa.array(reasons, mask=reasons < 0))}


def _unattributed(rows: Records, owned: NDArray[np.bool_]) -> Unattributed:
    packets = rows["tx_packets"] + rows["rx_packets"]
    no_socket = ~owned & (rows["cookie"] == 0)
    return Unattributed(int(packets[no_socket].sum()), int(packets[~owned & ~no_socket].sum()))
