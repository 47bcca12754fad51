"""From what the ``flows`` probe holds to rows of the ``flows`` table, once an interval.

Everything is columns; the only Python per row is what has to be remembered of a flow between intervals.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from beespace.enrich import Who
from beespace.lang.packet import IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_TCP, IPPROTO_UDP
from beespace.probes.flows import FlowKey, FlowStats, Moved, Role
from beespace.session.dimensions import start_times
from beespace.stream import Batch, records_of
from beespace.stream.dtype import TIME
from beespace.stream.tables import FLOWS
from beespace.stream.text import address_column, is_v4, octets, text_column

Records = NDArray[np.void]

REMEMBERED = 200_000  # flows whose first sight is remembered; the oldest go first
FORGOTTEN_NS = 300 * 1_000_000_000  # endpoints that were silent for so long begin another flow

_TRANSPORTS: dict[int, str | None] = {
    IPPROTO_TCP: "tcp",
    IPPROTO_UDP: "udp",
    IPPROTO_ICMP: "icmp",
    IPPROTO_ICMPV6: "icmpv6",
    132: "sctp",
}
_ROLES: dict[int, str | None] = {Role.UNKNOWN: None, Role.CLIENT: "client", Role.SERVER: "server"}
# include/net/tcp_states.h
_STATES = (
    None, "established", "syn_sent", "syn_recv", "fin_wait1", "fin_wait2", "time_wait", "close", "close_wait",
    "last_ack", "listen", "closing", "new_syn_recv",
)  # fmt: skip


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

    def __init__(self, who: Who, node: str, booted: int) -> None:
        self._who = who
        self._node = node
        self._booted = booted
        # key -> first and last sight (ns since boot), running total of retransmissions, socket cookie
        self._known: dict[bytes, tuple[int, int, int, int]] = {}

    def batch(
        self,
        taken: tuple[bytearray, bytearray, int],
        moved: Mapping[int, Moved],
        *,
        now: int,
        boot_offset: int,
        interval: float,
        lost: Mapping[str, int],
    ) -> tuple[Batch, Unattributed]:
        """Rows for one interval that ended at ``now`` (ns, wall clock).

        ``moved`` are the sockets, by cookie, that changed hands in the interval: their rows belong
        to the new owner.  ``lost`` goes into the batch.
        """
        keys, values, count = taken
        rows = records_of(keys, values, count, FlowKey.layout, FlowStats.layout)
        _hand_over(rows, moved)
        first, retransmits = self._remember(keys, rows)
        names = self._who.resolve(
            rows["pid"], rows["start"], rows["cgroup"], uids=rows["uid"], names=text_column(octets(rows["name"]))
        )
        local, remote = octets(rows["local"]), octets(rows["remote"])
        tcp = rows["protocol"] == IPPROTO_TCP
        owned = rows["owned"] != 0
        # Who has an address now need not be who had it when a connection began that is still there.
        began = np.where(tcp, first, rows["first"].astype(np.int64)) + boot_offset
        behind = self._who.remote(remote, at=began, ports=rows["remote_port"], protocols=rows["protocol"])
        columns: dict[str, Any] = {
            "time": _times(np.full(count, now, np.int64), 0),
            "interval_s": pa.array(np.full(count, interval)),
            "node": pa.array([self._node] * count, pa.string()),
            "process_pid": _known(rows["pid"], owned),
            "process_start_time": start_times(rows["start"].astype(np.int64), self._booted, owned),
            "process_uid": _known(rows["uid"], owned),
            "cgroup_id": _known(rows["cgroup"], owned),
            "local_address": address_column(local),
            "local_port": _known(rows["local_port"], rows["local_port"] != 0),
            "remote_address": address_column(remote),
            "remote_port": _known(rows["remote_port"], rows["remote_port"] != 0),
            "transport": _words(rows["protocol"], _TRANSPORTS),
            "network_type": _network_type(local),
            "role": _words(rows["role"], _ROLES),
            "state": _words(np.where(tcp, rows["state"], 0), dict(enumerate(_STATES))),
            "tx_bytes": _plain(rows["tx_bytes"]),
            "tx_packets": _plain(rows["tx_packets"]),
            "rx_bytes": _plain(rows["rx_bytes"]),
            "rx_packets": _plain(rows["rx_packets"]),
            "retransmits": _known(retransmits, tcp),
            "rtt_us": _known(rows["rtt_us"], tcp & (rows["rtt_us"] != 0)),
            "first_seen": _times(first, boot_offset),
            "last_seen": _times(rows["last"].astype(np.int64), boot_offset),
            **names,
            **behind,
        }
        return Batch("flows", FLOWS.conform(pa.RecordBatch.from_pydict(columns)), lost), _unattributed(rows, owned)

    def _remember(self, keys: bytearray, rows: Records) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """When each flow was first seen, and its retransmissions in this interval."""
        known = self._known
        first: list[int] = rows["first"].tolist()
        retransmits: list[int] = rows["retransmits"].tolist()
        names: list[bytes] = np.frombuffer(keys, f"V{FlowKey.layout.size}", len(rows)).tolist()
        facts = zip(names, first, rows["last"].tolist(), rows["cookie"].tolist(), retransmits, strict=True)
        for row, (key, began, last, cookie, total) in enumerate(list(facts)):
            before = known.pop(key, None)  # and put in again: the dictionary's order is that of last sight
            if before is not None and began - before[1] < FORGOTTEN_NS:
                first[row] = began = before[0]
                if before[3] == cookie:  # otherwise another connection on the same endpoints
                    retransmits[row] = total - before[2] if total > before[2] else 0
                    total = total if total > before[2] else before[2]
            known[key] = (began, last, total, cookie)
        for key in list(islice(known, max(0, len(known) - REMEMBERED))):
            del known[key]
        return np.array(first, np.int64), np.array(retransmits, np.int64)


def _hand_over(rows: Records, moved: Mapping[int, Moved]) -> None:
    if not moved:
        return
    for row in np.flatnonzero(np.isin(rows["cookie"], np.fromiter(moved, np.uint64))):
        owner = moved[int(rows["cookie"][row])]
        rows["pid"][row] = owner.pid
        rows["start"][row] = owner.start
        rows["uid"][row] = owner.uid
        rows["cgroup"][row] = owner.cgroup
        rows["name"][row] = np.void(owner.name.encode().ljust(16, b"\0"))
        rows["owned"][row] = 1


def _unattributed(rows: Records, owned: NDArray[np.bool_]) -> Unattributed:
    packets = rows["tx_packets"] + rows["rx_packets"]
    no_socket = ~owned & (rows["cookie"] == 0)
    return Unattributed(int(packets[no_socket].sum()), int(packets[~owned & ~no_socket].sum()))


def _plain(values: NDArray[Any]) -> pa.Array:
    return pa.array(np.ascontiguousarray(values))


def _known(values: NDArray[Any], known: NDArray[np.bool_]) -> pa.Array:
    """The values, null where they are not known."""
    return pa.array(np.ascontiguousarray(values), mask=~known)


def _times(values: NDArray[np.int64], boot_offset: int, known: NDArray[np.bool_] | None = None) -> pa.Array:
    return pa.array(values + boot_offset, pa.int64(), mask=None if known is None else ~known).cast(TIME)


def _words(codes: NDArray[Any], words: Mapping[int, str | None]) -> pa.Array:
    """Codes as words; a code that has none is shown as its number."""
    distinct, inverse = np.unique(codes, return_inverse=True)
    texts = pa.array([words[int(code)] if int(code) in words else str(code) for code in distinct], pa.string())
    return texts.take(pa.array(inverse))


def _network_type(addresses: NDArray[np.uint8]) -> pa.Array:
    return pa.array(["ipv6", "ipv4"], pa.string()).take(pa.array(is_v4(addresses).astype(np.int8)))
