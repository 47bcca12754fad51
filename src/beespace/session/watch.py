"""``watch``: the shipped probes running together, a batch of each table once an interval.

The ``execs`` probe always runs beside ``flows``: it is how processes that end before anybody can look
into ``/proc`` keep their names.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import pyarrow as pa

from beespace.enrich import Who
from beespace.enrich.kubernetes import Access
from beespace.isa.ring_record import room
from beespace.lang import Program
from beespace.lang.maps.ring import ring_bytes
from beespace.probes.execs import Execs
from beespace.probes.flows import Flows, Moved
from beespace.session.balanced import Balanced, balancer
from beespace.session.budget import CpuBudget
from beespace.session.cgroups import CgroupEvents
from beespace.session.costs import Costs
from beespace.session.detail import Detail
from beespace.session.dimensions import DimensionRows
from beespace.session.dns import DnsRows
from beespace.session.dns_names import Names
from beespace.session.drops import DropRows
from beespace.session.execs import ExecRows
from beespace.session.flows import FlowRows, Unattributed
from beespace.session.interfaces import Interfaces
from beespace.session.live_events import LiveRing
from beespace.session.nat import Nat
from beespace.session.own import Own
from beespace.session.uplinks import UplinkRows
from beespace.stream import Batch
from beespace.syscall.clock import boottime_ns, boottime_offset_ns
from beespace.syscall.mounts import containers_cgroup2
from beespace.syscall.process import usage

CLOCK_TOLERANCE_NS = 1_000_000
FILLED, LONGEST = 0.5, 4.0  # how full the table of flows may be in intervals that are stretched, and how far they are
SYNC_S = 3.0  # how long watching waits for the first lists of the Kubernetes API


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """What to watch; ``cgroup`` None is the root, every socket of the host (or of the container that it is).

    ``netns``: whose connection tracking knows of translated addresses; None is the host's.
    ``access``: the Kubernetes API, ``kubelet`` that of this node, None without; ``node`` is this machine's name there.
    ``labels``: whether ``service.name`` may come from well-known labels of pods.  ``interfaces``: the devices whose
    every packet is counted; None: those that lead out of this host, unless one cgroup is watched.
    ``drops``, ``costs``: there are rows of ``drops``, of ``costs``.  ``max_cpu``: the share of one core that beespace
    may use; detail is left out that costs more (:mod:`beespace.session.detail`).
    """

    cgroup: Path | None = None
    max_flows: int = 65_536
    cri: str | None = None
    node: str = field(default_factory=lambda: os.environ.get("NODE_NAME") or os.uname().nodename)
    netns: Path | None = None
    access: Access | None = None
    kubelet: Access | None = None
    labels: bool = False
    interfaces: tuple[str, ...] | None = None
    drops: bool = True
    costs: bool = False
    max_cpu: float | None = None


class Watch:
    """Both probes, attached; :meth:`collect` gives what happened since the last call."""

    def __init__(self, options: WatchOptions) -> None:
        self._options = options
        self._part = containers_cgroup2() if options.cgroup is None else None
        self._cgroup = options.cgroup if self._part is None else Path(self._part)
        self._stack = ExitStack()
        self._flows = Flows()
        self._flows.flows.max_entries = options.max_flows
        # A server that accepts for others hands every one of its connections over.
        self._flows.moved.max_entries = ring_bytes(options.max_flows * room(Moved.layout.size))
        self._execs = Execs()
        self._lost: dict[str, int] = {}
        self.unattributed = Unattributed()
        self.interval = 0.0  # length of the last interval in seconds
        self.collected_at = 0  # and its end, ns since 1970
        self.began = 0.0  # when it began to be collected, by time.monotonic
        self.detail = Detail.FULL
        self._stretch = 1.0
        self._budget = None if options.max_cpu is None else CpuBudget(options.max_cpu)

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._offset = self._booted = booted = boottime_offset_ns()
            self._who = stack.enter_context(_who(self._options))
            self._exec_rows = ExecRows(self._who, booted)
            interfaces = Interfaces()
            self._nat = _nat(self._options.netns)
            stack.callback(self._nat.close)
            self._balanced = Balanced(self._has_balancer)
            self._flow_rows = FlowRows(
                self._who, self._options.node, booted, interfaces, self._nat, self._cgroup, self._balanced
            )
            self._drop_rows = DropRows(self._who, self._options.node, booted, interfaces)
            self._names = Names()
            self._dns_rows = DnsRows(self._who, self._options.node, booted, self._names)
            names = () if self._options.interfaces is None and self._options.cgroup else self._options.interfaces
            self._uplinks = UplinkRows(self._options.node, interfaces, names)
            self._dimensions = DimensionRows(self._who, booted)
            self._costs = Costs(self._probes, self._options.node)
            self._cgroups = stack.enter_context(CgroupEvents(self._who, self._boot_offset))
            stack.callback(self._execs.close)
            self._execs.start()
            stack.callback(self._uplinks.close)
            self._uplinks.start()
            stack.callback(self._flows.close)
            self._flows.start(cgroup=self._cgroup)
            stack.callback(self._dns_rows.close)
            self._dns_rows.start(self._cgroup)
            stack.callback(self._drop_rows.close)
            self._drop_rows.start()
            # Hooks first, then what existed before: a socket made in between is noted by both, not by neither.
            self._flows.iterate("on_existing")
            self._flows.iterate("on_existing_role")
            if self._who.cluster is not None:
                self._who.cluster.wait(SYNC_S)
            # Last in, first out: what it reads is there until it is closed.
            stack.callback(self._costs.close)
            if self._options.costs or self._budget is not None:
                self._costs.count()
            # Packets counted until here may be of sockets whose owner was not known yet: watching begins now.
            self.begin()
            self._stack = stack.pop_all()
        return self

    def begin(self) -> None:
        """Forget the packets that were counted until now, but not whose they were."""
        self._flow_rows.begin(self._flows.flows.take())
        self._flow_losses()
        self._drop_rows.take()
        self._uplinks.begin()
        self._since = self._afforded_at = time.monotonic()
        self._used = self._cpu_seconds()

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    @property
    def notes(self) -> tuple[str, ...]:
        """What this kernel and this cluster could not do as asked, in sentences."""
        parts = (self._dns_rows, self._drop_rows, self._nat, self._balanced)
        others = (each.note for each in parts if each.note is not None)
        part = f"this machine is a container: what is watched is its own, the cgroups at {self._part}"
        return (
            *((part,) if self._part is not None else ()),
            *self._cgroups.notes,
            *self._execs.notes,
            *self._flows.notes,
            *others,
            *self._uplinks.notes,
            *self._who.lacks(),
            *(() if self._costs.note is None else (self._costs.note,)),
        )

    @property
    def costs(self) -> Costs:
        """What beespace itself costs."""
        return self._costs

    @property
    def own(self) -> Own:
        """The same in short, as of the last interval."""
        return self._costs.own if self._options.costs else Own(detail=self.detail)

    @property
    def stretch(self) -> float:
        """How many times as long intervals are to be: no longer than the kernel's table has room for."""
        return self._stretch if self.detail >= Detail.SLOWER else 1.0

    @property
    def who(self) -> Who:
        return self._who

    @property
    def unattributed_packets(self) -> Mapping[str, int]:
        """Packets of the last interval without an owner, by reason."""
        return {**self.unattributed.reasons, **self._uplinks.reasons}

    @property
    def identities(self) -> Mapping[str, pa.RecordBatch]:
        """What is new of who is who since the last interval: tables as :data:`beespace.enrich.TABLES` has them."""
        return self._dimensions.taken

    @property
    def flows(self) -> FlowRows:
        """What was counted in the last interval, and who owns it."""
        return self._flow_rows

    @property
    def cgroup(self) -> Path | None:
        """The cgroup whose sockets are watched; None: all of them."""
        return self._cgroup

    @property
    def node(self) -> str:
        """The name of the host in the rows."""
        return self._options.node

    @property
    def booted(self) -> int:
        """When the system booted, ns since 1970, by the wall clock as it was when watching began."""
        return self._booted

    def collect(self) -> list[Batch]:
        """A batch of ``execs`` and of each dimension, if there was anything new, and one of ``flows``."""
        self.began = time.monotonic()
        self._afford()
        batches = self._collect_execs()
        now, before, self._since = time.monotonic(), self._since, time.monotonic()
        self.interval, self.collected_at = now - before, time.time_ns()
        until = boottime_ns()
        taken = self._flows.flows.take()
        full = taken[2] / self._options.max_flows
        # Twice as many flows in the next interval fit, too.
        self._stretch = min(max(self.stretch * FILLED / max(full, 1e-9), 1.0), LONGEST)
        # What is in the table now was sent from cgroups that exist by now: known before it is named.
        self._cgroups.drain()
        # Drained after the map: who took a socket over in this interval owns its packets of this interval.
        moved = self._moved()
        dropped = self._drop_rows.take()
        self._flow_rows.begin(taken, moved)
        # Answers first: what they name may have been used at once.
        dns = self._dns_rows.batch(self._flow_rows, until=until, boot_offset=self._boot_offset())
        if dns is not None and (len(dns) or dns.lost):
            batches.append(dns)
        batch, self.unattributed = self._flow_rows.batch(
            now=self.collected_at,
            boot_offset=self._boot_offset(),
            interval=self.interval,
            lost=self._flow_losses(),
            dropped=None if dropped is None else dropped.by_flow,
            names=self._names,
            detail=self.detail,
        )
        batches.append(batch)
        if dropped is not None and not self._options.drops:
            batches.append(self._drop_rows.losses())
        elif dropped is not None:
            batches.append(
                self._drop_rows.batch(
                    dropped,
                    self._flow_rows,
                    now=self.collected_at,
                    boot_offset=self._boot_offset(),
                    interval=self.interval,
                )
            )
        truth = self._uplinks.batch(self._flow_rows.records, now=self.collected_at, interval=self.interval)
        if truth is not None:
            batches.append(truth)
        if self._options.costs:
            batches.append(self._costs.batch(now=self.collected_at, interval=self.interval, detail=self.detail))
        return [*batches, *self._dimensions.batches()]

    @property
    def boot_offset(self) -> int:
        """Boot in ns since 1970, as the rows have it."""
        return self._offset

    def _boot_offset(self) -> int:
        """Boot in ns since 1970.  It moves only when the wall clock does: a flow's ``first_seen`` stays what it was."""
        now = boottime_offset_ns()
        if abs(now - self._offset) > CLOCK_TOLERANCE_NS:
            self._offset = now
        return self._offset

    def _probes(self) -> tuple[Program, ...]:
        return (
            *(self._execs, self._flows, self._cgroups.probe),
            *(self._dns_rows.probe, self._drop_rows.probe, self._uplinks.probe),
        )

    def _cpu_seconds(self) -> float:
        """What beespace has used until now, its programs included where the kernel counts."""
        return usage().cpu_seconds + (self._costs.kernel_seconds() or 0.0) if self._budget is not None else 0.0

    def _afford(self) -> None:
        """Leave out, or take up again, what the last interval's CPU time says."""
        if self._budget is None:
            return
        now, used = time.monotonic(), self._cpu_seconds()
        seconds = max(now - self._afforded_at, 1e-9)
        before, self.detail = self.detail, self._budget.spent((used - self._used) / seconds, seconds)
        self._afforded_at, self._used = now, used
        if before < Detail.NO_DNS <= self.detail:
            self._dns_rows.pause()
        elif self.detail < Detail.NO_DNS <= before:
            self._dns_rows.resume()
        if before < Detail.NO_DROPS <= self.detail:
            self._drop_rows.pause()
        elif self.detail < Detail.NO_DROPS <= before:
            self._drop_rows.resume()

    def _collect_execs(self) -> list[Batch]:
        batches: list[Batch] = []
        ring: LiveRing = self._execs.processes.backend
        more = True
        while more:
            drained = ring.take()
            self._cgroups.drain()
            lost = drained.malformed + self._since_last("execs ring", ring.lost())
            if drained.records.num_rows or lost:
                batches.append(self._exec_rows.batch(drained.records, self._boot_offset(), lost))
            more = drained.more
        return batches

    def _has_balancer(self) -> bool:
        """Whether clients of our cgroup may have called another address than packets show, and can be asked."""
        return self._who.processes.distrusted is None and balancer(self._cgroup)

    def _moved(self) -> list[pa.RecordBatch]:
        ring: LiveRing = self._flows.moved.backend
        taken: list[pa.RecordBatch] = []
        more = True
        while more:
            drained = ring.take()
            taken.append(drained.records)
            more = drained.more
        return taken

    def _flow_losses(self) -> Mapping[str, int]:
        now = {
            "table full": self._flows.lost_packets.value,
            "unparsed": self._flows.unparsed.value,
            "owner changes": self._flows.moved.lost,
            "cgroup events": self._cgroups.lost,
            "retransmissions told": self._flow_rows.forgotten,
        }
        return {stage: lost for stage, total in now.items() if (lost := self._since_last(stage, total))}

    def _since_last(self, stage: str, total: int) -> int:
        lost = total - self._lost.get(stage, 0)
        self._lost[stage] = total
        return lost


def _who(options: WatchOptions) -> Who:
    return Who.open(
        endpoint=options.cri, access=options.access, kubelet=options.kubelet, node=options.node, labels=options.labels
    )


def _nat(netns: Path | None) -> Nat:
    """Translations are made in the host's network namespace, which need not be ours."""
    if netns is None:
        ours, hosts = Path("/proc/self/ns/net"), Path("/proc/1/ns/net")
        try:
            netns = None if ours.readlink() == hosts.readlink() else hosts
        except OSError:
            netns = None  # not visible: ours is the best there is
    if netns is None:
        return Nat.open()
    try:
        descriptor = os.open(netns, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        return Nat(None, f"Services and their back-ends cannot be told apart: {netns}: {error.strerror}")
    try:
        return Nat.open(descriptor)
    finally:
        os.close(descriptor)
