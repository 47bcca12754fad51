"""Containers and pods of this node as the Kubernetes API has them: later than the runtime, but from anywhere.

For an agent that may not reach the runtime's socket.  The API learns a container's id a second or two after it runs.
"""

from __future__ import annotations

from collections.abc import Sequence

from beespace.enrich.container import Container, Pod
from beespace.enrich.kubernetes.cluster import Cluster

__all__ = ["KubernetesSource"]


class KubernetesSource:
    """What ``cluster`` knows of this node."""

    name = "kubernetes"

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def find(self, container_id: str) -> Container | None:
        """Never asks: what the watch has brought is all."""
        found = self._cluster.container(container_id)
        if found is None:
            return None
        pod, name, image = found
        return Container(container_id, "kubernetes", name, image or None, pod.name, pod.uid, pod.namespace)

    def running(self) -> set[str] | None:
        """None while the pods are not known: nothing ends because the API is silent."""
        if not self._cluster.current("pods"):
            return None
        return {container_id for pod in self._cluster.pods() if not pod.ended for container_id, _, _ in pod.containers}

    def pods(self) -> Sequence[Pod]:
        """The pods that have not ended, by name; their addresses the cluster tells on its own."""
        return [
            Pod(pod.uid, pod.name, pod.namespace, host_network=pod.host_network, created_ns=pod.created_ns or None)
            for pod in self._cluster.pods()
            if not pod.ended
        ]

    def close(self) -> None:
        """Nothing is held open."""
