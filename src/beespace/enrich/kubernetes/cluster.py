"""What this node's agent knows of its cluster, and what it lacks.

Watched, cluster-wide: Services, EndpointSlices, Nodes, Namespaces (names only); of Pods only those of this node.
An EndpointSlice names the pod behind each of its addresses, so the pods that serve are known without any agent
watching every pod.  For an address that no slice lists (a client, a job) the pod is asked for by that address, once
in a while; the workload of a remote pod is asked for when it is talked to.  See docs/kubernetes.md for the rights.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import partial
from ipaddress import ip_address, ip_network
from typing import Any
from urllib.parse import quote

from beespace.enrich.address_book import AddressBook, Holder
from beespace.enrich.canonical import canonical
from beespace.enrich.kubernetes import facts
from beespace.enrich.kubernetes.client import METADATA_LIST, Client, Forbidden, Missing
from beespace.enrich.kubernetes.facts import NamespaceFacts, NodeFacts, PodFacts, ServiceFacts, SliceFacts
from beespace.enrich.kubernetes.lookups import Lookups
from beespace.enrich.kubernetes.naming import ANNOTATION, service_name
from beespace.enrich.kubernetes.owners import Owners, Workload
from beespace.enrich.kubernetes.reflector import Reflector, Resource
from beespace.enrich.kubernetes.services import Services

__all__ = ["Cluster", "resources"]

REMOTE_PODS = 65_536  # pods of other nodes that are remembered with their workload
STALE_S = 15.0  # without contact for so long, nobody knows who has an address now
AGAIN_S = 1.0  # an address is asked for again not sooner; each time that nobody has it, twice as long


class Cluster:
    """Follows the cluster through ``client`` as the agent of ``node``.

    ``book`` learns who has which address; ``started_ns``: since when addresses matter (ns since 1970).  ``labels``:
    whether ``service.name`` may come from well-known labels.  ``moved`` is called with the uid of a pod of this node
    about which something is new.
    """

    def __init__(
        self,
        client: Client,
        node: str,
        book: AddressBook,
        *,
        labels: bool = False,
        now_ns: Callable[[], int] = time.time_ns,
        clock: Callable[[], float] = time.monotonic,
        lookups: Lookups | None = None,
        **timing: Any,
    ) -> None:
        self.node = node
        self.book = book
        self.services = Services()
        self.owners = Owners()
        self.lookups = lookups or Lookups()
        self._client = client
        self._labels = labels
        self._now_ns, self._clock = now_ns, clock
        self._started = now_ns()
        self._lock = threading.Lock()
        self._pods: dict[str, PodFacts] = {}
        self._by_container: dict[str, tuple[PodFacts, str, str]] = {}
        self._remote: OrderedDict[str, PodFacts] = OrderedDict()
        self._asked: OrderedDict[bytes, tuple[float, float]] = OrderedDict()  # when next, how long after that
        self._changed_pods: dict[str, None] = {}
        self._ranges: tuple[Any, ...] = ()
        self.uid: str | None = None  # k8s.cluster.uid
        self.version = 0
        self.reflectors: dict[str, Reflector[Any]] = {
            resource.name: Reflector(client, resource, changed, clock=clock, **timing)
            for resource, changed in (
                (_pods(node), self._pod_changed),
                (SERVICES, self._service_changed),
                (SLICES, self._slice_changed),
                (NODES, self._node_changed),
                (NAMESPACES, self._namespace_changed),
            )
        }

    def start(self) -> None:
        """Begin to list and watch."""
        for reflector in self.reflectors.values():
            reflector.start()

    def close(self) -> None:
        """End every thread; calling it again does nothing."""
        for reflector in self.reflectors.values():
            reflector.stop()
        self._client.close()
        self.lookups.close()
        for reflector in self.reflectors.values():
            reflector.join(10)

    def wait(self, timeout_s: float) -> bool:
        """Wait until everything was listed once, or is known not to be had; whether that was so in time."""
        deadline = time.monotonic() + timeout_s
        return all(
            reflector.synced.wait(max(0.0, deadline - time.monotonic())) for reflector in self.reflectors.values()
        )

    # What is asked; none of it waits for the API

    def pod(self, uid: str) -> PodFacts | None:
        """A pod of this node, or a remote one that was asked for."""
        with self._lock:
            return self._pods.get(uid) or self._remote.get(uid)

    def pods(self) -> list[PodFacts]:
        """The pods of this node."""
        with self._lock:
            return list(self._pods.values())

    def container(self, container_id: str) -> tuple[PodFacts, str, str] | None:
        """A container of this node: its pod, its name, its image."""
        with self._lock:
            return self._by_container.get(container_id)

    def workload(self, pod: PodFacts) -> Workload | None:
        """What the pod is a part of, as far as that is known; asks for the rest."""
        workload, complete = self.owners.workload(pod)
        if not complete:
            self.lookups.ask(("owner", pod.owner, pod.namespace), partial(self._learn_owner, pod))
        return workload

    def service_name(self, pod: PodFacts, container: str | None = None) -> str | None:
        """``service.name`` of the pod."""
        chain, _ = self.owners.chain(pod)
        annotations = {ANNOTATION: pod.service_name} if pod.service_name else {}
        return service_name(
            pod.name,
            [(owner.kind, owner.name) for owner in chain],
            annotations,
            dict(pod.labels),
            use_labels=self._labels,
            container=container,
        )

    def remote_pod(self, holder: Holder) -> PodFacts | None:
        """What is known of the pod that has an address; asks for it if it is not known yet."""
        known = self.pod(holder.uid)
        if known is None and holder.kind == "pod" and holder.namespace is not None:
            self.lookups.ask(("pod", holder.uid), partial(self._learn_pod, holder))
        return known

    def want(self, address: bytes, at: int) -> None:
        """Somebody talks to an address of which nobody is known to have had it at ``at``: ask for a pod with it."""
        if not self._could_be_pod(address):
            return
        now = self._clock()
        with self._lock:
            due, pause = self._asked.get(address, (0.0, AGAIN_S))
        # Too soon after the last time is later, not never: nobody may talk to the address any more by then.
        wait = max(0.0, due - now)
        if self.lookups.ask(("address", address), partial(self._learn_address, address), wait):
            with self._lock:
                self._asked[address] = (now + wait + pause, min(60.0, pause * 2))
                while len(self._asked) > REMOTE_PODS:
                    self._asked.popitem(last=False)

    @property
    def trusted(self) -> bool:
        """Whether this machine is a node of that cluster, as far as that can be told."""
        nodes = self.reflectors["nodes"]
        return not nodes.objects or any(node.name == self.node for node in list(nodes.objects.values()))

    def current(self, resource: str) -> bool:
        """Whether what we know of ``resource`` is what the server has, give or take the last seconds."""
        state = self.reflectors[resource].state
        if state.state == "current":
            return True
        return state.state == "behind" and self._clock() - state.contact < STALE_S

    def following(self) -> dict[str, str]:
        """Each resource, and why it is not followed now; "" if it is.  A server may be silent for some seconds."""
        return {
            name: "" if self.current(name) or reflector.state.state == "starting" else reflector.state.why
            for name, reflector in self.reflectors.items()
        }

    def lacks(self) -> list[str]:
        """What is missing, and why, in sentences; none if all is well."""
        said = []
        if not self.trusted:
            said.append(f"{self.node!r} is no node of the cluster at {self._client.access.url}: give --node")
        for reflector in self.reflectors.values():
            state = reflector.state
            if state.state not in ("current", "starting"):
                said.append(f"no {reflector.resource.name} ({reflector.resource.lacking}): {state.why}")
            elif state.odd:
                said.append(f"{state.odd} {reflector.resource.name} could not be read")
        for kind in sorted(self.owners.denied):
            said.append(f"no {kind} may be read (what controls them): forbidden")
        return said

    def statistics(self) -> Mapping[str, int | str]:
        """Objects, lists, events and errors by resource; questions asked."""
        numbers: dict[str, int | str] = {"addresses": len(self.book)}
        for name, reflector in self.reflectors.items():
            state = reflector.state
            numbers |= {
                name: state.objects,
                f"{name}_state": state.state,
                f"{name}_lists": state.lists,
                f"{name}_events": state.events,
                f"{name}_errors": state.errors,
                f"{name}_path": reflector.path,
            }
        return {**numbers, "asked": self.lookups.asked, "asked_failed": self.lookups.failed}

    def take_changed_pods(self) -> list[str]:
        """The uids of pods about which something is new since the last call."""
        with self._lock:
            changed, self._changed_pods = self._changed_pods, {}
        return list(changed)

    # What reflectors tell, each on its own thread

    def _since(self, listed: bool, known_before: bool) -> int:
        """From when on what we were told holds: our start if the first list says it, else now."""
        return self._started if listed and not known_before else self._now_ns()

    def pod_changed(self, old: PodFacts | None, new: PodFacts | None, listed: bool = False) -> None:
        """A pod of this node is new, changed or gone; the kubelet may say so, too."""
        self._pod_changed(old, new, listed)

    def _pod_changed(self, old: PodFacts | None, new: PodFacts | None, listed: bool) -> None:
        now = self._now_ns()
        fact = new or old
        assert fact is not None
        gone = new is None or new.ended
        had = set(old.addresses) if old is not None and not old.ended else set()
        has = set(new.addresses) if new is not None and not new.ended else set()
        for address in had - has:
            self.book.release(address, fact.uid, now)
        first = listed and self.reflectors["pods"].state.lists == 0
        since = self._started if first else max(fact.running_ns or now, self._started)
        for address in has:
            self.book.hold(address, _holder(fact), min(since, now))
        with self._lock:
            if old is not None:
                for container_id, _, _ in old.containers:
                    self._by_container.pop(container_id, None)
            if new is None:
                self._pods.pop(fact.uid, None)
            else:
                self._pods[new.uid] = new
                for container_id, name, image in new.containers:
                    self._by_container[container_id] = (new, name, image)
            self._changed_pods[fact.uid] = None
            self.version += 1
        if new is not None and not gone:
            self.workload(new)

    def _service_changed(self, old: ServiceFacts | None, new: ServiceFacts | None, listed: bool) -> None:
        first = listed and self.reflectors["services"].state.lists == 0
        self.services.change(old, new)
        self._swap(
            old.addresses if old else (),
            new.addresses if new else (),
            None if old is None else old.uid,
            None if new is None else Holder("service", new.uid, new.name, new.namespace),
            first,
        )

    def _slice_changed(self, old: SliceFacts | None, new: SliceFacts | None, listed: bool) -> None:
        first = listed and self.reflectors["endpointslices"].state.lists == 0
        gone, come = self.services.change_slice(old, new)
        now = self._now_ns()
        for endpoint in gone:
            # Of this node's pods, the node itself knows better.
            if endpoint.pod_uid is not None and endpoint.pod_uid not in self._pods:
                self.book.release(endpoint.address, endpoint.pod_uid, now)
        for endpoint in come:
            if endpoint.pod_uid is not None and endpoint.pod_name is not None and not self._is_node(endpoint.address):
                holder = Holder("pod", endpoint.pod_uid, endpoint.pod_name, endpoint.namespace, endpoint.node)
                self.book.hold(endpoint.address, holder, self._started if first else now)
        self.version += 1

    def _node_changed(self, old: NodeFacts | None, new: NodeFacts | None, listed: bool) -> None:
        first = listed and self.reflectors["nodes"].state.lists == 0
        self._swap(
            old.addresses if old else (),
            new.addresses if new else (),
            None if old is None else old.uid,
            None if new is None else Holder("node", new.uid, new.name, None, new.name),
            first,
        )
        for address in new.addresses if new else ():
            for span in self.book.spans(address):
                if span.holder.kind == "pod" and span.until is None:  # said before we knew that it is the node's
                    self.book.release(address, span.holder.uid, span.since)
        nodes = list(self.reflectors["nodes"].objects.values())
        self._ranges = tuple(ip_network(text, strict=False) for node in nodes for text in node.pod_ranges)
        self.services.node_addresses = frozenset(
            key for node in nodes for text in node.addresses if (key := canonical(text)) is not None
        )

    def _namespace_changed(self, old: NamespaceFacts | None, new: NamespaceFacts | None, listed: bool) -> None:
        if new is not None and new.name == "kube-system":
            self.uid = new.uid

    def _swap(
        self, had: tuple[str, ...], has: tuple[str, ...], uid: str | None, holder: Holder | None, first: bool
    ) -> None:
        now = self._now_ns()
        for address in had:
            if uid is not None and (address not in has or holder is None or holder.uid != uid):
                self.book.release(address, uid, now)
        for address in has:
            if holder is not None:
                self.book.hold(address, holder, self._started if first else now)
        self.version += 1

    # Questions, on the thread of the look-ups

    def _learn_owner(self, pod: PodFacts) -> None:
        self.owners.learn(self._client, pod)
        self._note(pod)

    def _learn_pod(self, holder: Holder) -> None:
        path = f"/api/v1/namespaces/{quote(holder.namespace or '')}/pods/{quote(holder.name)}"
        try:
            found = facts.pod(self._client.get(path))
        except (Forbidden, Missing):
            return
        if found.uid == holder.uid:  # or it is another of the same name, as a StatefulSet makes them
            self.owners.learn(self._client, found)
            self._remember(found)

    def _learn_address(self, address: bytes) -> None:
        """Which pods have the address now: if that is one, it has had it since its first container ran."""
        text = str(ip_address(address[12:] if address[:12] == V4 else address))
        asked = self._now_ns()
        answer = self._client.get("/api/v1/pods", {"fieldSelector": f"status.podIP={text}", "limit": "10"})
        found = [facts.pod(item) for item in answer.get("items") or ()]
        holding = [pod for pod in found if not pod.ended and not pod.host_network and text in pod.addresses]
        if len(holding) != 1 or not holding[0].running_ns or holding[0].terminating:
            return
        pod = holding[0]
        self.owners.learn(self._client, pod)
        self._remember(pod)
        self.book.seen(address, _holder(pod), pod.running_ns, asked)
        with self._lock:
            self._asked[address] = (self._clock() + AGAIN_S, AGAIN_S)

    def _remember(self, pod: PodFacts) -> None:
        with self._lock:
            self._remote.pop(pod.uid, None)
            self._remote[pod.uid] = pod
            while len(self._remote) > REMOTE_PODS:
                self._remote.popitem(last=False)
        self._note(pod)

    def _note(self, pod: PodFacts) -> None:
        with self._lock:
            self._changed_pods[pod.uid] = None
            self.version += 1

    def _could_be_pod(self, address: bytes) -> bool:
        if self.reflectors["pods"].state.state == "forbidden":
            return False
        parsed = ip_address(address[12:] if address[:12] == V4 else address)
        if parsed.is_loopback or parsed.is_link_local or parsed.is_multicast or parsed.is_unspecified:
            return False
        if self._is_node(address):
            return False
        return any(parsed in each for each in self._ranges) if self._ranges else parsed.is_private

    def _is_node(self, address: str | bytes) -> bool:
        return canonical(address) in self.services.node_addresses


V4 = b"\0" * 10 + b"\xff\xff"


def _holder(pod: PodFacts) -> Holder:
    return Holder("pod", pod.uid, pod.name, pod.namespace, pod.node)


def _pods(node: str) -> Resource[PodFacts]:
    return Resource("pods", "/api/v1/pods", facts.pod, "owners, service names, annotations", f"spec.nodeName={node}")


SERVICES: Resource[ServiceFacts] = Resource(
    "services", "/api/v1/services", facts.service, "what a Service's address is called"
)
SLICES: Resource[SliceFacts] = Resource(
    "endpointslices", "/apis/discovery.k8s.io/v1/endpointslices", facts.endpoint_slice, "pods of other nodes",
    older=("/apis/discovery.k8s.io/v1beta1/endpointslices",),  # Kubernetes 1.17 to 1.24; v1 is of 1.21
)  # fmt: skip
NODES: Resource[NodeFacts] = Resource("nodes", "/api/v1/nodes", facts.node, "addresses of nodes, ranges of pods")
NAMESPACES: Resource[NamespaceFacts] = Resource(
    "namespaces", "/api/v1/namespaces", facts.namespace, "the cluster's uid", accept=METADATA_LIST
)


def resources(node: str) -> tuple[Resource[Any], ...]:
    """Everything that the agent of ``node`` lists and watches."""
    return (_pods(node), SERVICES, SLICES, NODES, NAMESPACES)
