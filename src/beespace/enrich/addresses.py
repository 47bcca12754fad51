"""Who is behind remote addresses: pods, Services, nodes, by the time at which they had the address.

A TCP connection ends with its pod, so whoever had the address when the connection's first packet was seen has it for
as long as the connection lives; other packets are their own proof.  The caller gives that time for each row.

Pods that use the host's network have no address of their own, and an address of this host never names a pod.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from beespace.enrich.address_book import AddressBook, Holder
from beespace.enrich.canonical import canonical
from beespace.enrich.container import Pod
from beespace.enrich.kubernetes.cluster import Cluster

__all__ = ["REMOTE_COLUMNS", "Addresses", "Remote", "canonical", "host_addresses"]

LOCAL_PODS = 16_384  # of this node, those that are gone included
HOST_S = 5.0  # how often the host's own addresses are read

REMOTE_COLUMNS = (
    "remote_pod",
    "remote_namespace",
    "remote_workload",
    "remote_workload_kind",
    "remote_node",
    "remote_service",
)


class Remote(NamedTuple):
    """What is known of the other end; fields in the order of :data:`REMOTE_COLUMNS`."""

    pod: str | None = None
    namespace: str | None = None
    workload: str | None = None
    workload_kind: str | None = None
    node: str | None = None
    service: str | None = None


NOBODY = Remote()
Keys: TypeAlias = "pa.Array | npt.NDArray[np.uint8] | npt.NDArray[np.void]"


def host_addresses(proc: Path = Path("/proc")) -> frozenset[bytes]:
    """The addresses of the host's own network namespace, which is that of process 1."""
    found: set[bytes] = set()
    for text in _host_address_texts(proc):
        if (address := canonical(text)) is not None:
            found.add(address)
    return frozenset(found)


def _host_address_texts(proc: Path) -> Iterator[str]:
    with suppress(OSError):
        before = ""
        for line in (proc / "1/net/fib_trie").read_text().splitlines():
            if line.strip() == "/32 host LOCAL":
                yield before.rpartition(" ")[2]
            before = line
    with suppress(OSError):
        for line in (proc / "1/net/if_inet6").read_text().splitlines():
            yield str(IPv6Address(bytes.fromhex(line.split()[0])))


