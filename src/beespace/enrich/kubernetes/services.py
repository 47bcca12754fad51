"""Which Service an address and port are, and which Services a pod's address and port are behind.

A Service is found by its own addresses (cluster, external, load balancer) with a port of its own, or by an address
of any node with its node port.  Several Services may share an address, never an address with a port; where they do
share a pod and a port, that pod's traffic cannot be said to be one's.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import NamedTuple

from beespace.enrich.canonical import canonical
from beespace.enrich.kubernetes.facts import Endpoint, ServiceFacts, SliceFacts

__all__ = ["ServiceName", "Services"]


class ServiceName(NamedTuple):
    """A Service's name and namespace."""

    name: str
    namespace: str


class Services:
    """The indexes; changed on the reflectors' threads, read from any."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._fronts: dict[tuple[bytes, str, int], dict[str, ServiceName]] = {}
        self._node_ports: dict[tuple[str, int], dict[str, ServiceName]] = {}
        self._addresses: dict[bytes, dict[str, ServiceName]] = {}
        self._behind: dict[tuple[bytes, str, int], dict[str, ServiceName]] = {}
        self._endpoints: dict[tuple[str, str | None], int] = {}  # (address, pod uid) -> slices that list it
        self.node_addresses: frozenset[bytes] = frozenset()

    def front(self, address: bytes, protocol: str, port: int) -> ServiceName | None:
        """The Service that is reached at ``address`` and ``port``, which may be a node's and a node port."""
        with self._lock:
            found = self._fronts.get((address, protocol, port))
            if found is None and address in self.node_addresses:
                found = self._node_ports.get((protocol, port))
            return _only(found)

    def is_front(self, address: bytes) -> bool:
        """Whether a Service has the address."""
        return address in self._addresses

    def behind(self, address: bytes, protocol: str, port: int) -> ServiceName | None:
        """The one Service that has a pod's address and port among its endpoints; None if none or several have."""
        with self._lock:
            return _only(self._behind.get((address, protocol, port)))

    def change(self, old: ServiceFacts | None, new: ServiceFacts | None) -> None:
        """A Service is new, changed or gone."""
        with self._lock:
            for fact in (old, new):
                if fact is None:
                    continue
                name = ServiceName(fact.name, fact.namespace)
                keys = [key for text in fact.addresses if (key := canonical(text)) is not None]
                for index, places in (
                    (self._fronts, [(key, port.protocol, port.number) for key in keys for port in fact.ports]),
                    (self._node_ports, [(port.protocol, port.node_port) for port in fact.ports if port.node_port]),
                    (self._addresses, keys),
                ):
                    _put(index, places, fact.uid, name if fact is new else None)

    def change_slice(self, old: SliceFacts | None, new: SliceFacts | None) -> tuple[list[Endpoint], list[Endpoint]]:
        """A slice is new, changed or gone; the endpoints that no slice lists any more, and those that it lists."""
        with self._lock:
            for fact in (old, new):
                if fact is None:
                    continue
                places = [
                    (key, port.protocol, port.number)
                    for endpoint in fact.endpoints
                    if (key := canonical(endpoint.address)) is not None
                    for port in fact.ports
                ]
                if fact.service is not None:
                    name = ServiceName(fact.service, fact.namespace)
                    _put(self._behind, places, fact.uid, name if fact is new else None)
            # A pod may be listed by the slices of several Services; it is gone with the last.
            had, has = _present(old), _present(new)
            for place in has.keys() - had.keys():
                self._endpoints[place] = self._endpoints.get(place, 0) + 1
            gone = []
            for place in had.keys() - has.keys():
                left = self._endpoints.get(place, 1) - 1
                if left:
                    self._endpoints[place] = left
                else:
                    self._endpoints.pop(place, None)
                    gone.append(had[place])
            return gone, list(has.values())


def _present(fact: SliceFacts | None) -> dict[tuple[str, str | None], Endpoint]:
    """The endpoints that certainly have their address: one whose pod ends may have given it back already."""
    endpoints = fact.endpoints if fact is not None else ()
    return {(each.address, each.pod_uid): each for each in endpoints if not each.terminating}


def _put(index: dict, places: Iterable, uid: str, name: ServiceName | None) -> None:  # type: ignore[type-arg]
    for place in places:
        if name is not None:
            index.setdefault(place, {})[uid] = name
        elif place in index:
            index[place].pop(uid, None)
            if not index[place]:
                del index[place]


def _only(found: dict[str, ServiceName] | None) -> ServiceName | None:
    names = set(found.values()) if found else set()
    return names.pop() if len(names) == 1 else None
