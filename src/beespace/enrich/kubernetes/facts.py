"""What beespace keeps of Kubernetes objects: a few strings of each, because a cluster has many.

Every function here takes the API's JSON and gives facts, or raises ``KeyError``, ``TypeError`` or ``ValueError`` for
an object that is none; whoever reads a stream counts those.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from beespace.enrich.kubernetes.naming import ANNOTATION, LABELS

__all__ = ["Endpoint", "NamespaceFacts", "NodeFacts", "Owner", "PodFacts", "Port", "ServiceFacts", "SliceFacts"]

Json = Mapping[str, Any]
KEPT_LABELS = (
    "pod-template-hash", "batch.kubernetes.io/job-name", "job-name", "statefulset.kubernetes.io/pod-name",
    "pod-template-generation", *LABELS,
)  # fmt: skip
SERVICE = "kubernetes.io/service-name"
HOSTNAME = "kubernetes.io/hostname"  # v1beta1 has the node in the endpoint's topology
HOSTLESS = ("", "None")  # a headless service has no address of its own


class Owner(NamedTuple):
    """A controller: ``apps/v1``, ``ReplicaSet``, its name."""

    group: str
    kind: str
    name: str


class Port(NamedTuple):
    """``protocol`` in lower case; ``target`` is the endpoint's port, 0 where that does not apply."""

    protocol: str
    number: int
    node_port: int = 0


class Endpoint(NamedTuple):
    """One address of an EndpointSlice, and the pod behind it if there is one."""

    address: str
    pod_uid: str | None
    pod_name: str | None
    namespace: str | None
    node: str | None
    terminating: bool = False


@dataclass(frozen=True, slots=True)
class PodFacts:
    """A pod.  ``running_ns``: from when on it certainly has its addresses (its first container ran), 0 if never."""

    uid: str
    name: str
    namespace: str
    node: str | None = None
    addresses: tuple[str, ...] = ()
    host_network: bool = False
    owner: Owner | None = None
    labels: tuple[tuple[str, str], ...] = ()
    service_name: str | None = None  # the annotation
    created_ns: int = 0
    running_ns: int = 0
    terminating: bool = False  # it is being deleted: its addresses may be free any moment
    ended: bool = False  # Succeeded or Failed: its addresses may be given to others
    containers: tuple[tuple[str, str, str], ...] = ()  # id, name, image

    @property
    def key(self) -> str:
        return self.uid


@dataclass(frozen=True, slots=True)
class ServiceFacts:
    """A Service with every address under which it is reached."""

    uid: str
    name: str
    namespace: str
    addresses: tuple[str, ...]
    ports: tuple[Port, ...]
    created_ns: int = 0

    @property
    def key(self) -> str:
        return self.uid


@dataclass(frozen=True, slots=True)
class SliceFacts:
    """An EndpointSlice: which pods are behind ``service``, on which ports."""

    uid: str
    namespace: str
    service: str | None
    ports: tuple[Port, ...]
    endpoints: tuple[Endpoint, ...]

    @property
    def key(self) -> str:
        return self.uid


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """A node, its addresses, and the ranges that its pods have addresses from."""

    uid: str
    name: str
    addresses: tuple[str, ...]
    pod_ranges: tuple[str, ...]
    created_ns: int = 0

    @property
    def key(self) -> str:
        return self.uid


@dataclass(frozen=True, slots=True)
class NamespaceFacts:
    """A namespace; the uid of ``kube-system`` stands for the cluster (``k8s.cluster.uid``)."""

    uid: str
    name: str

    @property
    def key(self) -> str:
        return self.uid


def pod(item: Json) -> PodFacts:
    meta, spec, status = item["metadata"], item.get("spec") or {}, item.get("status") or {}
    statuses = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    statuses += status.get("ephemeralContainerStatuses") or ()
    labels = meta.get("labels") or {}
    host = bool(spec.get("hostNetwork"))
    return PodFacts(
        uid=str(meta["uid"]),
        name=str(meta["name"]),
        namespace=_shared(meta["namespace"]),
        node=_shared(spec.get("nodeName")),
        addresses=() if host else _pod_addresses(status),
        host_network=host,
        owner=owner(item),
        labels=tuple((name, str(labels[name])) for name in KEPT_LABELS if name in labels),
        service_name=(meta.get("annotations") or {}).get(ANNOTATION),
        created_ns=time_ns(meta.get("creationTimestamp")),
        running_ns=_first_start(statuses),
        terminating=bool(meta.get("deletionTimestamp")),
        ended=status.get("phase") in ("Succeeded", "Failed"),
        containers=tuple(
            (str(each["containerID"]).rpartition("//")[2], _shared(each["name"]), _shared(each.get("image") or ""))
            for each in statuses
            if each.get("containerID")
        ),
    )


