"""Flows counted again from the packets of a recording, by the shipped programs in beespace's own machine.

What the kernel knew comes from the recording: sockets and their owners, processes, containers, pods.  Everything
else, from the headers to the row, is done again.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from beespace.capture import Direction, open_capture
from beespace.capture.link import transport
from beespace.enrich import Container, Pod, Who, nobody
from beespace.errors import FormatError
from beespace.lang.packet import IPPROTO_TCP, TCP_SYN
from beespace.probes.flows import FlowKey, FlowStats
from beespace.probes.flows.probe import Owner
from beespace.session.dimensions import DimensionRows
from beespace.session.flows import FlowRows
from beespace.session.offline_flows import OfflineFlows
from beespace.session.replay import Replay
from beespace.sinks.recording import IDENTITY, PACKETS, Interval, Recording
from beespace.stream import Batch
from beespace.stream.dtype import dtype_of
from beespace.stream.tables import TABLES
from beespace.vm.sockets import Socket

__all__ = ["RecordedFlows", "has_packets", "owner_fields"]

_LISTEN = 10  # TCP_LISTEN
_TIMED = 4  # Phase.TIMED: of a connection whose beginning nobody saw
_TOLD_BY_CAPTURE = ("time", "length", "egress")


def owner_fields() -> list[str]:
    """What of a socket's owner a row of the flow table tells."""
    told = {field.name for field in (*FlowKey.layout.fields, *FlowStats.layout.fields)}
    return [field.name for field in Owner.layout.fields if field.name in told]


def has_packets(recording: Recording) -> bool:
    """Whether a recording has what :class:`RecordedFlows` needs."""
    return {PACKETS, "packets.arrow"} <= recording.members


@dataclass(frozen=True, slots=True)
class _Packet:
    time: int  # ns since boot
    data: bytes
    length: int
    egress: bool
    facts: Mapping[str, Any]  # a row of packets.arrow


