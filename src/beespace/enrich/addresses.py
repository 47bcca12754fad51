"""Who is behind remote addresses: pods, Services, nodes, by the time at which they had the address.

A TCP connection ends with its pod, so whoever had the address when the connection's first packet was seen has it for
as long as the connection lives; other packets are their own proof.  The caller gives that time for each row.

Pods that use the host's network have no address of their own, and an address of this host never names a pod.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
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
from beespace.stream.text import distinct_rows, spread

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
        keys, codes = _distinct(addresses)
        cluster = self.cluster if self.cluster is not None and self.cluster.trusted else None
        held = self.book.held(keys)
        named = np.array([key is not None and (cluster is not None or key in held) for key in keys], bool)
        rows = np.flatnonzero(named[codes])
        if not len(rows):  # nobody can be named
            return {name: pa.nulls(len(codes), pa.string()) for name in REMOTE_COLUMNS}
        none = np.zeros(len(codes), np.int64)
        times = none + self._now_ns() if at is None else at
        fronts, front_codes = ([None], none) if targets is None or cluster is None else _distinct(targets)
        ports = none if ports is None or cluster is None else ports
        columns = (
            self._periods(keys, codes[rows], times[rows]),
            *(each[rows] for each in (codes, ports, none if protocols is None or cluster is None else protocols)),
            *(each[rows] for each in (front_codes, ports if target_ports is None or cluster is None else target_ports)),
        )
        # Each distinct question once; place 0 is for the rows of which nobody can be named.
        places, remotes = np.zeros(len(codes), np.int64), [NOBODY]
        asked: dict[tuple[int, ...], int] = {}
        for row, facts in zip(rows.tolist(), zip(*(each.tolist() for each in columns), strict=True), strict=True):
            place = asked.setdefault(facts, len(remotes))
            places[row] = place
            if place == len(remotes):
                _period, code, port, protocol, front, target_port = facts
                key = keys[code]
                assert key is not None  # it is named
                target = fronts[front]
                remotes.append(
                    self._row(key, int(times[row]), port, protocol, target, target_port, key in held, cluster)
                )
        indices = pa.array(places)
        found = zip(REMOTE_COLUMNS, zip(*remotes, strict=True), strict=True)
        return {name: spread(values, indices) for name, values in found}

    def _periods(
        self, keys: Sequence[bytes | None], codes: npt.NDArray[np.int64], times: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.int64]:
        """For each of ``times`` a number; the same address (by code) is had by the same in all that have one number."""
        periods = np.zeros(len(codes), np.int64)
        order = np.argsort(codes, kind="stable")
        distinct, begins = np.unique(codes[order], return_index=True)
        for code, rows in zip(distinct.tolist(), np.split(order, begins[1:]), strict=True):
            spans = self.book.spans(keys[code] or b"")
            changes = {span.since for span in spans} | {span.until for span in spans if span.until is not None}
            periods[rows] = np.searchsorted(np.array(sorted(changes), np.int64), times[rows], side="right")
        return periods

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


def _distinct(addresses: Keys) -> tuple[list[bytes | None], npt.NDArray[np.int64]]:
    """The distinct addresses, each as its 16 bytes, and for each row which of them it is."""
    if isinstance(addresses, np.ndarray):
        found, indices = distinct_rows(np.ascontiguousarray(addresses).view(np.uint8).reshape(len(addresses), 16))
        return [each.tobytes() for each in found], indices.to_numpy().astype(np.int64)
    keys = [None if value is None else canonical(value) for value in addresses.to_pylist()]
    numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    return list(numbers), np.array([numbers[key] for key in keys], np.int64)
