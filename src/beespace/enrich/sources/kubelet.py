"""Containers and pods of this node from its kubelet, ``GET /pods``: for when the Kubernetes API is away or forbidden.

The kubelet knows owners, annotations and addresses of its pods, which a runtime does not, whatever became of the API.
It is asked every few seconds while the API is silent, and once a minute while it is not.  Who may ask, it finds out
from the API server (TokenReview, SubjectAccessReview), and remembers that for some minutes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from beespace.enrich.container import Container, Pod, SourceError
from beespace.enrich.kubernetes import facts
from beespace.enrich.kubernetes.client import ApiError, Client
from beespace.enrich.kubernetes.facts import PodFacts
from beespace.enrich.kubernetes.naming import ANNOTATION, service_name

__all__ = ["KubeletSource"]

PATH = "/pods"
AGAIN_S, SELDOM_S = 5.0, 60.0  # how old a list may be, without the API and with it
NEW_S = 1.0  # and when a container is looked for that it does not have
FAILED_S = 10.0  # how long one that did not answer is left alone


class KubeletSource:
    """What the kubelet of ``node`` says; ``seldom`` tells whether somebody better answers, too."""

    name = "kubelet"

    def __init__(
        self,
        client: Client,
        node: str,
        *,
        labels: bool = False,
        seldom: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._node = node
        self._labels = labels
        self._seldom = seldom
        self._clock = clock
        self._pods: dict[str, PodFacts] = {}
        self._containers: dict[str, tuple[PodFacts, str, str]] = {}
        self._read: float | None = None
        self._wait_until = 0.0
        self.lacking: str | None = None
        self.malformed = 0

    def find(self, container_id: str) -> Container | None:
        """A container that the kubelet has seen start; it does so a second later than the runtime."""
        for age in (AGAIN_S, NEW_S):
            if self._listed(age) and container_id in self._containers:
                pod, name, image = self._containers[container_id]
                workload, kind = _workload(pod) or (None, None)
                return Container(
                    container_id, self.name, name, image or None, pod.name, pod.uid, pod.namespace, workload,
                    workload_kind=kind, service_name=self._service_name(pod),
                )  # fmt: skip
        return None

    def running(self) -> set[str] | None:
        """None while it does not answer: nothing ends because it is silent."""
        if not self._listed(SELDOM_S if self._seldom() else AGAIN_S):
            return None
        return set(self._containers)

    def pods(self) -> Sequence[Pod]:
        """The pods that have not ended."""
        return [self._pod(pod) for pod in self._pods.values()]

    def close(self) -> None:
        """End a request that waits."""
        self._client.close()

    def _listed(self, age: float) -> bool:
        """Whether there is a list that is no older; asks for it if there is none."""
        now = self._clock()
        if self._read is not None and now - self._read < age:
            return True
        if now < self._wait_until:
            return False
        try:
            self._take(self._client.get(PATH))
        except ApiError as error:
            self._wait_until = self._clock() + max(FAILED_S, getattr(error, "after", 0.0))
            self._read = None
            self.lacking = f"no pods from the kubelet: {error}"
            raise SourceError(str(error)) from error
        self._read = self._clock()
        return True

    def _take(self, answer: Any) -> None:
        items = answer.get("items") if isinstance(answer, dict) else None
        if not isinstance(items, list):
            raise ApiError(f"{self._client.access.url}{PATH}: the answer is no list of pods")
        pods: list[PodFacts] = []
        for item in items:
            try:
                pods.append(facts.pod(item))
            except (KeyError, TypeError, ValueError, AttributeError):
                self.malformed += 1
        others = {pod.node for pod in pods if pod.node is not None} - {self._node}
        if others:
            names = ", ".join(sorted(others))
            raise ApiError(f"{self._client.access.url} is the kubelet of node {names}, and this is {self._node}")
        self._pods = {pod.uid: pod for pod in pods if not pod.ended}
        self._containers = {each[0]: (pod, each[1], each[2]) for pod in self._pods.values() for each in pod.containers}
        self.lacking = None

    def _pod(self, pod: PodFacts) -> Pod:
        workload, kind = _workload(pod) or (None, None)
        return Pod(
            pod.uid, pod.name, pod.namespace, workload, pod.addresses, pod.host_network,
            created_ns=pod.running_ns or None, workload_kind=kind, service_name=self._service_name(pod),
        )  # fmt: skip

    def _service_name(self, pod: PodFacts) -> str | None:
        """As the API would say it; null where that depends on who owns the owner."""
        workload = _workload(pod)
        if pod.service_name is None and pod.owner is not None and (workload is None or workload[1] == "Job"):
            return None
        annotations = {ANNOTATION: pod.service_name} if pod.service_name else {}
        owners = [] if workload is None else [(workload[1], workload[0])]
        return service_name(pod.name, owners, annotations, dict(pod.labels), use_labels=self._labels)


def _workload(pod: PodFacts) -> tuple[str, str] | None:
    """Name and kind of what controls the pod.  A Deployment's ReplicaSet ends with the hash that its pods carry; who
    owns a Job, its pods do not say."""
    if pod.owner is None:
        return None
    if pod.owner.kind == "ReplicaSet":
        template = dict(pod.labels).get("pod-template-hash")
        if template and pod.owner.name.endswith(f"-{template}"):
            return pod.owner.name.removesuffix(f"-{template}"), "Deployment"
        return None
    return (pod.owner.name, pod.owner.kind) if pod.owner.kind in ("DaemonSet", "StatefulSet", "Job") else None