class RecordedFlows(Replay):
    """Plays a recording with packets: flows are counted anew."""

    def __init__(self, recording: Recording) -> None:
        if not has_packets(recording):
            raise FormatError(f"{recording.name} has no packets", help="record them: beespace record --packets")
        super().__init__(recording)
        self._booted = recording.manifest.booted
        self._who = nobody(self._booted)
        self._flows = OfflineFlows()
        self._rows = FlowRows(self._who, recording.manifest.node, self._booted)
        self._dimensions = DimensionRows(self._who, self._booted)
        self._sockets: dict[int, Socket] = {}
        self._known: set[int] = set()
        self._roles: dict[int, int] = {}  # by cookie
        self._ends: dict[bytes, Socket] = {}  # the socket that owns a connection, by its ends as in FlowKey
        self._last: dict[bytes, Socket] = {}  # the socket of a connection's last packet
        self._recording = recording
        self._packets = self._read()
        self._ahead = next(self._packets, None)
        self._owners = recording.marked("sockets")
        self._owner_ahead = next(self._owners, None)
        self._identities = [
            (name, recording.marked(IDENTITY + name)) for name in ("cgroups", "pods", "containers", "processes")
        ]
        self._identity_ahead = {name: next(rows, None) for name, rows in self._identities}

    def _read(self) -> Iterator[_Packet]:
        with self._recording.open(PACKETS) as stream:
            frames = iter(open_capture(stream))
            for _, records in self._recording.marked("packets"):
                facts = [name for name in records.schema.names if name not in _TOLD_BY_CAPTURE]
                columns = {name: records.column(name).to_pylist() for name in facts}
                for row in range(records.num_rows):
                    frame = next(frames, None)
                    if frame is None:
                        raise FormatError(f"{self._recording.name}: {PACKETS} has fewer packets than packets.arrow")
                    yield _Packet(
                        frame.time - self._booted,
                        frame.data,
                        frame.length,
                        frame.direction is Direction.OUTBOUND,
                        {name: values[row] for name, values in columns.items()},
                    )

    def play(self, interval: Interval) -> list[Batch]:
        """The flows of an interval, counted, and what else was recorded of it."""
        self._learn(interval)
        end = interval.time - self._booted
        while self._ahead is not None and self._ahead.time <= end:
            self._account(self._ahead)
            self._ahead = next(self._packets, None)
        lost = {**self._flows.lost(), **self._lost_packets}
        self._rows.begin(self._flows.take())
        flows, unattributed = self._rows.batch(
            now=interval.time, boot_offset=self._booted, interval=interval.seconds, lost=lost
        )
        self.unattributed_packets = unattributed.reasons
        facts = [batch for batch in interval.batches if TABLES[batch.table].kind == "fact" and batch.table != "flows"]
        return [*facts, flows, *self._dimensions.batches()]

    # What the kernel and the runtimes knew

    def _learn(self, interval: Interval) -> None:
        """Who is who and whose sockets are whose, up to the end of the interval."""
        self._lost_packets: dict[str, int] = {}
        for name, rows in self._identities:
            while (ahead := self._identity_ahead[name]) is not None and ahead[0].order < interval.end:
                for row in _rows(ahead[1]):
                    _LEARN[name](self._who, row, self._booted)
                self._identity_ahead[name] = next(rows, None)
        while self._owner_ahead is not None and self._owner_ahead[0].order < interval.end:
            mark, rows = self._owner_ahead
            for stage, lost in mark.lost.items():
                self._lost_packets[stage] = self._lost_packets.get(stage, 0) + lost
            for row in _rows(rows):
                self._own(row)
            self._owner_ahead = next(self._owners, None)

    def _own(self, row: Mapping[str, Any]) -> None:
        socket = self._sockets.setdefault(row["cookie"], Socket(cookie=row["cookie"]))
        socket.netns = row.get("netns", 0)
        self._roles[row["cookie"]] = row.get("role", 0)
        record = np.frombuffer(self._flows.owner(socket), dtype_of(Owner.layout))
        self._ends[b"".join(row[name] for name in ("local", "remote")) + _ports(row)] = socket
        told = [name for name in owner_fields() if name in row and name not in ("role", "retransmits")]
        for name in told:
            value = row[name]
            record[name] = np.void(value) if isinstance(value, bytes) else value

    def _account(self, packet: _Packet) -> None:
        version = packet.data[0] >> 4 if packet.data else 4
        socket = self._socket(packet, version)
        self._flows.account(
            packet.time,
            version if version == 6 else 4,
            packet.data,
            packet.length,
            packet.egress,
            socket=socket,
            gso_size=packet.facts["gso_size"],
            gso_segs=packet.facts["gso_segs"],
            interface=packet.facts.get("interface", 0),
        )

    def _socket(self, packet: _Packet, version: int) -> Socket | None:
        facts = packet.facts
        cookie = facts["cookie"]
        if not cookie:
            return None
        socket = self._sockets.setdefault(cookie, Socket(cookie=cookie))
        protocol, at = transport(version, packet.data)
        socket.family, socket.protocol, socket.state = 10 if version == 6 else 2, protocol, facts["state"]
        socket.tcp = {
            "srtt_us": facts["srtt_us"], "total_retrans": facts["retransmits"], "rtt_min": facts.get("rtt_min_us", 0),
        }  # fmt: skip
        ends = _ends(packet, version, protocol, at)
        if socket.state == _LISTEN and not self._flows.has_owner(socket) and ends in self._ends:
            # A row tells its connection's socket; of a listener, whose packets began it, the owner is the same.
            told = self._ends[ends]
            socket.netns = told.netns
            self._flows.owner(socket)[:] = self._flows.owner(told)
        if cookie not in self._known:
            self._known.add(cookie)
            self._begin(socket, packet, at, self._last.get(ends))
        self._last[ends] = socket
        return socket

    def _begin(self, socket: Socket, packet: _Packet, at: int, before: Socket | None) -> None:
        """The first packet of a socket: what is remembered of it already."""
        if not self._flows.has_owner(socket):
            return
        record = np.frombuffer(self._flows.owner(socket), dtype_of(Owner.layout))
        names = record.dtype.names or ()
        if before is not None and before.state == _LISTEN and self._flows.has_owner(before):
            # As the kernel clones it for a connection that is accepted.
            listener = np.frombuffer(self._flows.owner(before), dtype_of(Owner.layout))
            for name in names:
                if name not in owner_fields() or name == "role":
                    record[name] = listener[name]
            return
        role = self._roles.get(socket.cookie, 0)
        flags = packet.data[at + 13] if len(packet.data) > at + 13 else 0
        if socket.protocol == IPPROTO_TCP and socket.state != _LISTEN and not flags & TCP_SYN:
            known = {"existing": 1, "phase": _TIMED, "role": role}
        elif socket.protocol != IPPROTO_TCP:
            known = {"existing": int(not role), "role": role}  # nobody knows who spoke first: nor does the program
        else:
            known = {}
        for name, value in known.items():
            if name in names:
                record[name] = value


