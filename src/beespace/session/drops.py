"""From what the ``drops`` probe holds to rows of the ``drops`` table, and what flows miss by it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from beespace.enrich import Who
from beespace.errors import BeespaceError
from beespace.kernel.stacks import KernelFunctions
from beespace.probes.drops import DropKey, Drops, DropStats
from beespace.probes.flows import FlowKey
from beespace.session.dimensions import start_times
from beespace.session.drop_reasons import DropReasons
from beespace.session.flows import DropsByFlow, FlowRows, Records
from beespace.session.interfaces import Interfaces
from beespace.session.values import each_word, known, network_type, plain, times, transports, words
from beespace.stream import Batch, records_of
from beespace.stream.keys import key_column
from beespace.stream.tables import DROPS
from beespace.stream.text import address_column, octets, text_column

__all__ = ["DropRows", "Dropped"]

_DIRECTIONS = {0: "receive", 1: "transmit"}
_NOTHING = DROPS.empty()


class Dropped(NamedTuple):
    """What was thrown away in one interval: the flow of each record, and the same by flow."""

    records: Records
    flows: pa.Array  # the flow's key
    by_flow: DropsByFlow


def by_flow(flows: pa.Array, reasons: pa.Array, packets: NDArray[np.uint64]) -> DropsByFlow:
    """Each of ``flows`` once, with its packets and the reason that most of them have; of equal ones the first."""
    encoded = flows.dictionary_encode()
    if len(encoded.dictionary) == len(flows):  # as it nearly always is
        return DropsByFlow(flows, packets.astype(np.int64), reasons)
    named = reasons.dictionary_encode()
    keys, words = encoded.dictionary, named.dictionary
    flow, word = (each.indices.to_numpy().astype(np.int64) for each in (encoded, named))
    pairs, first, group = np.unique(flow * max(len(words), 1) + word, return_index=True, return_inverse=True)
    counts = np.bincount(group, packets, len(pairs)).astype(np.int64)  # a float holds 2**53 packets exactly
    of_pair = flow[first]
    order = np.lexsort((first, -counts, of_pair))
    most = order[np.searchsorted(of_pair[order], np.arange(len(keys)))]
    totals = np.bincount(of_pair, counts, len(keys)).astype(np.int64)
    return DropsByFlow(keys, totals, words.take(pa.array(word[first[most]])))


class DropRows:
    """The probe, attached, and its rows.  A kernel that cannot say what it drops leaves a note and no rows."""

    def __init__(self, who: Who, node: str, booted: int, interfaces: Interfaces | None = None) -> None:
        self._who = who
        self._node = node
        self._booted = booted
        self._interfaces = interfaces or Interfaces()
        self._reasons = DropReasons()
        self._functions: KernelFunctions | None = None
        self._nameless = False
        self.probe = Drops()
        self.note: str | None = None
        self._lost = 0
        self._paused = self._detached = False

    def start(self) -> None:
        """Attach."""
        try:
            self.probe.start()
        except BeespaceError as error:
            self.probe.close()
            self.note = f"packets that are thrown away are not seen: {error}"

    def pause(self) -> None:
        """Stop looking."""
        self._paused = True
        links = self.probe.links if self.note is None else ()
        self._detached = bool(links)  # a kernel that gives no reasons has nothing attached
        for link in links:
            link.close()

    def resume(self) -> None:
        """Look again."""
        self._paused = False
        if self.note is None and self._detached:
            self.probe.drops.take()
            try:
                self.probe.attach("on_drop")
            except BeespaceError as error:
                self.probe.close()
                self.note = f"packets that are thrown away are not seen any more: {error}"

    def close(self) -> None:
        """Detach."""
        self.probe.close()

    def take(self) -> Dropped | None:
        """What was thrown away since the last call; None if the kernel does not say."""
        if self.note is not None or self._paused:
            return None
        keys, values, count = self.probe.drops.take()
        records = records_of(keys, values, count, DropKey.layout, DropStats.layout)
        flows = key_column(records, FlowKey.layout)  # a DropKey begins with its fields
        reasons = each_word(records["reason"], self._reasons.name)
        return Dropped(records, flows, by_flow(flows, reasons, records["packets"]))

    def batch(self, dropped: Dropped, flows: FlowRows, *, now: int, boot_offset: int, interval: float) -> Batch:
        """Rows of the ``drops`` table; owners are those that ``flows`` knows for the same endpoints."""
        rows, count = dropped.records, len(dropped.records)
        if not count:
            return self.losses()
        owners = flows.owners(dropped.flows)
        owned = owners["pid"] != 0
        names = self._who.resolve(
            owners["pid"], owners["start"], owners["cgroup"], uids=owners["uid"],
            names=text_column(octets(owners["name"])),
        )  # fmt: skip
        local, remote = octets(rows["local"]), octets(rows["remote"])
        columns: dict[str, Any] = {
            **names,
            **self._who.remote(remote),
            "time": times(np.full(count, now, np.int64), 0),
            "interval_s": pa.array(np.full(count, interval)),
            "node": pa.array([self._node] * count, pa.string()),
            "process_pid": known(owners["pid"], owned),
            "process_start_time": start_times(owners["start"].astype(np.int64), self._booted, owned),
            "process_uid": known(owners["uid"], owned),
            "cgroup_id": known(owners["cgroup"], owned),
            "local_address": address_column(local),
            "local_port": known(rows["local_port"], rows["local_port"] != 0),
            "remote_address": address_column(remote),
            "remote_port": known(rows["remote_port"], rows["remote_port"] != 0),
            "transport": transports(rows["protocol"]),
            "network_type": network_type(local),
            "direction": words(rows["egress"], _DIRECTIONS),
            "interface": self._interfaces.names(rows["interface"], rows["netns"]),
            "reason": each_word(rows["reason"], self._reasons.name),
            "place": each_word(rows["place"], self._place),
            "packets": plain(rows["packets"]),
            "bytes": plain(rows["bytes"]),
            "first_seen": times(rows["first"].astype(np.int64), boot_offset),
            "last_seen": times(rows["last"].astype(np.int64), boot_offset),
        }
        made = Batch("drops", DROPS.conform(pa.RecordBatch.from_pydict(columns)))
        return made.with_lost("table full", self._since_last())

    def losses(self) -> Batch:
        """No rows, but what was lost."""
        return Batch("drops", _NOTHING).with_lost("table full", self._since_last())

    def _since_last(self) -> int:
        """Packets that found the table full."""
        total: int = self.probe.lost_packets.value
        lost, self._lost = total - self._lost, total
        return lost

    def _place(self, address: int) -> str | None:
        """The function at an address; null where the kernel hides addresses from us."""
        if self._functions is None and not self._nameless:
            try:
                self._functions = KernelFunctions()  # reads a list of 100,000 lines, once
            except BeespaceError:
                self._nameless = True
        return None if self._functions is None else self._functions.name(address)
