"""``watch --pcap``: the table that the kernel would have given, of packets in a file.

A capture has no sockets, so nobody owns its flows.  Which end is local says, in this order: ``--local``; the file
(pcapng's flags, Linux cooked captures); else the end that began, as far as the file shows it, is the local one.  Where
both ends are local, as on the loopback interface, the kernel sees each packet twice, sent and received, and so do we.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from ipaddress import ip_address, ip_network
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from beespace.capture import Capture, Direction, Unreadable, ip_packet
from beespace.capture.link import IpPacket, transport
from beespace.enrich import nobody
from beespace.errors import BeespaceError, FormatError, UsageError
from beespace.lang.packet import IPPROTO_TCP, IPPROTO_UDP, TCP_ACK, TCP_SYN
from beespace.session.flows import FlowRows
from beespace.session.interfaces import Interfaces
from beespace.session.offline_flows import OfflineFlows
from beespace.stream import Batch

__all__ = ["Locals", "PcapWatch"]

Ends: TypeAlias = "tuple[bool, ...]"  # the programs that see a packet: True is egress

_OF_SOCKETS = ("retransmits", "accept_overflows", "interface")
_NONE: Mapping[str, int] = MappingProxyType({})
_LOOPBACK = ("127.0.0.0/8", "::1/128")
_OPENING = TCP_SYN | TCP_ACK
_SENT, _RECEIVED, _BOTH, _NEITHER = (True,), (False,), (True, False), ()


class Locals:
    """Which addresses are local: networks as text, ``10.0.0.0/8`` or an address."""

    def __init__(self, networks: Sequence[str]) -> None:
        try:
            self._networks = [ip_network(text, strict=False) for text in networks]
        except ValueError as error:
            raise UsageError(f"--local: {error}", help="write it as 10.0.0.1, 10.0.0.0/8 or fd00::/8") from None
        self._known: dict[bytes, bool] = {}

    def __contains__(self, address: bytes) -> bool:
        if address not in self._known:
            parsed = ip_address(address)
            self._known[address] = any(parsed in network for network in self._networks)
        return self._known[address]


class _NoInterfaces(Interfaces):
    """A capture does not say which device of which namespace a packet passed."""

    def names(self, indices: NDArray[np.uint32], netns: NDArray[np.uint64]) -> pa.Array:
        """None."""
        return pa.nulls(len(indices), pa.string())


def _without(records: pa.RecordBatch, names: Sequence[str]) -> pa.RecordBatch:
    """The rows without what only sockets know: it is not zero, it is not known."""
    for name in names:
        if name in records.schema.names:
            place = records.schema.get_field_index(name)
            field = records.schema.field(place)
            records = records.set_column(place, field, pa.nulls(records.num_rows, field.type))
    return records


class PcapWatch:
    """Plays a capture: :meth:`collect` gives the flows of the next ``interval`` seconds of it, or (None) of all of it.

    ``local`` are the networks that are local, if somebody said so.
    """

    def __init__(
        self,
        capture: Capture,
        *,
        interval: float | None = None,
        local: Sequence[str] = (),
        max_flows: int = 65_536,
        jit: bool = False,
        progress: Callable[[int], None] = lambda packets: None,
    ) -> None:
        self._capture = capture
        self._interval = None if interval is None else int(interval * 1e9)
        self._said = Locals(local) if local else None
        self._loopback = Locals(_LOOPBACK)
        self._flows = OfflineFlows(max_flows, jit=jit)
        self._rows = FlowRows(nobody(), None, 0, _NoInterfaces(netns=0))
        self._began_with: dict[bytes, bytes] = {}  # two ends in order -> the one that is local
        self._progress = progress
        self._stopped = False
        self.skipped: Counter[str] = Counter()
        self.error: BeespaceError | None = None
        self.unattributed_packets: Mapping[str, int] = _NONE  # in a capture nobody could own any
        self._packets = self._read()
        self._ahead = next(self._packets, None)
        self.began_at = self.position = 0 if self._ahead is None else self._ahead[0]

    def _read(self) -> Iterator[tuple[int, IpPacket]]:
        """IP packets with their times; a file that is damaged ends there, and :attr:`error` says so."""
        try:
            for frame in self._capture:
                packet = ip_packet(frame)
                if packet is None:
                    self.skipped["no IP"] += 1
                else:
                    yield frame.time, packet
        except (FormatError, Unreadable) as error:
            self.error = error

    @property
    def ends_at(self) -> int | None:
        """When the next interval ends, in ns since 1970; None if there is none, or it is the whole capture."""
        if self._ahead is None or self._interval is None:
            return None
        return self._begin(self._ahead[0]) + self._interval

    @property
    def cut(self) -> int | None:
        """Where the packet begins in whose middle the file ends, if it does."""
        return self._capture.cut

    @property
    def ended(self) -> bool:
        """Whether there is nothing more to collect."""
        return self._stopped or self._ahead is None

    def stop(self) -> None:
        """End with what was read until now."""
        self._stopped = True

    def collect(self) -> list[Batch]:
        """The flows of the next interval that has packets."""
        if self._ahead is None:
            return []
        begin, last = self._begin(self._ahead[0]), self._ahead[0]
        end = None if self._interval is None else begin + self._interval
        while self._ahead is not None and not self._stopped:
            at, packet = self._ahead
            if end is not None and at >= end:
                break
            last = max(last, at)
            for egress in self._ends(packet):
                self._flows.account(at, packet.version, packet.data, packet.length, egress)
            self._ahead = next(self._packets, None)
            if self._flows.packets % 1000 == 0:
                self._progress(self._flows.packets)
        self.position = last if end is None or self.ended else end
        length = (self.position - begin) / 1e9 if end is None else (end - begin) / 1e9
        self._rows.begin(self._flows.take())
        batch, _ = self._rows.batch(
            now=self.position,
            boot_offset=0,
            interval=length,
            lost={**self._flows.lost(), **self._missing()},
        )
        return [batch.with_records(_without(batch.records, _OF_SOCKETS))]

    def _begin(self, at: int) -> int:
        """Of the interval that has the time ``at``."""
        if self._interval is None:
            return self.began_at
        return self.began_at + (at - self.began_at) // self._interval * self._interval

    def _missing(self) -> Mapping[str, int]:
        """What the capture itself lacks, told with the last rows."""
        if self._ahead is not None:
            return _NONE
        return {**self._capture.dropped, **({"cut short": 1} if self._capture.cut is not None else {})}

    def _ends(self, packet: IpPacket) -> Ends:
        """Who of the two ends is local: the programs that see the packet."""
        data = packet.data
        source, target = (data[12:16], data[16:20]) if packet.version == 4 else (data[8:24], data[24:40])
        if len(target) < len(source) or not target:
            return _RECEIVED  # the program counts what it cannot read
        if self._said is not None:
            ends = (_BOTH if target in self._said else _SENT) if source in self._said else (
                _RECEIVED if target in self._said else _NEITHER
            )  # fmt: skip
            if not ends:
                self.skipped["of others"] += 1
            return ends
        if source in self._loopback and target in self._loopback:
            return _BOTH
        if packet.direction is not Direction.UNKNOWN:
            return _SENT if packet.direction is Direction.OUTBOUND else _RECEIVED
        protocol, at = transport(packet.version, data)
        whole = packet.version == 6 or not (data[6] & 0x1F or data[7])  # later fragments have no ports
        ports = data[at : at + 4] if whole and protocol in (IPPROTO_TCP, IPPROTO_UDP) else b""
        one, other = source + ports[:2], target + ports[2:]
        both = one + other if one < other else other + one
        began = self._began_with.get(both)
        if began is None:
            answers = protocol == IPPROTO_TCP and len(data) > at + 13 and data[at + 13] & _OPENING == _OPENING
            began = other if answers and ports else one  # an answer to a SYN that the file does not show
            self._began_with[both] = began
            if ports:  # of fragments, which have none, whoever began at all
                self._began_with.setdefault(min(source, target) + max(source, target), began[: len(source)])
        return _SENT if began == one else _RECEIVED