def _ports(row: Mapping[str, Any]) -> bytes:
    return struct.pack("<HHB", row["local_port"], row["remote_port"], row["protocol"] & 0xFF)


def _ends(packet: _Packet, version: int, protocol: int, at: int) -> bytes:
    """The ends of a packet, as those of a row."""
    data = packet.data
    mapped = bytes(10) + b"\xff\xff"
    source, target = (data[8:24], data[24:40]) if version == 6 else (mapped + data[12:16], mapped + data[16:20])
    ports = data[at : at + 4].ljust(4, b"\0")
    here, there = (int.from_bytes(ports[place : place + 2], "big") for place in (0, 2))
    if not packet.egress:
        source, target, here, there = target, source, there, here
    return source + target + struct.pack("<HHB", here, there, protocol)


def _rows(records: pa.RecordBatch) -> list[dict[str, Any]]:
    """The rows; times as nanoseconds."""
    columns = {
        name: (column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column).to_pylist()
        for name, column in zip(records.schema.names, records.columns, strict=True)
    }
    return [{name: values[row] for name, values in columns.items()} for row in range(records.num_rows)]


def _cgroup(who: Who, row: Mapping[str, Any], booted: int) -> None:
    who.cgroups.observe(row["cgroup_id"], row["cgroup_path"], row["valid_from"])


def _pod(who: Who, row: Mapping[str, Any], booted: int) -> None:
    who.containers.observe_pod(
        Pod(
            row["pod_uid"], row["pod_name"], row["namespace"], row["workload"], tuple(row["addresses"] or ()),
            bool(row["host_network"]), created_ns=row["valid_from"], valid_to=row["valid_to"],
        )
    )  # fmt: skip


def _container(who: Who, row: Mapping[str, Any], booted: int) -> None:
    who.containers.observe(
        Container(
            row["container_id"], row["container_runtime"] or "", row["container_name"], row["container_image"],
            row["pod_name"], row["pod_uid"], row["namespace"], row["workload"], created_ns=row["valid_from"],
            valid_to=row["valid_to"], workload_kind=row.get("workload_kind"), service_name=row.get("service_name"),
        )
    )  # fmt: skip


def _process(who: Who, row: Mapping[str, Any], booted: int) -> None:
    who.processes.observe_exec(
        row["process_pid"], row["process_start_ns"], time_ns=row["valid_from"] - booted, name=row["process_name"] or "",
        executable=row["process_executable"], args=row["process_args"], parent_pid=row["parent_pid"],
        uid=row["process_uid"], cgroup_id=row["cgroup_id"] or 0,
    )  # fmt: skip


_LEARN = {"cgroups": _cgroup, "pods": _pod, "containers": _container, "processes": _process}
