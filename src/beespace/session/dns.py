"""From the payloads of DNS messages to rows of the ``dns`` table, and to names of addresses.

A row is a question that was answered, or that nobody answered for :data:`PATIENCE_S` seconds.  Questions are matched by
socket, endpoints and id; one that is sent again keeps its first time and counts.  Over TCP, messages are put together
from segments in order; what a gap leaves incomplete is counted as damaged.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from beespace.enrich import Who
from beespace.errors import BeespaceError
from beespace.lang.packet import IPPROTO_TCP
from beespace.probes.dns import Dns
from beespace.session.dimensions import start_times
from beespace.session.dns_message import RCODES, Damaged, Message, parse, type_name
from beespace.session.dns_names import Names
from beespace.session.flows import FlowRows
from beespace.session.live_events import LiveRing
from beespace.session.values import known, times
from beespace.stream import Batch
from beespace.stream.tables import DNS
from beespace.stream.text import octets, text_column

__all__ = ["DnsRows"]

PATIENCE_S = 5.0  # what resolvers wait before they ask again or give up (resolv.conf(5), timeout)
PENDING = 65_536  # questions that wait for an answer; the oldest go first
STREAMS = 4_096  # TCP connections of which something is incomplete
_PORT = 53


@dataclass(slots=True)
class _Asked:
    time: int
    message: Message
    where: tuple[int, str, int, str, int, int]  # cookie, local and remote end, protocol
    times: int = 1


@dataclass(slots=True)
class _Stream:
    """One direction of a TCP connection: the next sequence number, and what is not a whole message yet."""

    expected: int
    held: bytearray = field(default_factory=bytearray)


class DnsRows:
    """The probe, attached, its rows and the names that it teaches."""

    def __init__(self, who: Who, node: str, booted: int, names: Names) -> None:
        self._who = who
        self._node = node
        self._booted = booted
        self._names = names
        self.probe = Dns()
        self._waiting: dict[tuple[Any, ...], _Asked] = {}
        self._streams: OrderedDict[tuple[Any, ...], _Stream] = OrderedDict()
        self._later: list[dict[str, Any]] = []
        self._lost_before = 0
        self._paused = False
        self._cgroup: object = None
        self.note: str | None = None

    def start(self, cgroup: object) -> None:
        """Attach; a kernel that refuses leaves a note and no rows."""
        self._cgroup = cgroup
        try:
            self.probe.start(cgroup=cgroup)
        except BeespaceError as error:
            self.probe.close()
            self.note = f"DNS is not seen: {error}"

    def pause(self) -> None:
        """Stop looking; questions that wait for an answer are forgotten, since nobody will see it."""
        if self.note is not None:
            return
        self._paused = True
        for link in self.probe.links:
            link.close()
        ring: LiveRing = self.probe.payloads.backend
        while ring.take().more:
            continue
        self._waiting.clear()
        self._streams.clear()
        self._later.clear()

    def resume(self) -> None:
        """Look again, at the same cgroup."""
        if self.note is None:
            self._paused = False
            try:
                for method in ("on_egress", "on_ingress"):
                    self.probe.attach(method, cgroup=self._cgroup)
            except BeespaceError as error:
                self.probe.close()
                self.note = f"DNS is not seen any more: {error}"

    def close(self) -> None:
        """Detach."""
        self.probe.close()

    def batch(self, flows: FlowRows, *, until: int, boot_offset: int) -> Batch | None:
        """Rows of what was answered before ``until`` (ns since boot), whose owners ``flows`` knows by now."""
        if self.note is not None or self._paused:
            return None
        lost = {"damaged": 0, "pending": 0}
        rows: list[tuple[_Asked, Message | None, int]] = []
        for payload in self._payloads(until, lost):
            for data in self._messages(payload, lost):
                try:
                    message = parse(data)
                except Damaged:
                    lost["damaged"] += 1
                    continue
                self._match(payload, message, rows)
        for key, asked in list(self._waiting.items()):
            if until - asked.time < PATIENCE_S * 1e9:
                break  # in the order in which they were asked
            rows.append((asked, None, asked.time + int(PATIENCE_S * 1e9)))
            del self._waiting[key]
        for key in list(islice(self._waiting, max(0, len(self._waiting) - PENDING))):
            del self._waiting[key]
            lost["pending"] += 1
        total: int = self.probe.payloads.lost
        lost["ring"], self._lost_before = total - self._lost_before, total
        lost = {stage: count for stage, count in lost.items() if count}
        return self._rows(rows, flows, boot_offset, lost) if rows or lost else None

    def _payloads(self, until: int, lost: dict[str, int]) -> list[dict[str, Any]]:
        """In order, up to ``until``; what is younger waits, because its flow is of the next interval."""
        ring: LiveRing = self.probe.payloads.backend
        found, self._later = self._later, []
        more = True
        while more:
            drained = ring.take()
            lost["damaged"] += drained.malformed
            columns = drained.records
            index = columns.schema.get_field_index("time")
            records = columns.set_column(index, "time", columns.column("time").cast(pa.int64()))
            found += records.to_pylist()
            more = drained.more
        self._later = [each for each in found if each["time"] > until]
        return [each for each in found if each["time"] <= until]

    def _messages(self, payload: dict[str, Any], lost: dict[str, int]) -> list[bytes]:
        data: bytes = payload["payload"]
        if payload["protocol"] != IPPROTO_TCP:
            return [data]
        key = _where(payload), payload["egress"]
        stream = self._streams.pop(key, None)
        if stream is None or stream.expected != payload["sequence"]:
            if stream is not None and (stream.expected - payload["sequence"]) & 0xFFFFFFFF < 1 << 31:
                self._streams[key] = stream  # sent again
                return []
            if stream is not None:
                lost["damaged"] += 1
            stream = _Stream(payload["sequence"])
        self._streams[key] = stream
        stream.expected = (payload["sequence"] + payload["size"]) & 0xFFFFFFFF
        if len(data) < payload["size"]:
            lost["damaged"] += 1
            stream.held.clear()
            return []
        stream.held += data
        messages: list[bytes] = []
        while len(stream.held) >= 2 and len(stream.held) >= 2 + (size := int.from_bytes(stream.held[:2])):
            messages.append(bytes(stream.held[2 : 2 + size]))
            del stream.held[: 2 + size]
        while len(self._streams) > STREAMS:
            self._streams.popitem(last=False)
        return messages

    def _match(self, payload: dict[str, Any], message: Message, rows: list[tuple[_Asked, Message | None, int]]) -> None:
        where = _where(payload)
        key = (where, message.id, message.name, message.type)
        if not message.answer:
            asked = self._waiting.get(key)
            if asked is not None:
                asked.times += 1
            else:
                self._waiting[key] = _Asked(payload["time"], message, where)
            return
        found = self._waiting.pop(key, None)
        if found is not None:  # an answer that nobody asked for, or one more, says nothing that can be trusted
            rows.append((found, message, payload["time"]))

    def _rows(
        self,
        rows: Sequence[tuple[_Asked, Message | None, int]],
        flows: FlowRows,
        boot_offset: int,
        lost: dict[str, int],
    ) -> Batch:
        owners = flows.owners_by_cookie([asked.where[0] for asked, _answer, _time in rows])
        owned = owners["pid"] != 0
        client = np.array([asked.where[4] == _PORT for asked, _answer, _time in rows], bool)
        for number, (_asked, answer, time) in enumerate(rows):
            if answer is not None and client[number]:
                self._names.learn(answer, int(owners["cgroup"][number]), time)
        names = self._who.resolve(
            owners["pid"], owners["start"], owners["cgroup"], uids=owners["uid"],
            names=text_column(octets(owners["name"])),
        )  # fmt: skip
        answered = np.array([answer is not None for _asked, answer, _time in rows], bool)
        columns: dict[str, Any] = {
            **names,
            "time": times(_integers([time for _asked, _answer, time in rows]), boot_offset),
            "node": pa.array([self._node] * len(rows), pa.string()),
            "process_pid": known(owners["pid"], owned),
            "process_start_time": start_times(owners["start"].astype(np.int64), self._booted, owned),
            "process_uid": known(owners["uid"], owned),
            "cgroup_id": known(owners["cgroup"], owned),
            "local_address": [asked.where[1] for asked, _answer, _time in rows],
            "local_port": [asked.where[2] for asked, _answer, _time in rows],
            "remote_address": [asked.where[3] for asked, _answer, _time in rows],
            "remote_port": [asked.where[4] for asked, _answer, _time in rows],
            "transport": ["tcp" if asked.where[5] == IPPROTO_TCP else "udp" for asked, _answer, _time in rows],
            "role": ["client" if each else "server" for each in client],
            "question": [asked.message.name for asked, _answer, _time in rows],
            "question_type": [type_name(asked.message.type) for asked, _answer, _time in rows],
            "rcode": [
                None if answer is None else RCODES.get(answer.rcode, str(answer.rcode))
                for _asked, answer, _time in rows
            ],
            "answers": [
                None if answer is None else " ".join(str(each) for each in answer.records)
                for _asked, answer, _time in rows
            ],
            "answer_count": pa.array(
                [len(answer.records) if answer is not None else None for _asked, answer, _time in rows], pa.int64()
            ),
            "truncated": pa.array(
                [answer.truncated if answer is not None else None for _asked, answer, _time in rows], pa.bool_()
            ),
            "queries": pa.array([asked.times for asked, _answer, _time in rows], pa.int64()),
            "latency_us": known(
                _integers([(time - asked.time) // 1000 for asked, _answer, time in rows]), answered
            ),
        }  # fmt: skip
        return Batch("dns", DNS.conform(pa.RecordBatch.from_pydict(columns)), lost)


def _where(payload: dict[str, Any]) -> tuple[int, str, int, str, int, int]:
    return (
        payload["cookie"], payload["local"], payload["local_port"], payload["remote"], payload["remote_port"],
        payload["protocol"],
    )  # fmt: skip


def _integers(values: list[int]) -> NDArray[np.int64]:
    return np.array(values, np.int64)
