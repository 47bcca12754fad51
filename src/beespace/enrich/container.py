"""Containers by id: what the runtime calls them, asked on a thread of our own, never by the caller.

A container that was asked for is looked up at once and then after 125 ms, 250 ms, 500 ms, 1 s and 2 s: a runtime
knows a new container a little later than the kernel.  What was found is kept after the container is gone.
"""

from __future__ import annotations

import heapq
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, Self

from beespace.enrich.changes import Changes

__all__ = ["Container", "ContainerSource", "Containers", "Pod", "SourceError"]

RETRY_S = (0.125, 0.25, 0.5, 1.0, 2.0)
GIVE_UP_S = 30.0  # after the last retry: how long until somebody who still asks makes us look again


@dataclass(frozen=True, slots=True)
class Container:
    """A container as its runtime describes it; None is unknown.

    ``sandbox``: it is the one that only holds a pod's namespaces (pause).  ``created_ns`` and ``valid_to`` are ns
    since 1970; a container without ``valid_to`` exists.
    """

    id: str
    runtime: str
    name: str | None = None
    image: str | None = None
    pod_name: str | None = None
    pod_uid: str | None = None
    namespace: str | None = None
    workload: str | None = None
    sandbox: bool = False
    created_ns: int | None = None
    valid_to: int | None = None
    workload_kind: str | None = None
    service_name: str | None = None


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod of this node.  ``addresses`` are its own (none if it uses the host's network).

    ``service_name`` is OpenTelemetry's ``service.name``, where the pod's annotations are known.
    """

    uid: str
    name: str
    namespace: str
    workload: str | None = None
    addresses: tuple[str, ...] = ()
    host_network: bool = False
    created_ns: int | None = None
    valid_to: int | None = None
    workload_kind: str | None = None
    service_name: str | None = None


class SourceError(Exception):
    """A runtime did not answer, or not sensibly.  Counted and shown, never raised to a caller of enrich."""


class ContainerSource(Protocol):
    """Somebody who knows containers.  Called on one thread only; may block for seconds, may raise SourceError."""

    @property
    def name(self) -> str:
        """What statistics call it."""

    def find(self, container_id: str) -> Container | None:
        """The container or sandbox of that id; None if it is not known here (yet)."""

    def running(self) -> set[str] | None:
        """The ids of all containers that exist now; None if it cannot tell or there is no such runtime."""

    def pods(self) -> Sequence[Pod]:
        """The pods that exist now, with their addresses as far as it knows them."""

    def close(self) -> None:
        """Give up connections."""


class Containers:
    """Looks containers up in ``sources``, first answer wins, and follows which containers and pods exist.

    The thread starts with the first question and ends with :meth:`close`.  At most ``pending_max`` look-ups wait
    (more are counted as ``dropped`` and looked up when asked for again); at most ``capacity`` answers are kept.
    """

    def __init__(
        self,
        sources: Sequence[ContainerSource],
        *,
        poll_s: float = 2.0,
        capacity: int = 16_384,
        pending_max: int = 1024,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        #: Told of each pod that is new, changed or gone: what was known of it, and what is.
        self.pod_changed: Callable[[Pod | None, Pod], None] = lambda old, new: None
        self._sources = tuple(sources)
        self._poll_s = poll_s
        self._capacity = capacity
        self._pending_max = pending_max
        self._now_ns = now_ns
        self._known: OrderedDict[str, Container] = OrderedDict()
        self._found_by: dict[str, ContainerSource] = {}
        self._pods: OrderedDict[str, Pod] = OrderedDict()
        self._pod_found_by: dict[str, str] = {}
        self._waiting: list[tuple[float, int, str]] = []  # heap: when due, attempt, id
        self._pending: set[str] = set()
        self._given_up: OrderedDict[str, float] = OrderedDict()
        self._errors = {source.name: 0 for source in self._sources}
        self._last_error: str | None = None
        self._lookups = self._dropped = self._polls = 0
        self._next_poll = 0.0
        self._changed = threading.Condition()
        self._stop = False
        self._thread: threading.Thread | None = None
        self._changes: Changes[str, Container] = Changes(capacity)
        self._pod_changes: Changes[str, Pod] = Changes(capacity)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def start(self) -> None:
        """Begin to follow the runtimes, so that names are known before they are asked for."""
        with self._changed:
            self._start()

    def close(self) -> None:
        """End the thread and the connections."""
        with self._changed:
            self._stop = True
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join(timeout=10)
        for source in self._sources:
            source.close()

    # What is asked; none of these waits for a runtime

    def get(self, container_id: str) -> Container | None:
        """The container, gone or not; None if it is not known (yet): then it is being looked up."""
        with self._changed:
            found = self._known.get(container_id)
            if found is not None:
                self._known.move_to_end(container_id)
            elif container_id not in self._pending:
                self._ask(container_id)
            return found

    def pod(self, uid: str) -> Pod | None:
        """The pod of that uid on this node, gone or not; None if it is not known."""
        with self._changed:
            return self._pods.get(uid)

    def of_pods(self, uids: Collection[str]) -> list[Container]:
        """The containers of those pods, gone or not, without sandboxes."""
        with self._changed:
            known = list(self._known.values())
        return [each for each in known if not each.sandbox and each.pod_uid in uids]

    def pods(self) -> list[Pod]:
        """Every pod that is known, those that are gone too."""
        with self._changed:
            return list(self._pods.values())

    def changes(self) -> tuple[list[Container], list[Pod]]:
        """Containers (without sandboxes) and pods that are new or changed since the last call."""
        with self._changed:
            return self._changes.take(), self._pod_changes.take()

    def settle(self, timeout_s: float = 5.0) -> bool:
        """Wait until no first look-up is due, and one poll was made since; for tests and for a command's last words.

        Returns whether that was so within ``timeout_s``.
        """
        deadline = time.monotonic() + timeout_s
        with self._changed:
            self._start()
            polls = self._polls
            self._next_poll = 0.0
            self._changed.notify_all()
            while self._polls == polls or any(attempt == 0 for _, attempt, _ in self._waiting):
                left = deadline - time.monotonic()
                if left <= 0 or self._stop or self._thread is None:
                    return False
                self._changed.wait(left)
            return True

    def observe(self, container: Container) -> None:
        """Somebody says what a container is; nobody is asked."""
        with self._changed:
            self._keep(container, _SAID)

    def observe_pod(self, pod: Pod) -> None:
        """The same of a pod."""
        with self._changed:
            self._keep_pod(pod, _SAID.name)

    def statistics(self) -> dict[str, int | str]:
        """Containers and pods known, look-ups made, waiting, given up and dropped, errors by source, the last error."""
        with self._changed:
            numbers: dict[str, int | str] = {
                "containers": len(self._known),
                "pods": len(self._pods),
                "lookups": self._lookups,
                "pending": len(self._pending),
                "not_found": len(self._given_up),
                "dropped": self._dropped,
                **{f"errors_{name}": count for name, count in self._errors.items()},
            }
            if self._last_error is not None:
                numbers["last_error"] = self._last_error
            return numbers

    # The thread

    def _start(self) -> None:
        if self._thread is None and self._sources and not self._stop:
            self._thread = threading.Thread(target=self._run, name="beespace-containers", daemon=True)
            self._thread.start()

    def _ask(self, container_id: str) -> None:
        if not self._sources or self._given_up.get(container_id, 0.0) > time.monotonic():
            return
        if len(self._pending) >= self._pending_max:
            self._dropped += 1
            return
        self._given_up.pop(container_id, None)
        self._start()
        self._pending.add(container_id)
        heapq.heappush(self._waiting, (time.monotonic(), 0, container_id))
        self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                while True:
                    if self._stop:
                        return
                    now = time.monotonic()
                    due = min(self._next_poll, self._waiting[0][0]) if self._waiting else self._next_poll
                    if due <= now:
                        break
                    self._changed.wait(due - now)
                task = None
                if self._next_poll <= now:
                    self._next_poll = now + self._poll_s
                else:
                    task = heapq.heappop(self._waiting)
            if task is None:
                self._poll()
            else:
                self._look_up(*task[1:])

    def _look_up(self, attempt: int, container_id: str) -> None:
        found, by = self._find(container_id)
        with self._changed:
            self._lookups += 1
            if found is not None and by is not None:
                self._pending.discard(container_id)
                self._keep(found, by)
                if found.pod_uid is not None and found.pod_uid not in self._pods:
                    self._next_poll = 0.0  # a pod we have not seen: learn its address soon
            elif attempt < len(RETRY_S):
                heapq.heappush(self._waiting, (time.monotonic() + RETRY_S[attempt], attempt + 1, container_id))
            else:
                self._pending.discard(container_id)
                self._given_up[container_id] = time.monotonic() + GIVE_UP_S
                while len(self._given_up) > self._capacity:
                    self._given_up.popitem(last=False)
            self._changed.notify_all()

    def _find(self, container_id: str) -> tuple[Container | None, ContainerSource | None]:
        for source in self._sources:
            if self._stop:
                break
            try:
                if found := source.find(container_id):
                    return found, source
            except Exception as error:  # whatever a runtime sends, the thread lives on and the error is shown
                self._count_error(source, error)
        return None, None

    def _poll(self) -> None:
        """Which containers and pods exist now: new ones are looked up, those that are gone get their end."""
        listed: dict[str, set[str]] = {}
        pods: dict[str, tuple[Pod, str]] = {}
        for source in self._sources:
            if self._stop:
                return
            try:
                ids = source.running()
                if ids is None:
                    continue
                present = source.pods()
            except Exception as error:  # as above
                self._count_error(source, error)
                continue
            listed[source.name] = ids
            for pod in present:
                pods.setdefault(pod.uid, (pod, source.name))
        with self._changed:
            for container_id in set().union(*listed.values()):
                if container_id not in self._known and container_id not in self._pending:
                    self._ask(container_id)
            for container in list(self._known.values()):
                source = self._found_by[container.id]
                ids = listed.get(source.name)
                if container.valid_to is None and ids is not None and container.id not in ids:
                    self._keep(replace(container, valid_to=self._now_ns()), source)
            self._follow(pods, listed.keys())
            self._polls += 1
            self._changed.notify_all()

    def _follow(self, present: Mapping[str, tuple[Pod, str]], answered: Collection[str]) -> None:
        """Note new and changed pods; those that are missing are gone, if the source that knew them did answer."""
        for uid, known in list(self._pods.items()):
            if uid not in present and known.valid_to is None and self._pod_found_by[uid] in answered:
                self._keep_pod(replace(known, valid_to=self._now_ns()), self._pod_found_by[uid])
        for pod, source in present.values():
            known_by = self._pod_found_by.get(pod.uid, source)
            # A lesser source may not overwrite what a better one, silent for the moment, said.
            if self._pods.get(pod.uid) != pod and (source == known_by or known_by in answered):
                self._keep_pod(pod, source)

    def _keep(self, container: Container, source: ContainerSource) -> None:
        self._known[container.id] = container
        self._found_by[container.id] = source
        if not container.sandbox:
            self._changes.note(container.id, container)
        while len(self._known) > self._capacity:
            forgotten, _ = self._known.popitem(last=False)
            del self._found_by[forgotten]

    def _keep_pod(self, pod: Pod, source: str) -> None:
        old = self._pods.get(pod.uid)
        self._pods[pod.uid] = pod
        self._pod_found_by[pod.uid] = source
        self._pod_changes.note(pod.uid, pod)
        self.pod_changed(old, pod)
        while len(self._pods) > self._capacity:
            forgotten, _ = self._pods.popitem(last=False)
            del self._pod_found_by[forgotten]

    def _count_error(self, source: ContainerSource, error: Exception) -> None:
        text = str(error) if isinstance(error, SourceError) else f"{type(error).__name__}: {error}"
        with self._changed:
            self._errors[source.name] += 1
            self._last_error = f"{source.name}: {text}"


class _Said:
    """The source of what nobody was asked for."""

    name = "said"

    def find(self, container_id: str) -> Container | None:
        """It answers nothing."""
        return None

    def running(self) -> set[str] | None:
        """It cannot tell."""
        return None

    def pods(self) -> Sequence[Pod]:
        """Those that it said."""
        return ()

    def close(self) -> None:
        """There is nothing to close."""


_SAID = _Said()