def service(item: Json) -> ServiceFacts:
    meta, spec, status = item["metadata"], item.get("spec") or {}, item.get("status") or {}
    given = (status.get("loadBalancer") or {}).get("ingress") or ()
    addresses = [
        *(spec.get("clusterIPs") or [spec.get("clusterIP") or ""]),
        *(spec.get("externalIPs") or ()),
        *(each["ip"] for each in given if each.get("ip")),
    ]
    return ServiceFacts(
        uid=str(meta["uid"]),
        name=_shared(meta["name"]),
        namespace=_shared(meta["namespace"]),
        addresses=tuple(dict.fromkeys(address for address in addresses if address not in HOSTLESS)),
        ports=tuple(
            Port(str(each.get("protocol") or "TCP").lower(), int(each["port"]), int(each.get("nodePort") or 0))
            for each in spec.get("ports") or ()
        ),
        created_ns=time_ns(meta.get("creationTimestamp")),
    )


def endpoint_slice(item: Json) -> SliceFacts:
    meta = item["metadata"]
    endpoints = []
    for each in item.get("endpoints") or ():
        target = each.get("targetRef") or {}
        is_pod = target.get("kind") == "Pod"
        for address in each.get("addresses") or ():
            endpoints.append(
                Endpoint(
                    str(address),
                    target.get("uid") if is_pod else None,
                    target.get("name") if is_pod else None,
                    _shared(target.get("namespace") or meta["namespace"]) if is_pod else None,
                    _shared(each.get("nodeName") or (each.get("topology") or {}).get(HOSTNAME)),
                    bool((each.get("conditions") or {}).get("terminating")),
                )
            )
    return SliceFacts(
        uid=str(meta["uid"]),
        namespace=_shared(meta["namespace"]),
        service=_shared((meta.get("labels") or {}).get(SERVICE)),
        ports=tuple(
            Port(str(each.get("protocol") or "TCP").lower(), int(each.get("port") or 0))
            for each in item.get("ports") or ()
        ),
        endpoints=tuple(endpoints),
    )


def node(item: Json) -> NodeFacts:
    meta, spec, status = item["metadata"], item.get("spec") or {}, item.get("status") or {}
    ranges = spec.get("podCIDRs") or ([spec["podCIDR"]] if spec.get("podCIDR") else [])
    return NodeFacts(
        uid=str(meta["uid"]),
        name=_shared(meta["name"]),
        addresses=tuple(
            str(each["address"])
            for each in status.get("addresses") or ()
            if each.get("type") in ("InternalIP", "ExternalIP")
        ),
        pod_ranges=tuple(map(str, ranges)),
        created_ns=time_ns(meta.get("creationTimestamp")),
    )


def namespace(item: Json) -> NamespaceFacts:
    return NamespaceFacts(str(item["metadata"]["uid"]), _shared(item["metadata"]["name"]))


def owner(item: Json) -> Owner | None:
    """The controller of an object, if it has one."""
    for each in item["metadata"].get("ownerReferences") or ():
        if each.get("controller"):
            return Owner(_shared(each.get("apiVersion") or ""), _shared(each["kind"]), _shared(each["name"]))
    return None


def time_ns(text: Any) -> int:
    """RFC 3339 in ns since 1970; 0 if there is none."""
    return int(datetime.fromisoformat(str(text)).timestamp()) * 1_000_000_000 if text else 0


def _pod_addresses(status: Json) -> tuple[str, ...]:
    addresses = [str(each["ip"]) for each in status.get("podIPs") or () if each.get("ip")]
    return tuple(addresses or ([str(status["podIP"])] if status.get("podIP") else []))


def _first_start(statuses: list[Json]) -> int:
    """When the first container began; the API cuts times to seconds, so the end of that second is certain."""
    starts = [
        time_ns((state.get(phase) or {}).get("startedAt"))
        for each in statuses
        for state in (each.get("state") or {}, each.get("lastState") or {})
        for phase in ("running", "terminated")
    ]
    first = min((start for start in starts if start), default=0)
    return first + 1_000_000_000 if first else 0


def _shared(value: Any) -> Any:
    """A text that many objects have, once in memory."""
    return sys.intern(value) if type(value) is str else value
