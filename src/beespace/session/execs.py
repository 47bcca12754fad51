"""From the events of the ``execs`` probe to rows of the ``execs`` table, and to the memory of processes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from beespace.enrich import Who
from beespace.probes.execs import What
from beespace.session.dimensions import start_times
from beespace.stream import Batch
from beespace.stream.dtype import TIME
from beespace.stream.tables import EXECS

CUT = "…"


class ExecRows:
    """Makes batches of the ``execs`` table; tells the memory of processes about each event first."""

    def __init__(self, who: Who, booted: int) -> None:
        self._who = who
        self._booted = booted

    def batch(self, events: pa.RecordBatch, boot_offset: int, lost: int) -> Batch:
        """``events`` as decoded from the ring, times still in nanoseconds since boot."""
        column = {name: events.column(name) for name in events.schema.names}
        time, start = _integers(column["time"]), _integers(column["start"])
        exits = _integers(column["what"]) == What.EXIT
        arguments = [
            _arguments(data, size)
            for data, size in zip(column["arguments"].to_pylist(), column["arguments_size"].to_pylist(), strict=True)
        ]
        self._tell(column, time, start, exits, arguments)
        pid, uid, cgroup = (_integers(column[name]) for name in ("pid", "uid", "cgroup"))
        names = self._who.resolve(
            pid.astype(np.uint32),
            start.astype(np.uint64),
            cgroup.astype(np.uint64),
            uids=uid.astype(np.uint32),
            names=column["name"],
        )
        # Of an exit the probe knows neither path nor arguments any more; the memory of processes does.
        known = [self._who.processes.get(int(p), int(s), look=False) for p, s in zip(pid, start, strict=True)]
        lines = [
            " ".join(args) if args else None
            for args in (
                own if own is not None else (process.args if process is not None else None)
                for own, process in zip(arguments, known, strict=True)
            )
        ]
        filled: dict[str, Any] = {
            **names,
            "time": _times(time + boot_offset),
            "process_pid": column["pid"],
            "process_start_time": start_times(start, self._booted),
            "parent_pid": column["parent_pid"],
            "process_uid": column["uid"],
            "process_name": column["name"],
            "process_executable": _or(column["executable"], names["process_executable"]),
            "process_args": pa.array(lines, pa.string()),
            "cgroup_id": column["cgroup"],
            "exit_code": pa.array(_integers(column["exit_code"]), mask=~exits),
            "duration_s": pa.array(_integers(column["duration"]) / 1e9, mask=~exits),
        }
        return Batch("execs", EXECS.conform(pa.RecordBatch.from_pydict(filled))).with_lost("ring", lost)

    def _tell(
        self,
        column: dict[str, Any],
        time: NDArray[np.int64],
        start: NDArray[np.int64],
        exits: NDArray[np.bool_],
        arguments: list[list[str] | None],
    ) -> None:
        facts = [column[name].to_pylist() for name in ("pid", "name", "executable", "parent_pid", "uid", "cgroup")]
        for row, (pid, name, executable, parent, uid, cgroup) in enumerate(zip(*facts, strict=True)):
            common = {"time_ns": int(time[row]), "name": name, "parent_pid": parent, "uid": uid, "cgroup_id": cgroup}
            if exits[row]:
                self._who.processes.observe_exit(pid, int(start[row]), **common)
            else:
                self._who.processes.observe_exec(
                    pid, int(start[row]), executable=executable or None, args=arguments[row], **common
                )


def _arguments(data: bytes, size: int) -> list[str] | None:
    """The arguments; ``…`` at the end says that there were more than the probe takes."""
    if not size:
        return None
    parts = data[: min(size, len(data))].rstrip(b"\0").split(b"\0")
    return [part.decode(errors="replace") for part in parts] + ([CUT] if size > len(data) else [])


def _integers(values: pa.Array) -> NDArray[np.int64]:
    """Any integer or time column as 64-bit numbers; null (a time of zero) is 0."""
    return np.asarray(values.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False), np.int64)


def _times(nanoseconds: NDArray[np.int64]) -> pa.Array:
    return pa.array(nanoseconds, pa.int64()).cast(TIME)


def _or(first: pa.Array, second: pa.Array) -> pa.Array:
    """The first text that is known; an empty one is not."""
    pairs = zip(first.to_pylist(), second.to_pylist(), strict=True)
    return pa.array([one or other for one, other in pairs], pa.string())
