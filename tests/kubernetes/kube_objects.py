"""Kubernetes objects as the API has them, made from a few words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]


def stamp(seconds: float | None = None) -> str:
    """RFC 3339 with whole seconds, as the API cuts them."""
    now = datetime.now(UTC) if seconds is None else datetime.fromtimestamp(seconds, UTC)
    return now.strftime("%Y-%m-%dT%H:%M:%SZ")


def pod(
    name: str,
    namespace: str = "shop",
    *,
    node: str = "node1",
    ip: str | None = None,
    uid: str | None = None,
    owner: tuple[str, str, str] | None = None,
    labels: dict[str, str] | None = None,
    annotations: dict[str, str] | None = None,
    host_network: bool = False,
    phase: str = "Running",
    containers: dict[str, str] | None = None,
    started: float | None = None,
    **meta: Any,
) -> Json:
    """``owner``: apiVersion, kind, name; ``containers``: name to id; ``started``: seconds since 1970."""
    return {
        "metadata": {
            "name": name,
            "namespace": namespace,
            **({"uid": uid} if uid else {}),
            "creationTimestamp": stamp(started),
            "labels": labels or {},
            "annotations": annotations or {},
            **({"ownerReferences": [_reference(owner)]} if owner else {}),
            **meta,
        },
        "spec": {"nodeName": node, **({"hostNetwork": True} if host_network else {})},
        "status": {
            "phase": phase,
            **({"podIP": ip, "podIPs": [{"ip": ip}]} if ip else {}),
            "containerStatuses": [
                {
                    "name": each,
                    "image": f"{each}:1",
                    "containerID": f"containerd://{container_id}",
                    "state": {"running": {"startedAt": stamp(started)}},
                }
                for each, container_id in (containers or {"app": "c" * 64}).items()
            ],
        },
    }


def controlled(name: str, namespace: str, owner: tuple[str, str, str] | None) -> Json:
    """A ReplicaSet or a Job."""
    meta: Json = {"name": name, "namespace": namespace}
    return {"metadata": {**meta, **({"ownerReferences": [_reference(owner)]} if owner else {})}}


def service(
    name: str, namespace: str = "shop", *, ips: tuple[str, ...] = (), ports: tuple[Json, ...] = (), **spec: Any
) -> Json:
    addresses = {"clusterIP": ips[0], "clusterIPs": list(ips)} if ips else {"clusterIP": "None"}
    meta = {"name": name, "namespace": namespace, "creationTimestamp": stamp()}
    return {"metadata": meta, "spec": {**addresses, "ports": list(ports), **spec}, "status": {}}


def port(number: int, protocol: str = "TCP", node_port: int = 0) -> Json:
    return {"port": number, "protocol": protocol, **({"nodePort": node_port} if node_port else {})}


def endpoint(
    address: str, name: str, uid: str, *, namespace: str = "shop", node: str = "node2", **conditions: bool
) -> Json:
    return {
        "addresses": [address],
        "conditions": {"ready": True, **conditions},
        "nodeName": node,
        "targetRef": {"kind": "Pod", "name": name, "namespace": namespace, "uid": uid},
    }


def endpoint_slice(
    service: str, endpoints: list[Json], ports: tuple[Json, ...], namespace: str = "shop", name: str | None = None
) -> Json:
    labels = {"kubernetes.io/service-name": service}
    meta = {"name": name or f"{service}-abcde", "namespace": namespace, "labels": labels}
    return {"metadata": meta, "addressType": "IPv4", "endpoints": endpoints, "ports": list(ports)}


def node(name: str, address: str, ranges: tuple[str, ...] = ()) -> Json:
    return {
        "metadata": {"name": name, "creationTimestamp": stamp()},
        "spec": {"podCIDRs": list(ranges)},
        "status": {"addresses": [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": name}]},
    }


def namespace(name: str) -> Json:
    return {"metadata": {"name": name}}


def _reference(owner: tuple[str, str, str]) -> Json:
    group, kind, name = owner
    return {"apiVersion": group, "kind": kind, "name": name, "uid": "0", "controller": True}
