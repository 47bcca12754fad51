"""What a container's pod is called, of all who know something: its runtime, the Kubernetes API, its own labels.

The API knows most (the Deployment behind a ReplicaSet, annotations), the runtime knows first.
"""

from __future__ import annotations

from typing import NamedTuple

from beespace.enrich.container import Container, Containers
from beespace.enrich.kubernetes.cluster import Cluster

__all__ = ["Labels", "PodNames"]


class PodNames(NamedTuple):
    """A pod's name and namespace, what it is a part of, and the ``service.name`` of that; None is unknown."""

    name: str | None = None
    namespace: str | None = None
    workload: str | None = None
    workload_kind: str | None = None
    service_name: str | None = None


class Labels:
    """Puts together what ``containers`` and ``cluster`` know."""

    def __init__(self, containers: Containers, cluster: Cluster | None) -> None:
        self._containers = containers
        self._cluster = cluster

    def of(self, container: Container | None, pod_uid: str | None) -> PodNames:
        """The names of the pod of that uid, in which ``container`` runs."""
        pod = self._containers.pod(pod_uid) if pod_uid else None
        name = (container.pod_name if container else None) or (pod.name if pod else None)
        namespace = (container.namespace if container else None) or (pod.namespace if pod else None)
        known = self._cluster.pod(pod_uid) if self._cluster is not None and pod_uid else None
        if known is not None and self._cluster is not None:
            workload, kind = self._cluster.workload(known) or (None, None)
            service = self._cluster.service_name(known, container.name if container else None)
            return PodNames(known.name, known.namespace, workload, kind, service)
        told = container if container is not None and container.workload is not None else pod
        service = (container.service_name if container else None) or (pod.service_name if pod else None)
        if told is None:
            return PodNames(name, namespace, service_name=service)
        return PodNames(name, namespace, told.workload, told.workload_kind, service)

    def changed_pods(self) -> list[str]:
        """The uids of pods of which the API said something new since the last call."""
        return self._cluster.take_changed_pods() if self._cluster is not None else []
