"""Dimension tables for the store: what keys stood for, and when.

Facts hold keys (pid and start, cgroup id, address); views join them with these.  A row says what its key means from
``valid_from`` until ``valid_to`` (null: still).  A later row with the same key and ``valid_from`` replaces an earlier
one: the newest ``observed`` counts.  Keys are unique while the system runs (container ids and pod uids for good), so
a fact of a key whose interval has just ended, a last packet, still means the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pyarrow as pa

from beespace.enrich.address_book import AddressBook, Span
from beespace.enrich.canonical import written
from beespace.enrich.cgroup_tree import Cgroup, CgroupTree
from beespace.enrich.container import Container, Containers, Pod
from beespace.enrich.labels import Labels, PodNames
from beespace.enrich.process import Process, Processes
from beespace.syscall.clock import boottime_ns

__all__ = ["TABLES", "Dimensions"]

_TIME = pa.timestamp("ns", tz="UTC")


def _schema(*fields: tuple[str, pa.DataType, str]) -> pa.Schema:
    """Fields with their documentation; every table ends with its validity."""
    validity = (
        ("valid_from", _TIME, "since when the row holds"),
        ("valid_to", _TIME, "until when it held; null: it still does"),
        ("observed", _TIME, "when this version of the row was written"),
    )
    return pa.schema([pa.field(name, kind, metadata={"doc": doc}) for name, kind, doc in (*fields, *validity)])


TABLES: Mapping[str, pa.Schema] = {
    "processes": _schema(
        ("process_pid", pa.uint32(), "pid in the initial PID namespace; key with process_start_ns"),
        ("process_start_ns", pa.uint64(), "start of the process, ns since boot; compare in ticks of 10 ms"),
        ("parent_pid", pa.uint32(), "pid of the process that made it"),
        ("process_uid", pa.uint32(), "real user id"),
        ("process_name", pa.string(), "name of the process (comm)"),
        ("process_executable", pa.string(), "path of its program"),
        ("process_args", pa.list_(pa.string()), "arguments, the program's name first"),
        ("cgroup_id", pa.uint64(), "its cgroup; 0 if unknown"),
        ("cgroup_path", pa.string(), "path of its cgroup"),
        ("container_id", pa.string(), "container it runs in"),
        ("pod_uid", pa.string(), "pod it runs in"),
        ("service", pa.string(), "systemd unit it runs in"),
    ),
    "cgroups": _schema(
        ("cgroup_id", pa.uint64(), "inode of the cgroup v2 folder; key"),
        ("cgroup_path", pa.string(), "path from the root of the hierarchy"),
        ("container_id", pa.string(), "container it belongs to"),
        ("pod_uid", pa.string(), "pod it belongs to"),
        ("service", pa.string(), "systemd unit it belongs to"),
    ),
    "containers": _schema(
        ("container_id", pa.string(), "the runtime's id; key"),
        ("container_name", pa.string(), "name in the pod, or the runtime's"),
        ("container_image", pa.string(), "image as it was asked for"),
        ("container_runtime", pa.string(), "containerd, cri-o, docker, podman, …"),
        ("pod_name", pa.string(), "pod it belongs to"),
        ("pod_uid", pa.string(), "that pod's uid"),
        ("namespace", pa.string(), "that pod's namespace"),
        ("workload", pa.string(), "Deployment, StatefulSet, DaemonSet, CronJob or Job of that pod"),
        ("workload_kind", pa.string(), "which of these"),
        ("service_name", pa.string(), "service.name of that pod"),
    ),
    "pods": _schema(
        ("pod_uid", pa.string(), "uid that the API server gave; key"),
        ("pod_name", pa.string(), "name"),
        ("namespace", pa.string(), "namespace"),
        ("workload", pa.string(), "Deployment, StatefulSet, DaemonSet or Job it belongs to"),
        ("addresses", pa.list_(pa.string()), "its own addresses; empty if it uses the host's network"),
        ("host_network", pa.bool_(), "whether it uses the host's network"),
    ),
    "addresses": _schema(
        ("address", pa.string(), "the address; key"),
        ("kind", pa.string(), "pod, service or node"),
        ("holder_uid", pa.string(), "uid of who had it"),
        ("pod_name", pa.string(), "the pod"),
        ("service", pa.string(), "the service"),
        ("node", pa.string(), "the node, of the pod if it is one's"),
        ("namespace", pa.string(), "namespace of the pod or service"),
        ("workload", pa.string(), "Deployment, StatefulSet, DaemonSet, CronJob or Job of the pod"),
        ("workload_kind", pa.string(), "which of these"),
    ),
}


class Dimensions:
    """Hands out the rows that are new or changed since they were last taken."""

    def __init__(
        self,
        processes: Processes,
        cgroups: CgroupTree,
        containers: Containers,
        labels: Labels,
        book: AddressBook,
        *,
        now_ns: Callable[[], int] = time.time_ns,
        boot_ns: Callable[[], int] | None = None,
    ) -> None:
        self._processes = processes
        self._cgroups = cgroups
        self._containers = containers
        self._labels = labels
        self._book = book
        self._now_ns = now_ns
        # Of what we found existing, we know only that it did not exist before the system did.
        self._booted = boot_ns() if boot_ns else now_ns() - boottime_ns()

    def take(self) -> dict[str, pa.RecordBatch]:
        """By table name, only tables that have new rows; each as :data:`TABLES` says."""
        self._processes.sweep()
        now = self._now_ns()
        containers, pods = self._containers.changes()
        spans = self._book.take_changes()
        if told := set(self._labels.changed_pods()):  # of these the API says something new
            again = {container.id: container for container in self._containers.of_pods(told)}
            containers = [*{**again, **{container.id: container for container in containers}}.values()]
            spans = [*spans, *self._book.of_pods(told - {span.holder.uid for span in spans})]
        rows: Mapping[str, Iterable[tuple[Any, ...]]] = {
            "processes": map(_process, self._processes.changes.take()),
            "cgroups": map(self._cgroup, self._cgroups.take_changes()),
            "containers": map(self._container, containers),
            "pods": map(self._pod, pods),
            "addresses": map(self._address, spans),
        }
        batches = ((table, _batch(TABLES[table], values, now)) for table, values in rows.items())
        return {table: batch for table, batch in batches if batch.num_rows}

    def _cgroup(self, cgroup: Cgroup) -> tuple[Any, ...]:
        member = cgroup.membership
        key = (cgroup.id, cgroup.path, member.container_id, member.pod_uid, member.service)
        return (*key, self._booted, cgroup.valid_to)  # an id has one meaning from boot on

    def _container(self, container: Container) -> tuple[Any, ...]:
        names = self._labels.of(container, container.pod_uid)
        return (
            container.id,
            container.name,
            container.image,
            container.runtime,
            names.name,
            container.pod_uid,
            names.namespace,
            names.workload,
            names.workload_kind,
            names.service_name,
            container.created_ns or self._booted,
            container.valid_to,
        )

    def _address(self, span: Span) -> tuple[Any, ...]:
        holder = span.holder
        names = self._labels.of(None, holder.uid) if holder.kind == "pod" else PodNames()
        pod, service = (holder.name if holder.kind == kind else None for kind in ("pod", "service"))
        place = (pod, service, holder.node, holder.namespace, names.workload, names.workload_kind)
        return (written(span.address), holder.kind, holder.uid, *place, span.since, span.until)

    def _pod(self, pod: Pod) -> tuple[Any, ...]:
        return (
            pod.uid,
            pod.name,
            pod.namespace,
            pod.workload,
            list(pod.addresses),
            pod.host_network,
            pod.created_ns or self._booted,
            pod.valid_to,
        )


def _process(process: Process) -> tuple[Any, ...]:
    return (
        process.pid,
        process.start_ns,
        process.parent_pid,
        process.uid,
        process.name,
        process.executable,
        process.args,
        process.cgroup_id,
        process.cgroup_path,
        process.membership.container_id,
        process.membership.pod_uid,
        process.membership.service,
        process.valid_from,
        process.valid_to,
    )


def _batch(schema: pa.Schema, rows: Iterable[tuple[Any, ...]], now: int) -> pa.RecordBatch:
    columns = list(zip(*((*row, now) for row in rows), strict=True)) or [()] * len(schema)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
