"""What beespace itself costs: its process, each of its programs in the kernel, each of its maps.

The kernel counts runs and time of programs only while somebody asks it to, because counting takes some tens of
nanoseconds a run: :meth:`Costs.count` does, until :meth:`Costs.close`.  It counts, too, while the sysctl
``kernel.bpf_stats_enabled`` is 1, which needs no right of ours.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from beespace.errors import BeespaceError
from beespace.kernel import LoadedObject, RingBuffer, SwappedMap
from beespace.kernel.kernel_program import KernelProgram, Statistics
from beespace.kernel.maps import Map
from beespace.lang import Program
from beespace.session.detail import Detail
from beespace.session.own import Own
from beespace.session.running import RunningProgram
from beespace.stream import Batch
from beespace.stream.tables import COSTS
from beespace.syscall import Descriptor, bpf
from beespace.syscall.process import sysctl, usage

__all__ = ["Costs", "MapCost", "bpf_memory", "locked_bytes"]

T = TypeVar("T")

FDINFO = Path("/proc/self/fdinfo")


@dataclass(frozen=True, slots=True)
class MapCost:
    """``memory`` in bytes.  ``entries``: those that the last interval took; of a ring, most bytes that ever waited."""

    memory: int
    entries: int | None
    max_entries: int

    @property
    def fill(self) -> float | None:
        """How full it was, 0 to 1."""
        return None if self.entries is None or not self.max_entries else self.entries / self.max_entries


class Costs:
    """The costs of ``probes``, which may come and go.  ``node`` is the host's name in rows."""

    def __init__(self, probes: Callable[[], Sequence[Program]], node: str) -> None:
        self._probes = probes
        self._node = node
        self._lock = threading.Lock()  # who serves metrics reads in another thread
        self._held: Descriptor | None = None
        self._before: dict[tuple[str, str], Statistics] = {}
        self.own = Own()  # as of the last batch
        self._cpu_before = usage().cpu_seconds
        self.note: str | None = None

    def count(self) -> None:
        """Have the kernel count the CPU time of programs; where we may not, a note says so."""
        try:
            self._held = bpf.enable_stats()
        except BeespaceError as error:
            if not self.counted:
                why = str(error).splitlines()[0]
                self.note = f"CPU time of kernel programs is not known (sysctl kernel.bpf_stats_enabled=1 helps): {why}"

    def close(self) -> None:
        """Let the kernel stop counting; from now on there are no programs and no maps."""
        with self._lock:
            self._probes = tuple
            if self._held is not None:
                self._held.close()
                self._held = None

    @property
    def counted(self) -> bool:
        """Whether the kernel counts."""
        return self._held is not None or sysctl("kernel.bpf_stats_enabled") == 1

    def programs(self) -> dict[tuple[str, str], Statistics]:
        """Runs and time of each program since it is loaded, by probe and name."""
        return self._of_programs(lambda program: program.statistics())

    def maps(self) -> dict[tuple[str, str], MapCost]:
        """Memory and fill of each map, by probe and name."""
        with self._lock:
            return {
                (probe, name): _map_cost(each, running)
                for probe, running, loaded in self._loaded()
                for name, each in loaded.maps.raw.items()
            }

    def kernel_seconds(self) -> float | None:
        """CPU time of all programs, since they are counted; ``None`` if nobody counts."""
        return _seconds(self.programs()) if self.counted else None

    def batch(self, *, now: int, interval: float, detail: Detail) -> Batch:
        """Rows of ``costs`` for the interval that ended at ``now`` (ns since 1970)."""
        rows: list[dict[str, object]] = []
        used = usage()
        cpu, self._cpu_before = used.cpu_seconds - self._cpu_before, used.cpu_seconds
        rows.append({
            "kind": "process", "name": "beespace", "cpu_ns": int(cpu * 1e9), "memory_bytes": used.rss_bytes,
            "detail": detail.word,
        })  # fmt: skip
        counted, before, self._before = self.counted, self._before, self.programs()
        programs_memory, memory = self._of_programs(lambda program: locked_bytes(program.fileno())), 0
        for (probe, name), total in self._before.items():
            old = before.get((probe, name), Statistics(0, 0, 0))
            if total.run_count < old.run_count:  # it was loaded again
                old = Statistics(0, 0, 0)
            rows.append({
                "kind": "program", "probe": probe, "name": name,
                "cpu_ns": total.run_time_ns - old.run_time_ns if counted else None,
                "runs": total.run_count - old.run_count if counted else None,
                "memory_bytes": programs_memory[probe, name],
            })  # fmt: skip
            memory += programs_memory[probe, name]
        maps = self.maps()
        for (probe, name), each in maps.items():
            memory += each.memory
            rows.append({
                "kind": "map", "probe": probe, "name": name, "memory_bytes": each.memory, "entries": each.entries,
                "max_entries": each.max_entries,
            })  # fmt: skip
        self.own = Own(
            kernel_seconds=_seconds(self._before) if counted else None,
            kernel_memory=memory,
            fill={name: fill for (_probe, name), each in maps.items() if (fill := each.fill) is not None},
            detail=detail,
        )
        same = {"time": now, "interval_s": interval, "node": self._node}
        return Batch("costs", COSTS.batch_of({**same, **row} for row in rows))

    def _of_programs(self, ask: Callable[[KernelProgram], T]) -> dict[tuple[str, str], T]:
        with self._lock:
            return {
                (probe, name): ask(program)
                for probe, _, loaded in self._loaded()
                for name, program in loaded.programs.items()
            }

    def _loaded(self) -> Iterator[tuple[str, RunningProgram, LoadedObject]]:
        for probe in self._probes():
            running = probe._running
            if isinstance(running, RunningProgram):
                yield type(probe).__name__.lower(), running, running.loaded


def _seconds(programs: Mapping[tuple[str, str], Statistics]) -> float:
    return sum(each.run_time_ns for each in programs.values()) / 1e9


def bpf_memory(folder: Path = FDINFO) -> int:
    """Bytes that the kernel accounts to the maps and programs of this process (``memlock`` of their descriptors)."""
    total = 0
    for entry in folder.iterdir():
        try:
            total += locked_bytes(entry.name, folder)
        except OSError:  # closed meanwhile
            continue
    return total


def locked_bytes(descriptor: int | str, folder: Path = FDINFO) -> int:
    """Bytes that the kernel accounts to the map or program behind a descriptor (``memlock`` in its fdinfo)."""
    lines = (folder / str(descriptor)).read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("memlock:"))


def _map_cost(each: Map, running: RunningProgram) -> MapCost:
    if isinstance(each, SwappedMap):
        memory = sum(locked_bytes(one.fileno()) for one in (each, *each.tables))
        return MapCost(memory, each.taken, each.inner.max_entries)
    ring = next((ring for ring in running.rings if ring.name == each.name), None)
    waited = ring.peak if isinstance(ring, RingBuffer) else None
    return MapCost(locked_bytes(each.fileno()), waited, each.spec.max_entries)
