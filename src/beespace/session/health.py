"""What an agent says of itself: whether it works, what it saw, what it lost, what it costs.

The loop tells, once an interval; threads that serve HTTP ask.  What they share is one value that is replaced as a
whole, so nobody waits and nobody sees half an interval.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import pyarrow.compute as pc

from beespace import __version__
from beespace.session.costs import Costs, bpf_memory
from beespace.session.detail import LEFT_OUT, Detail
from beespace.sinks.exposition import Family, Sample
from beespace.stream import Batch
from beespace.syscall.process import usage

__all__ = ["Health", "Report"]

STUCK_INTERVALS = 10
STUCK_S = 30.0  # a machine that is short of CPU may be late; nobody restarts an agent for less
_DIRECTIONS = (("transmit", "tx"), ("receive", "rx"))


def _nothing() -> Mapping[tuple[str, ...], float]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Report:
    """The agent at the end of an interval.  Counts are since the start; ``at`` is ``time.monotonic`` of the end."""

    phase: str = "starting"
    at: float = 0.0
    intervals: int = 0
    collecting_s: float = 0.0
    rows: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    traffic: Mapping[tuple[str, ...], float] = field(default_factory=_nothing)
    lost: Mapping[tuple[str, ...], float] = field(default_factory=_nothing)
    unattributed: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    store: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    store_failures: int = 0
    store_trouble: str = ""
    cluster: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    detail: Detail = Detail.FULL


class Health:
    """Takes every batch (it is a sink), and answers ``/healthz``, ``/readyz`` and ``/metrics``.

    ``interval``: seconds between collections, by which being stuck is judged.
    """

    def __init__(self, interval: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._stuck_s = max(STUCK_S, STUCK_INTERVALS * interval)
        self._started = time.time()
        self._rows: Counter[str] = Counter()
        self._traffic: Counter[tuple[str, ...]] = Counter()
        self._lost: Counter[tuple[str, ...]] = Counter()
        self._unattributed: Counter[str] = Counter()
        self._failures = 0
        self._trouble = ""
        #: Whose programs and maps are told of, once there are any.
        self.costs: Costs | None = None
        #: The share of one core that the agent may use; None: as much as it takes.
        self.cpu_limit: float | None = None
        self._report = Report(at=clock())

    # -- told by the loop ------------------------------------------------------------------------------------

    def phase(self, name: str) -> None:
        """What goes on before (or after) collecting, in words."""
        self._report = replace(self._report, phase=name, at=self._clock())

    def write(self, batch: Batch) -> None:
        """Count a batch of any table."""
        self._rows[batch.table] += len(batch)
        for stage, lost in batch.lost.items():
            self._lost[batch.table, stage] += lost
        if batch.table == "flows" and len(batch):
            for direction, prefix in _DIRECTIONS:
                for unit in ("packets", "bytes"):
                    total = pc.sum(batch.records.column(f"{prefix}_{unit}")).as_py() or 0
                    self._traffic[unit, direction] += total

    def close(self) -> None:
        """Nothing is held."""

    def trouble(self, error: Exception) -> None:
        """The store could not take something."""
        self._failures += 1
        self._trouble = str(error).partition("\n")[0]

    def collected(
        self,
        *,
        began: float,
        unattributed: Mapping[str, int],
        store: Mapping[str, float],
        store_lost: Mapping[tuple[str, str], int],
        cluster: Mapping[str, str] = MappingProxyType({}),
        detail: Detail = Detail.FULL,
    ) -> None:
        """An interval is over: its collection ``began`` then, and these are the gauges now.

        ``store_lost`` are rows by stage and table that the store could not keep, since the start; ``cluster`` has what
        of the Kubernetes API is not followed now, and why ("" for what is).
        """
        now, before = self._clock(), self._report
        self._unattributed.update(unattributed)
        lost: dict[tuple[str, ...], float] = dict(self._lost)
        lost.update({(table, stage): rows for (stage, table), rows in store_lost.items()})
        recovered = self._failures == before.store_failures
        self._report = Report(
            phase="running",
            at=now,
            intervals=before.intervals + 1,
            collecting_s=before.collecting_s + now - began,
            rows=dict(self._rows),
            traffic=dict(self._traffic),
            lost=lost,
            unattributed=dict(self._unattributed),
            store=dict(store),
            store_failures=self._failures,
            store_trouble="" if recovered else self._trouble,
            cluster=dict(cluster),
            detail=detail,
        )

    # -- asked by others -------------------------------------------------------------------------------------

    def healthy(self) -> tuple[bool, str]:
        """Whether the agent is alive, and why not: only then does it help to start it again."""
        report = self._report
        silent = self._clock() - report.at
        if report.phase == "running" and silent > self._stuck_s:
            return False, f"nothing was collected for {silent:.0f} s"
        return True, report.phase

    def ready(self) -> tuple[bool, str]:
        """Whether rows come and are kept, and why not."""
        report = self._report
        alive, why = self.healthy()
        if not alive or report.phase != "running":
            return False, why
        if report.store_trouble:
            return False, f"the store fails: {report.store_trouble}"
        return True, report.phase

    def families(self) -> list[Family]:
        """Everything, as metrics."""
        report, used = self._report, usage()
        store = report.store
        return [
            Family("beespace", "info", "The agent's version.", [Sample(1, {"version": __version__})]),
            _gauge("beespace_ready", "1 while rows come and are kept.", float(self.ready()[0])),
            _labelled("beespace_rows", "Rows that the agent made.", ("table",), _one(report.rows)),
            _labelled(
                "beespace_flow_packets", "Packets in rows of flows, as on the wire.", ("direction",),
                {key[1:]: value for key, value in report.traffic.items() if key[0] == "packets"},
            ),
            _labelled(
                "beespace_flow_bytes", "Bytes in rows of flows, from the IP header on.", ("direction",),
                {key[1:]: value for key, value in report.traffic.items() if key[0] == "bytes"},
            ),
            _labelled("beespace_lost", "What was lost, by stage, in the stage's unit (docs/watch.md).",
                ("table", "stage"), report.lost),
            _labelled("beespace_unattributed_packets", "Packets without an owner.", ("reason",),
                _one(report.unattributed)),
            _counter("beespace_collections", "Intervals that were collected.", report.intervals),
            _counter("beespace_collection_seconds", "Time that collecting took.", report.collecting_s),
            Family("beespace_kubernetes_current", "gauge", "1 while the Kubernetes API tells what is new.",
                [Sample(float(not why), {"resource": name}) for name, why in report.cluster.items()]),
            _gauge("beespace_bpf_memory_bytes", "Kernel memory of the agent's maps and programs.", bpf_memory()),
            *self._programs(),
            *self._maps(),
            _gauge("beespace_detail_step", f"What is left out to use less CPU: {_STEPS}.", report.detail),
            Family("beespace_cpu_limit_ratio", "gauge", "How much of one core the agent may use.",
                [] if self.cpu_limit is None else [Sample(self.cpu_limit)]),
            *(_gauge(f"beespace_store_{name}", _STORE[name], value) for name, value in store.items()),
            _counter("beespace_store_failures", "Times that the store could not be written.", report.store_failures),
            _counter("process_cpu_seconds", "CPU time of the agent, user and system.", used.cpu_seconds),
            _gauge("process_resident_memory_bytes", "Resident memory of the agent.", used.rss_bytes),
            _gauge("process_start_time_seconds", "When the agent started, since 1970.", self._started),
        ]  # fmt: skip

    def _programs(self) -> list[Family]:
        """Of the agent's programs, while the kernel counts."""
        if self.costs is None or not self.costs.counted:
            return []
        programs = self.costs.programs()
        return [
            _labelled("beespace_bpf_program_cpu_seconds", "CPU time of the agent's programs in the kernel.",
                ("probe", "program"), {key: each.run_time_ns / 1e9 for key, each in programs.items()}),
            _labelled("beespace_bpf_program_runs", "Runs of the agent's programs in the kernel.",
                ("probe", "program"), {key: each.run_count for key, each in programs.items()}),
        ]  # fmt: skip

    def _maps(self) -> list[Family]:
        maps = {} if self.costs is None else self.costs.maps()
        memory: dict[tuple[str, ...], float] = {key: each.memory for key, each in maps.items()}
        fill: dict[tuple[str, ...], float] = {
            key: share for key, each in maps.items() if (share := each.fill) is not None
        }
        labels = ("probe", "map")
        return [
            _labelled("beespace_bpf_map_memory_bytes", "Kernel memory of a map.", labels, memory, "gauge"),
            _labelled("beespace_bpf_map_fill_ratio", "How full a table was in the last interval, a ring at most.",
                labels, fill, "gauge"),
        ]  # fmt: skip


_STEPS = "; ".join(f"{step.value}: {said}" for step, said in LEFT_OUT.items())
_STORE = {
    "bytes": "Size of the history.",
    "segments": "Files of the history.",
    "oldest_timestamp_seconds": "Time of the oldest row of the history, since 1970.",
}


def _one(values: Mapping[str, float]) -> Mapping[tuple[str, ...], float]:
    return {(name,): value for name, value in values.items()}


def _labelled(
    name: str, help: str, labels: tuple[str, ...], values: Mapping[tuple[str, ...], float], kind: str = "counter"
) -> Family:
    samples = [Sample(value, dict(zip(labels, key, strict=True))) for key, value in sorted(values.items())]
    return Family(name, kind, help, samples)


def _counter(name: str, help: str, value: float) -> Family:
    return Family(name, "counter", help, [Sample(value)])


def _gauge(name: str, help: str, value: float) -> Family:
    return Family(name, "gauge", help, [Sample(value)])
