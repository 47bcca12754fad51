"""What the terminal shows of a row of ``flows``, ``execs`` or ``costs``: the columns, and a cell for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from beespace.sinks import human
from beespace.sinks.grid import GridColumn, clean
from beespace.sinks.words import python_of

Row: TypeAlias = Mapping[str, Any]
Shown: TypeAlias = tuple[GridColumn, Callable[[Row], str]]


def _text(name: str) -> Callable[[Row], str]:
    def cell(row: Row) -> str:
        value = row.get(name)
        return human.UNKNOWN if value is None else clean(str(value))

    return cell


def _rate(name: str) -> Callable[[Row], str]:
    def cell(row: Row) -> str:
        value, seconds = row.get(name), row.get("interval_s")
        return human.size(value / seconds if value is not None and seconds else None)

    return cell


def _count(name: str) -> Callable[[Row], str]:
    return lambda row: human.count(row.get(name))


def endpoint(name: str | None, port: int | None) -> str:
    """``10.1.2.3:443``, ``[fe80::1]:443``, ``web:80``, or the name alone if there is no port."""
    if name is None:
        return human.UNKNOWN
    if port is None:
        return clean(name)
    return clean(f"[{name}]:{port}" if ":" in name else f"{name}:{port}")


def _local(row: Row) -> str:
    return endpoint(row.get("local_address"), row.get("local_port"))


def _remote(row: Row) -> str:
    pod, namespace = row.get("remote_pod"), row.get("remote_namespace")
    service = row.get("remote_service")
    name = (
        f"{namespace}/{service or pod}" if namespace and (service or pod) else service or pod or row.get("remote_name")
    )
    return endpoint(name or row.get("remote_address"), row.get("remote_port"))


def _place(row: Row) -> str:
    """Where the process runs: pod, else container."""
    pod, namespace = row.get("pod_name"), row.get("namespace")
    if pod:
        return clean(f"{namespace}/{pod}" if namespace else pod)
    container: str = row.get("container_name") or (row.get("container_id") or "")[:12]
    return clean(container) or human.UNKNOWN


def _clock(row: Row) -> str:
    return datetime.fromtimestamp(row["time"] / 1e9).strftime("%H:%M:%S") if row.get("time") else human.UNKNOWN


def _ended(row: Row) -> str:
    return human.UNKNOWN if row.get("exit_code") is None else str(row["exit_code"])


def _ran(row: Row) -> str:
    seconds = row.get("duration_s")
    return human.UNKNOWN if seconds is None else human.span(seconds * 1e6)


def _command(row: Row) -> str:
    return clean(row.get("process_args") or row.get("process_executable") or row.get("process_name") or human.UNKNOWN)


def _used(row: Row) -> str:
    nanoseconds, seconds = row.get("cpu_ns"), row.get("interval_s")
    return human.UNKNOWN if nanoseconds is None or not seconds else human.percent(nanoseconds / 1e9 / seconds)


def _runs(row: Row) -> str:
    runs, seconds = row.get("runs"), row.get("interval_s")
    return human.count(None if runs is None or not seconds else round(runs / seconds))


def _full(row: Row) -> str:
    entries, most = row.get("entries"), row.get("max_entries")
    return human.UNKNOWN if entries is None or not most else human.percent(entries / most)


FLOWS: tuple[Shown, ...] = (
    (GridColumn("PROCESS", 0, 6, comfort=15, style="bold"), _text("process_name")),
    (GridColumn("PID", 4, right=True), _text("process_pid")),
    (GridColumn("POD/CONTAINER", 5, 12, comfort=30, style="cyan"), _place),
    (GridColumn("LOCAL", 6, 13, comfort=21, middle=True), _local),
    (GridColumn("REMOTE", 3, 13, comfort=21, middle=True), _remote),
    (GridColumn("PROTO", 8), _text("transport")),
    (GridColumn("TX/s", 1, right=True, style="green"), _rate("tx_bytes")),
    (GridColumn("RX/s", 2, right=True, style="green"), _rate("rx_bytes")),
    (GridColumn("TX pkts", 12, right=True), _count("tx_packets")),
    (GridColumn("RX pkts", 13, right=True), _count("rx_packets")),
    (GridColumn("RTT", 7, right=True), lambda row: human.span(row.get("rtt_us"))),
    (GridColumn("RETR", 9, right=True), _count("retransmits")),
    (GridColumn("ROLE", 11), _text("role")),
    (GridColumn("STATE", 10), _text("state")),
)

EXECS: tuple[Shown, ...] = (
    (GridColumn("TIME", 3), _clock),
    (GridColumn("PID", 1, right=True), _text("process_pid")),
    (GridColumn("PPID", 6, right=True), _text("parent_pid")),
    (GridColumn("UID", 7, right=True), _text("process_uid")),
    (GridColumn("PROCESS", 0, 6, style="bold"), _text("process_name")),
    (GridColumn("POD/CONTAINER", 8, 12, style="cyan"), _place),
    (GridColumn("EXIT", 4, right=True), _ended),
    (GridColumn("RAN", 5, right=True), _ran),
    (GridColumn("COMMAND", 2, 5), _command),
)

COSTS: tuple[Shown, ...] = (
    (GridColumn("KIND", 3), _text("kind")),
    (GridColumn("PROBE", 1, 6), _text("probe")),
    (GridColumn("NAME", 0, 6, style="bold"), _text("name")),
    (GridColumn("CPU", 2, right=True, style="green"), _used),
    (GridColumn("RUNS/s", 6, right=True), _runs),
    (GridColumn("MEMORY", 4, right=True), lambda row: human.size(row.get("memory_bytes"))),
    (GridColumn("FULL", 5, right=True), _full),
)


def busiest(records: pa.RecordBatch, rows: int) -> pa.RecordBatch:
    """The ``rows`` rows that moved most bytes, the busiest first."""
    total = pc.add(pc.fill_null(records.column("tx_bytes"), 0), pc.fill_null(records.column("rx_bytes"), 0))
    order = np.argsort(-total.to_numpy(zero_copy_only=False), kind="stable")[:rows]
    return records.take(pa.array(order))


def cells_of(shown: Sequence[Shown], records: pa.RecordBatch) -> list[list[str]]:
    """A cell for every column of every row; meant for the few rows that a screen holds."""
    columns = {name: python_of(records.column(name)) for name in records.schema.names}
    names = list(columns)
    rows = (dict(zip(names, values, strict=True)) for values in zip(*columns.values(), strict=True))
    return [[cell(row) for _column, cell in shown] for row in rows]
