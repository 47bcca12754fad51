"""What a pod is a part of: the Deployment behind its ReplicaSet, the CronJob behind its Job, else its controller.

A pod names its controller itself.  Who controls a ReplicaSet or a Job is asked once for each of them, names only
(``PartialObjectMetadata``): a node runs pods of few of them, so nobody has to watch all that a cluster has.  Where
that may not be read, a ReplicaSet's pods still say that they are a Deployment's (label ``pod-template-hash``, which
is the end of the ReplicaSet's name); a Job's do not say more than the Job.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from urllib.parse import quote

from beespace.enrich.kubernetes.client import METADATA, Client, Forbidden, Missing
from beespace.enrich.kubernetes.facts import Owner, PodFacts, owner

__all__ = ["Owners", "Workload"]

Workload = tuple[str, str]  # name, kind
ASKED = {"ReplicaSet": ("apis/apps/v1", "replicasets"), "Job": ("apis/batch/v1", "jobs")}
NO_WORKLOAD = {"Node"}  # a static pod belongs to its node, which is no workload


class Owners:
    """Controllers of ReplicaSets and Jobs, ``capacity`` of them."""

    def __init__(self, capacity: int = 16_384) -> None:
        self._capacity = capacity
        self._known: OrderedDict[tuple[str, str, str], Owner | None] = OrderedDict()
        self._lock = threading.Lock()
        self.denied: set[str] = set()  # kinds that we may not read

    def chain(self, pod: PodFacts) -> tuple[list[Owner], bool]:
        """The pod's controllers, nearest first, and whether that is all (False: :meth:`learn` has to be called)."""
        if pod.owner is None or pod.owner.kind in NO_WORKLOAD:
            return [], True
        first = pod.owner
        if first.kind not in ASKED:
            return [first], True
        with self._lock:
            key = (first.kind, pod.namespace, first.name)
            if key in self._known:
                above = self._known[key]
                return [first] if above is None else [first, above], True
        template = dict(pod.labels).get("pod-template-hash")
        if first.kind == "ReplicaSet" and template and first.name.endswith(f"-{template}"):
            deployment = Owner(first.group, "Deployment", first.name.removesuffix(f"-{template}"))
            return [first, deployment], first.kind in self.denied
        return [first], first.kind in self.denied

    def workload(self, pod: PodFacts) -> tuple[Workload | None, bool]:
        """The outermost controller as (name, kind), and whether that is certain to stay."""
        chain, complete = self.chain(pod)
        return ((chain[-1].name, chain[-1].kind) if chain else None), complete

    def learn(self, client: Client, pod: PodFacts) -> None:
        """Ask who controls the pod's controller.  Raises ApiError, but not for what is forbidden or gone."""
        first = pod.owner
        if first is None or first.kind not in ASKED or first.kind in self.denied:
            return
        group, kind = ASKED[first.kind]
        path = f"/{group}/namespaces/{quote(pod.namespace)}/{kind}/{quote(first.name)}"
        try:
            found = owner(client.get(path, accept=METADATA))
        except Forbidden:
            self.denied.add(first.kind)
            return
        except Missing:
            return
        with self._lock:
            self._known[first.kind, pod.namespace, first.name] = found
            while len(self._known) > self._capacity:
                self._known.popitem(last=False)
