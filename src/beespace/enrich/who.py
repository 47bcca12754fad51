"""Who is behind the keys of a batch: process, container, pod.

Facts carry keys alone; this turns them into columns.  Work is done once for each distinct owner in a batch; rows
only take from the result.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from beespace.enrich.address_book import AddressBook
from beespace.enrich.addresses import Addresses, Keys, host_addresses
from beespace.enrich.cgroup import NOTHING, Membership
from beespace.enrich.cgroup_tree import CgroupTree
from beespace.enrich.container import Containers, Pod
from beespace.enrich.dimensions import Dimensions
from beespace.enrich.kubernetes import Access, Client, Cluster
from beespace.enrich.labels import Labels
from beespace.enrich.process import Process, Processes
from beespace.enrich.sources import standard_sources
from beespace.enrich.sources.kubelet import KubeletSource
from beespace.enrich.sources.kubernetes import KubernetesSource
from beespace.stream.text import distinct_rows, spread

__all__ = ["COLUMNS", "Who"]

COLUMNS = (
    "process_name",
    "process_executable",
    "container_id",
    "container_name",
    "container_image",
    "pod_name",
    "pod_uid",
    "namespace",
    "workload",
    "workload_kind",
    "service_name",
)

Names: TypeAlias = "pa.Array | npt.NDArray[Any] | Sequence[str | bytes]"
Row: TypeAlias = tuple[str | None, ...]  # one value per name in COLUMNS

KUBELET_TIMEOUT_S = 2.0  # it is on this machine, and whoever waits for it looks up containers, too

NOBODY: Row = (None,) * len(COLUMNS)


class Who:
    """Resolves whole batches.  A context manager; :meth:`open` puts the parts together as an agent needs them.

    ``budget_s``: how long one batch may spend reading ``/proc``; owners beyond it have their kernel name for now and
    are read with a later batch (counted as ``deferred``).
    """

    def __init__(
        self,
        processes: Processes,
        cgroups: CgroupTree,
        containers: Containers,
        *,
        addresses: Addresses | None = None,
        budget_s: float = 0.1,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.processes = processes
        self.cgroups = cgroups
        self.containers = containers
        self.addresses = addresses or Addresses()
        self.cluster = self.addresses.cluster
        self.labels = Labels(containers, self.cluster)
        self.dimensions = Dimensions(processes, cgroups, containers, self.labels, self.addresses.book)
        containers.pod_changed = self._pod_changed
        self.kubelet: KubeletSource | None = None
        self._budget_s = budget_s
        self._clock = clock
        self._deferred = self._owners = 0

    @classmethod
    def open(
        cls,
        *,
        root: Path = Path("/"),
        endpoint: str | None = None,
        access: Access | None = None,
        kubelet: Access | None = None,
        node: str = "",
        labels: bool = False,
    ) -> Self:
        """``root``: the host's root as we see it (``/host`` in a pod); ``endpoint``: one CRI socket to use.

        ``root`` is for a runtime's sockets and state; processes come from ``root/proc`` if that is a procfs.
        ``access``: the Kubernetes API, of which this is ``node``; ``kubelet``: that node's, asked where the API is
        silent; ``labels``: ``service.name`` may come from labels.
        Raises UsageError for an endpoint that is none.
        """
        proc = root / "proc" if (root / "proc/self").exists() else Path("/proc")
        sources = standard_sources(root, endpoint)
        book = AddressBook()
        cluster = Cluster(Client(access), node, book, labels=labels) if access is not None else None
        if cluster is not None:
            sources.append(KubernetesSource(cluster))
        told: KubeletSource | None = None
        if kubelet is not None:
            seldom = (lambda: cluster.current("pods")) if cluster is not None else (lambda: False)
            client = Client(kubelet, timeout_s=KUBELET_TIMEOUT_S)
            told = KubeletSource(client, node or os.uname().nodename, labels=labels, seldom=seldom)
            sources.insert(0, told)  # it knows more than a runtime
        who = cls(
            Processes(proc),
            CgroupTree(),
            Containers(sources),
            addresses=Addresses(book, cluster, host=lambda: host_addresses(proc)),
        )
        who.kubelet = told
        who.containers.start()
        if cluster is not None:
            cluster.start()
        return who

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """End the threads and give up descriptors."""
        if self.cluster is not None:
            self.cluster.close()
        self.containers.close()
        self.cgroups.close()

    def cgroup_made(self, cgroup_id: int, path: str, at_ns: int) -> None:
        """The kernel made a cgroup at ``at_ns`` (ns since 1970); if it is a container's, its runtime is asked now."""
        made = self.cgroups.observe(cgroup_id, path, at_ns)
        if made.membership.container_id is not None:
            self.containers.get(made.membership.container_id)

    def cgroup_removed(self, cgroup_id: int, at_ns: int) -> None:
        """The kernel removed a cgroup; with the last of a pod's containers, the pod's address ends."""
        uid = self.cgroups.observe_removed(cgroup_id, at_ns)
        if uid is not None and (pod := self.containers.pod(uid)) is not None:
            self.addresses.pod_ended(pod, at_ns)

    def _pod_changed(self, old: Pod | None, pod: Pod) -> None:
        self.addresses.pod_changed(old, pod, self.cgroups.pod_began(pod.uid))

    def resolve(
        self,
        pids: npt.NDArray[np.uint32],
        starts: npt.NDArray[np.uint64],
        cgroup_ids: npt.NDArray[np.uint64],
        *,
        uids: npt.NDArray[np.uint32] | None = None,
        names: Names | None = None,
    ) -> dict[str, pa.Array]:
        """The columns :data:`COLUMNS`, text, null where unknown, one row for each row of the arguments.

        ``pids`` with ``starts`` (ns since boot) are a row's process, 0 if it has none; ``cgroup_ids`` the cgroup that
        its socket or event belongs to, 0 if unknown; ``uids`` and ``names`` what the kernel noted with them.
        """
        first, codes = _distinct(pids, starts, cgroup_ids)
        self._owners += len(first)
        self.cgroups.prepare(dict.fromkeys(cgroup_ids[first].tolist()))
        deadline = self._clock() + self._budget_s
        rows: list[Row] = []
        for index in first.tolist():
            pid, start = int(pids[index]), int(starts[index])
            name = "" if names is None else _text(names[index])
            uid = None if uids is None else int(uids[index])
            process = self._process(pid, start, uid, name, int(cgroup_ids[index]), deadline)
            rows.append(self._row(process, int(cgroup_ids[index]), name))
        indices = pa.array(codes)
        columns = zip(*(rows or [NOBODY]), strict=True)
        return {name: spread(values, indices) for name, values in zip(COLUMNS, columns, strict=True)}

    def remote(self, addresses: Keys, **facts: Any) -> dict[str, pa.Array]:
        """Who is behind a column of addresses; see :meth:`Addresses.columns`, which takes ``facts``."""
        return self.addresses.columns(addresses, **facts)

    def lacks(self) -> list[str]:
        """What names are missing for which reason, in sentences."""
        lacks = [] if self.cluster is None else list(self.cluster.lacks())
        if self.kubelet is not None and self.kubelet.lacking is not None:
            lacks.append(self.kubelet.lacking)
        return lacks

    def statistics(self) -> Mapping[str, Mapping[str, int | str]]:
        """Counters by part; ``who.deferred`` are owners whose ``/proc`` look-up was put off."""
        processes: dict[str, int | str] = dict(self.processes.statistics())
        if self.processes.distrusted:
            processes["proc_unused"] = self.processes.distrusted
        return {
            "who": {"owners": self._owners, "deferred": self._deferred},
            "processes": processes,
            "cgroups": dict(self.cgroups.statistics()),
            "containers": self.containers.statistics(),
            **({"kubernetes": self.cluster.statistics()} if self.cluster is not None else {}),
        }

    def _process(
        self, pid: int, start: int, uid: int | None, name: str, cgroup_id: int, deadline: float
    ) -> Process | None:
        """Without a start time a pid names nobody."""
        if not pid or not start:
            return None
        self.processes.observe_owner(pid, start, uid, name, cgroup_id)
        look = True
        if self.processes.wants_look(pid, start) and self._clock() > deadline:
            look = False
            self._deferred += 1
        return self.processes.get(pid, start, look=look)

    def _row(self, process: Process | None, cgroup_id: int, name: str) -> Row:
        membership = self._membership(process, cgroup_id)
        container_id, pod_uid = membership.container_id, membership.pod_uid
        container = self.containers.get(container_id) if container_id else None
        if container is not None:
            pod_uid = container.pod_uid or pod_uid
            if container.sandbox:  # it holds the pod's namespaces; to a user it is the pod itself
                container_id = None
        shown = container if container is not None and not container.sandbox else None
        pod = self.labels.of(container, pod_uid)
        return (
            (process.name if process else None) or name or None,
            process.executable if process else None,
            container_id,
            shown.name if shown else None,
            shown.image if shown else None,
            pod.name,
            pod_uid,
            pod.namespace,
            pod.workload,
            pod.workload_kind,
            pod.service_name,
        )

    def _membership(self, process: Process | None, cgroup_id: int) -> Membership:
        """The cgroup of the row itself decides; the process's where that says nothing (cgroup v1: one id for all)."""
        cgroup = self.cgroups.known(cgroup_id)
        if cgroup is not None and (cgroup.membership.container_id or cgroup.membership.pod_uid):
            return cgroup.membership
        return process.membership if process else NOTHING


def _distinct(
    pids: npt.NDArray[np.uint32], starts: npt.NDArray[np.uint64], cgroup_ids: npt.NDArray[np.uint64]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """The row where each distinct (pid, start, cgroup) is first met, and for each row which of them it has."""
    facts = np.column_stack([pids.astype(np.uint64), starts.astype(np.uint64), cgroup_ids.astype(np.uint64)])
    distinct, indices = distinct_rows(facts.view(np.uint8))
    codes = indices.to_numpy().astype(np.intp)
    first = np.zeros(len(distinct) if len(pids) else 0, np.intp)
    first[codes[::-1]] = np.arange(len(codes))[::-1]
    return first, codes


def _text(value: Any) -> str:
    if hasattr(value, "as_py"):
        value = value.as_py()
    if isinstance(value, bytes):
        return value.partition(b"\0")[0].decode(errors="replace")
    return "" if value is None else str(value)
