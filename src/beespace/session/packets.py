"""Packets for a recording: those that the ``flows`` probe sees, with all that it looks at.

``packets.pcapng`` has them in order, for everybody's tools; ``packets.arrow`` a row for each, with what a capture has
no place for; ``sockets.arrow`` whose a socket was from an interval on.  ``identity-*.arrow`` are who is who, as
:mod:`beespace.enrich` has it.  With these the flows can be counted again (:mod:`beespace.session.recorded_flows`).
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pyarrow as pa

from beespace.capture import Direction, LinkType, PcapngWriter
from beespace.probes.flows import FlowKey
from beespace.probes.packets import Packets
from beespace.session.live_events import LiveRing
from beespace.session.recorded_flows import owner_fields
from beespace.session.watch import Watch
from beespace.sinks.recording import IDENTITY, PACKETS, RecordingSink
from beespace.stream import Batch

__all__ = ["PacketRecorder"]


class PacketRecorder:
    """The ``packets`` probe, attached where ``watch`` is; a context manager.  ``full``: not only headers."""

    def __init__(self, sink: RecordingSink, watch: Watch, *, full: bool) -> None:
        self._sink, self._watch = sink, watch
        self._probe = Packets(full=int(full))
        self._pcapng = PcapngWriter(sink.file(PACKETS), LinkType.RAW, name="cgroup")
        self._owners: dict[int, bytes] = {}
        self._lost = 0

    def __enter__(self) -> Self:
        self._probe.start(cgroup=self._watch.cgroup)
        return self

    def __exit__(self, *exception: object) -> None:
        self._probe.close()

    def clear(self) -> None:
        """Forget what came until now."""
        ring: LiveRing = self._probe.packets.backend
        while ring.take().more:
            pass
        self._lost = ring.lost()

    def collected(self) -> None:
        """Take what came in the interval that is over."""
        ring: LiveRing = self._probe.packets.backend
        offset, more = self._watch.boot_offset, True
        while more:
            drained = ring.take()
            more = drained.more
            if drained.records.num_rows:
                self._packets(drained.records, offset)
        lost, self._lost = ring.lost() - self._lost, ring.lost()
        self._sockets(lost)
        for name, rows in self._watch.identities.items():
            self._sink.write(Batch(IDENTITY + name, rows))

    def _packets(self, records: pa.RecordBatch, offset: int) -> None:
        columns = {name: records.column(name) for name in records.schema.names}
        times = columns["time"].cast(pa.int64()).to_pylist()
        rows = zip(times, columns["data"].to_pylist(), columns["length"].to_pylist(), columns["egress"].to_pylist(),
                   strict=True)  # fmt: skip
        for time, data, length, egress in rows:
            direction = Direction.OUTBOUND if egress else Direction.INBOUND
            self._pcapng.write(time + offset, data, length, direction)
        kept = [name for name in columns if name != "data"]
        self._sink.write(Batch("packets", pa.RecordBatch.from_arrays([columns[name] for name in kept], names=kept)))

    def _sockets(self, lost: int) -> None:
        """Sockets of this interval whose owner was not known before, or is another now."""
        rows = self._watch.flows.records
        names = list(dict.fromkeys([*owner_fields(), *(field.name for field in FlowKey.layout.fields)]))
        rows = rows[(rows["owned"] != 0) & (rows["cookie"] != 0)]
        new = []
        for place, cookie in enumerate(rows["cookie"].tolist()):
            owner = b"".join(rows[name][place].tobytes() for name in owner_fields())
            if self._owners.get(cookie) != owner:
                self._owners[cookie] = owner
                new.append(place)
        picked: Any = rows[new]
        columns: dict[str, pa.Array] = {"cookie": pa.array(np.ascontiguousarray(picked["cookie"]))}
        for name in names:
            values_of = np.ascontiguousarray(picked[name])
            plain = values_of.dtype.kind in "iu"
            columns[name] = pa.array(values_of) if plain else pa.array([bytes(each) for each in values_of], pa.binary())
        if new or lost:
            self._sink.write(Batch("sockets", pa.RecordBatch.from_pydict(columns), {"packets": lost} if lost else {}))
