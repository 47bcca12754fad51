"""From what the ``drops`` probe holds to rows of the ``drops`` table, and what flows miss by it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from beespace.enrich import Who
from beespace.errors import BeespaceError
from beespace.kernel.stacks import KernelFunctions
from beespace.probes.drops import DropKey, Drops, DropStats
from beespace.probes.flows import FlowKey
from beespace.session.dimensions import start_times
from beespace.session.drop_reasons import DropReasons
from beespace.session.flows import FlowRows, Records
from beespace.session.interfaces import Interfaces
from beespace.session.values import known, network_type, plain, times, transports
from beespace.stream import Batch, records_of
from beespace.stream.tables import DROPS
from beespace.stream.text import address_column, octets, text_column

__all__ = ["DropRows", "Dropped"]

_DIRECTIONS = ("receive", "transmit")
_NOTHING = DROPS.empty()


@dataclass(frozen=True, slots=True)
class Dropped:
    """What was thrown away in one interval: ``flows``: packets and the most frequent reason, by the key's bytes."""

    records: Records
    keys: tuple[bytes, ...]
    flows: Mapping[bytes, tuple[int, str]] = field(default_factory=dict)


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
        size, flow = DropKey.layout.size, FlowKey.layout.size
        of_flow = tuple(bytes(keys[at : at + flow]) for at in range(0, count * size, size))
        most: dict[bytes, dict[str, int]] = {}
        for key, reason, packets in zip(of_flow, records["reason"].tolist(), records["packets"].tolist(), strict=True):
            reasons = most.setdefault(key, {})
            name = self._reasons.name(reason)
            reasons[name] = reasons.get(name, 0) + packets
        flows = {key: (sum(each.values()), max(each, key=each.__getitem__)) for key, each in most.items()}
        return Dropped(records, of_flow, flows)

    def batch(self, dropped: Dropped, flows: FlowRows, *, now: int, boot_offset: int, interval: float) -> Batch:
        """Rows of the ``drops`` table; owners are those that ``flows`` knows for the same endpoints."""
        rows, count = dropped.records, len(dropped.records)
        if not count:
            return Batch("drops", _NOTHING).with_lost("table full", self._since_last())
        owners = flows.owners(dropped.keys)
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
            "direction": pa.array([_DIRECTIONS[each] for each in rows["egress"].tolist()], pa.string()),
            "interface": self._interfaces.names(rows["interface"], rows["netns"]),
            "reason": pa.array([self._reasons.name(each) for each in rows["reason"].tolist()], pa.string()),
            "place": pa.array([self._place(each) for each in rows["place"].tolist()], pa.string()),
            "packets": plain(rows["packets"]),
            "bytes": plain(rows["bytes"]),
            "first_seen": times(rows["first"].astype(np.int64), boot_offset),
            "last_seen": times(rows["last"].astype(np.int64), boot_offset),
        }
        made = Batch("drops", DROPS.conform(pa.RecordBatch.from_pydict(columns)))
        return made.with_lost("table full", self._since_last())

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
