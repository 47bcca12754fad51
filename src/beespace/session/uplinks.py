"""Truth against attribution: every packet of the uplinks, and how many of them ``flows`` has with an owner."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from beespace.errors import BeespaceError, KernelError, NotSupported
from beespace.probes.uplinks import FORWARDED, PassedKey, Uplinks, UplinksOnly, Way
from beespace.session.flows import Records
from beespace.session.interfaces import Interfaces
from beespace.stream import Batch
from beespace.stream.dtype import TIME
from beespace.stream.tables import UPLINKS
from beespace.syscall import rtnetlink
from beespace.syscall.netlink import Netlink

__all__ = ["UplinkRows", "uplinks"]

_ETHERNET, _ETHERNET_HEADER = 1, 14  # ARPHRD_ETHER (include/uapi/linux/if_arp.h), ETH_HLEN
_GATEWAY = 0x2  # RTF_GATEWAY (include/uapi/linux/route.h)
_COUNTS = ("packets", "bytes", "owned", "unowned", "forwarded", "kernel_made", "elsewhere", "other_protocols")


def uplinks(proc: Path = Path("/proc/thread-self/net")) -> list[str]:
    """The devices that lead out of this network namespace: those with a route to a gateway, or for everything.

    Bridges and veth pairs of pods have routes to their own network only; an uplink that is a veth has a gateway.
    """
    found: dict[str, None] = {}
    with suppress(OSError):
        for line in (proc / "route").read_text().splitlines()[1:]:
            name, destination, _gateway, flags, *_rest, mask = line.split()[:8]
            if int(flags, 16) & _GATEWAY or int(destination, 16) == int(mask, 16) == 0:
                found[name] = None
    with suppress(OSError):
        for line in (proc / "ipv6_route").read_text().splitlines():
            fields = line.split()
            if int(fields[8], 16) & _GATEWAY:
                found[fields[9]] = None
    return [name for name in found if name != "lo"]


class UplinkRows:
    """The probe on each of ``names`` (None: those that :func:`uplinks` finds), and the rows of ``uplinks``."""

    def __init__(self, node: str, interfaces: Interfaces, names: Sequence[str] | None = None) -> None:
        self._node = node
        self._interfaces = interfaces
        self._names = names
        self.probe: Uplinks = Uplinks()
        self._devices: dict[int, str] = {}
        self._totals: dict[tuple[int, int], Counter[str]] = {}  # (device, leaves) -> counts since the start
        self._told: dict[tuple[int, int], Counter[str]] = {}
        self.notes: tuple[str, ...] = ()
        self.reasons: dict[str, int] = {}  # packets without an owner in the last interval

    def start(self) -> None:
        """Attach to every uplink; one that cannot be is left out, with a note."""
        names = uplinks() if self._names is None else self._names
        if not names:
            return
        notes: list[str] = []
        try:
            try:
                self.probe.load()
            except NotSupported as error:
                notes.append(f"{FORWARDED}: {str(error).splitlines()[0]}")
                self.probe = UplinksOnly().load()
        except BeespaceError as error:
            self.probe.close()
            self.notes = (f"packets of the uplinks are not counted: {error}",)
            return
        with Netlink() as netlink:
            for name in names:
                try:
                    device = rtnetlink.interface(netlink, name)
                    self.probe.headers[device.index] = _ETHERNET_HEADER if device.hardware == _ETHERNET else 0
                    for method in ("on_ingress", "on_egress"):
                        self.probe.attach(method, interface=name)
                    self._devices[device.index] = name
                except KernelError as error:
                    if self._names is not None:
                        raise  # asked for by name
                    notes.append(f"packets of {name} are not counted: {error}")
        for method in () if isinstance(self.probe, UplinksOnly) else ("on_forward4", "on_forward6"):
            try:
                self.probe.attach(method)
            except KernelError as error:
                notes.append(f"{FORWARDED}: {str(error).splitlines()[0]}")
        self.notes = (*notes, *self.probe.notes)

    def begin(self) -> None:
        """What passed until now is not of any row."""
        self._read()
        self._rest()
        self._told = {key: counts.copy() for key, counts in self._totals.items()}

    def close(self) -> None:
        """Detach."""
        self.probe.close()

    def batch(self, flows: Records, *, now: int, interval: float) -> Batch | None:
        """Rows of ``uplinks`` for the interval whose flows are ``flows``; None without uplinks."""
        if not self._devices:
            return None
        self._read()
        self._attribute(flows)
        self._rest()
        rows: list[dict[str, Any]] = []
        self.reasons = {}
        for (device, leaves), counts in sorted(self._totals.items()):
            told = self._told.get((device, leaves), Counter())
            new = {name: counts[name] - told[name] for name in _COUNTS}
            self._told[device, leaves] = counts.copy()
            rows.append({
                "interval_s": interval, "node": self._node, "interface": self._devices[device],
                "direction": "transmit" if leaves else "receive", **new,
            })  # fmt: skip
            for name in ("forwarded", "kernel_made", "elsewhere"):
                reason = name.replace("_", "-") if name != "elsewhere" else "at no socket"
                self.reasons[reason] = self.reasons.get(reason, 0) + new[name]
        columns = UPLINKS.batch_of(rows)
        place = columns.schema.get_field_index("time")
        stamped = columns.set_column(place, "time", pa.array([now] * len(rows), pa.int64()).cast(TIME))
        return Batch("uplinks", UPLINKS.conform(stamped))

    def _read(self) -> None:
        """What the devices have counted since the start."""
        for device in self._devices:
            for leaves in (0, 1):
                counts = self._totals.setdefault((device, leaves), Counter())
                ways = {way: self._sums(device, way, leaves) for way in Way}
                if leaves:
                    counts["local"] = ways[Way.FROM_SOCKET][0]
                    counts["forwarded"] = ways[Way.FORWARDED][0]
                    counts["kernel_made"] = ways[Way.KERNEL_MADE][0]
                    parts: tuple[Way, ...] = (Way.FROM_SOCKET, Way.FORWARDED, Way.KERNEL_MADE, Way.NO_IP)
                else:
                    counts["forwarded"] = ways[Way.SENT_ON][0]
                    counts["local"] = ways[Way.ARRIVED][0] - counts["forwarded"]
                    parts = (Way.ARRIVED, Way.NO_IP)
                counts["other_protocols"] = ways[Way.NO_IP][0]
                counts["packets"] = sum(ways[way][0] for way in parts)
                counts["bytes"] = sum(ways[way][1] for way in parts)

    def _rest(self) -> None:
        for counts in self._totals.values():
            counts["elsewhere"] = counts["local"] - counts["owned"] - counts["unowned"]

    def _sums(self, device: int, way: Way, leaves: int) -> tuple[int, int]:
        found: Any = self.probe.passed.get(PassedKey(interface=device, way=way, egress=leaves))
        return (0, 0) if found is None else (sum(each.packets for each in found), sum(each.bytes for each in found))

    def _attribute(self, flows: Records) -> None:
        """Add what ``flows`` has of each device.

        A row without an owner does not know its namespace, and is taken as one of ours.
        """
        here = (flows["netns"] == self._interfaces.netns) | (flows["netns"] == 0)
        owned = flows["owned"] != 0
        for device in self._devices:
            of_device = here & (flows["interface"] == device)
            for leaves, column in ((0, "rx_packets"), (1, "tx_packets")):
                counts = self._totals[device, leaves]
                counts["owned"] += int(flows[column][of_device & owned].sum(dtype=np.uint64))
                counts["unowned"] += int(flows[column][of_device & ~owned].sum(dtype=np.uint64))