class Addresses:
    """Names for columns of addresses, from what ``book`` and ``cluster`` know.

    Pods of this node come from their runtime (:meth:`pod_changed`), all else from the cluster.
    """

    def __init__(
        self,
        book: AddressBook | None = None,
        cluster: Cluster | None = None,
        *,
        host: Callable[[], frozenset[bytes]] = host_addresses,
        clock: Callable[[], float] = time.monotonic,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.book = book if book is not None else AddressBook()
        self.cluster = cluster
        self._host = host
        self._clock = clock
        self._now_ns = now_ns
        self._host_known: frozenset[bytes] = frozenset()
        self._host_due = 0.0
        self._started = now_ns()
        self._workloads: dict[str, tuple[str | None, str | None]] = {}  # of this node's pods, as their labels say it

    # What runtimes tell

    def pod_changed(self, old: Pod | None, pod: Pod, began_ns: int | None = None) -> None:
        """A pod of this node is new, has changed, or is gone; ``began_ns``: when its first container's cgroup was made.

        Where nobody says since when it has an address, it is since anybody else was last known to have it.
        """
        had = set(old.addresses) if old is not None and old.valid_to is None and not old.host_network else set()
        has = set() if pod.host_network or pod.valid_to is not None else set(pod.addresses)
        for address in had - has:
            self.book.release(address, pod.uid, pod.valid_to or self._now_ns())
        self._workloads[pod.uid] = pod.workload, pod.workload_kind
        while len(self._workloads) > LOCAL_PODS:
            del self._workloads[next(iter(self._workloads))]
        host = self._host_addresses()
        for address in has:
            if canonical(address) in host:
                continue
            holder = Holder("pod", pod.uid, pod.name, pod.namespace, self.cluster.node if self.cluster else None)
            freed = (span.until for span in self.book.spans(address) if span.until is not None)
            since = pod.created_ns or began_ns or max((self._started, *freed))
            self.book.hold(address, holder, since)

    def pod_ended(self, pod: Pod, at_ns: int) -> None:
        """The last container of a pod of this node ended at ``at_ns``: nothing is sent from its addresses any more."""
        for address in () if pod.host_network else pod.addresses:
            self.book.release(address, pod.uid, at_ns, exact=True)

    # What is asked

    def pod(self, address: str | bytes, at: int | None = None) -> Holder | None:
        """The pod that had ``address`` (text, or 16 bytes) at ``at`` (ns since 1970; None: now)."""
        holder = self.book.at(address, self._now_ns() if at is None else at)
        return holder if holder is not None and holder.kind == "pod" else None

    def columns(
        self,
        addresses: Keys,
        *,
        at: npt.NDArray[np.int64] | None = None,
        ports: npt.NDArray[Any] | None = None,
        protocols: npt.NDArray[Any] | None = None,
        targets: npt.NDArray[np.uint8] | None = None,
        target_ports: npt.NDArray[Any] | None = None,
    ) -> dict[str, pa.Array]:
        """:data:`REMOTE_COLUMNS` for a column of addresses, null where unknown.

        ``addresses``: an Arrow array of text or of 16 bytes, or a NumPy array of shape (n, 16) or dtype ``V16``;
        ``targets`` likewise, zero where the connection went to the address itself.  ``at``: when, ns since 1970;
        without it, now.  ``protocols`` are IPPROTO_*; with ``ports`` they tell Services apart.
        """
        keys = _keys(addresses)
        count = len(keys)
        cluster = self.cluster if self.cluster is not None and self.cluster.trusted else None
        held = self.book.held(keys)
        if not count or (cluster is None and not held):  # nobody can be named
            return {name: pa.nulls(count, pa.string()) for name in REMOTE_COLUMNS}
        now = self._now_ns()
        times = [now] * count if at is None else at.tolist()
        port_list = [0] * count if ports is None else ports.tolist()
        protocol_list = [0] * count if protocols is None else protocols.tolist()
        target_list = [None] * count if targets is None or cluster is None else _keys(targets)
        target_port_list = port_list if target_ports is None else target_ports.tolist()
        facts = zip(keys, times, port_list, protocol_list, target_list, target_port_list, strict=True)
        rows = [
            NOBODY
            if key is None or (cluster is None and key not in held)
            else self._row(key, time, port, protocol, target, target_port, key in held, cluster)
            for key, time, port, protocol, target, target_port in facts
        ]
        columns = zip(*rows, strict=True)
        return {name: pa.array(values, pa.string()) for name, values in zip(REMOTE_COLUMNS, columns, strict=True)}

    def _row(
        self,
        key: bytes,
        at: int,
        port: int,
        protocol: int,
        target: bytes | None,
        target_port: int,
        known: bool,
        cluster: Cluster | None,
    ) -> Remote:
        holder = self.book.at(key, at) if known else None
        if holder is None and cluster is not None:
            cluster.want(key, at)
        if holder is not None and holder.kind != "service" and not self._believed(holder):
            holder = None
        word = PROTOCOLS.get(protocol, "")
        service = None
        if cluster is not None:
            fronted = target is not None and target != UNSPECIFIED
            if fronted and target is not None:
                service = cluster.services.front(target, word, target_port)
            else:
                service = cluster.services.front(key, word, port) or cluster.services.behind(key, word, port)
        if holder is None or holder.kind == "service":
            return Remote(namespace=service.namespace, service=service.name) if service else NOBODY
        if holder.kind == "node":
            return Remote(
                node=holder.name,
                namespace=service.namespace if service else None,
                service=service.name if service else None,
            )
        workload, kind = self._workload(holder)
        return Remote(holder.name, holder.namespace, workload, kind, holder.node, service.name if service else None)

    def _workload(self, holder: Holder) -> tuple[str | None, str | None]:
        if self.cluster is not None and (pod := self.cluster.remote_pod(holder)) is not None:
            return self.cluster.workload(pod) or (None, None)
        return self._workloads.get(holder.uid, (None, None))

    def _believed(self, holder: Holder) -> bool:
        """What this node's runtime says holds; what the API said, while we hear from it."""
        if self.cluster is None or holder.kind == "node" or holder.uid in self._workloads:
            return True
        return self.cluster.current("endpointslices")

    def _host_addresses(self) -> frozenset[bytes]:
        now = self._clock()
        if now >= self._host_due:
            self._host_known, self._host_due = self._host(), now + HOST_S
        return self._host_known


UNSPECIFIED = bytes(16)
PROTOCOLS = {6: "tcp", 17: "udp", 132: "sctp"}


def _keys(addresses: Keys) -> list[bytes | None]:
    """Each address as its 16 bytes."""
    if isinstance(addresses, np.ndarray):
        plain = np.ascontiguousarray(addresses).tobytes()
        return [plain[at : at + 16] for at in range(0, len(plain), 16)]
    return [None if value is None else canonical(value) for value in addresses.to_pylist()]
