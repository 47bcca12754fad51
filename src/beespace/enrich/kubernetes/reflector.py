"""One kind of object, kept as the API server has it: list once, then watch; list again when that cannot go on.

What can happen, and what is done (Kubernetes API concepts, "Efficient detection of changes"):

* the stream ends, breaks, or is silent for too long: watch again from the last version that was seen;
* 410 Gone, as an answer or as an event: what we know is too old; list again, and take the difference;
* 429, or 503 with a time: wait as long as the server says;
* 401: the token has expired; it is read again for the next request;
* 404 (the server has no such kind): try where older servers have it;
* 403, or 404 everywhere: go on without, ask again every few minutes, say what is missing;
* anything else: wait longer each time, up to half a minute, and never in step with other agents.

The versions of bookmarks are remembered, so that after a long quiet time the server still has what came since.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from beespace.enrich.kubernetes.client import (
    ApiError,
    Client,
    Expired,
    Forbidden,
    Missing,
    Throttled,
    Unauthorized,
)

__all__ = ["Fact", "Reflector", "Resource", "State"]

PAGE = 500
FIRST_S, LONGEST_S = 0.5, 30.0
DENIED_S = 300.0  # until we ask again for what we may not read
WATCH_S = (240, 480)  # how long one stream may take; each asks for another time


class Fact(Protocol):
    """What is kept of an object; the same ``key`` is the same object."""

    @property
    def key(self) -> str: ...


F = TypeVar("F", bound=Fact)


@dataclass(frozen=True, slots=True)
class Resource(Generic[F]):
    """A kind of object: where it is listed, what is kept of it, and what is missing without it.

    ``older``: where servers have it that do not have ``path``; ``facts`` reads what those send, too.
    """

    name: str
    path: str
    facts: Callable[[Mapping[str, Any]], F]
    lacking: str
    selector: str = ""  # fieldSelector
    accept: str = "application/json"
    older: tuple[str, ...] = ()

    @property
    def paths(self) -> tuple[str, ...]:
        """Everywhere that it may be, the newest first."""
        return (self.path, *self.older)


@dataclass(slots=True)
class State:
    """How a reflector fares.  ``contact``: when the server last answered or sent something (monotonic, s)."""

    state: str = "starting"  # starting, current, behind, forbidden, absent
    why: str = ""
    contact: float = 0.0
    objects: int = 0
    lists: int = 0
    events: int = 0
    errors: int = 0
    odd: int = 0  # objects that could not be read


class Reflector(Generic[F]):
    """Follows one :class:`Resource`.  ``changed(old, new, listed)`` is told of each difference, on our thread.

    ``listed`` says that the difference was found by a list: nobody knows when it came about.
    """

    def __init__(
        self,
        client: Client,
        resource: Resource[F],
        changed: Callable[[F | None, F | None, bool], None],
        *,
        first_s: float = FIRST_S,
        longest_s: float = LONGEST_S,
        denied_s: float = DENIED_S,
        page: int = PAGE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.resource = resource
        self.state = State()
        self.objects: dict[str, F] = {}
        self._client = client
        self._changed = changed
        self._first_s, self._longest_s, self._denied_s, self._page = first_s, longest_s, denied_s, page
        self._clock = clock
        self._version: str | None = None  # where to watch from; None: list first
        self._newest = False  # the next list must not come from a cache that may be behind
        self._paths = list(resource.paths)  # the first is asked
        self._nowhere = 0  # so many of them were not there, one after the other
        self._failures = 0
        self._stop = threading.Event()
        self.synced = threading.Event()  # a whole list was taken in, or is not to be had
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, on a thread of our own."""
        self._thread = threading.Thread(target=self._run, name=f"beespace-{self.resource.name}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End; close the client first, which wakes us."""
        self._stop.set()

    def join(self, timeout_s: float) -> None:
        """Wait for the thread's end."""
        if self._thread is not None:
            self._thread.join(timeout_s)

    @property
    def path(self) -> str:
        """Where the server has it, or is asked for it next."""
        return self._paths[0]

    # The thread

    def _run(self) -> None:
        while not self._stop.is_set():
            wait = self._once()
            if wait:
                self._stop.wait(wait)

    def _once(self) -> float:
        """One list or one watch; how long to wait before the next."""
        state = self.state
        try:
            if self._version is None:
                self._list()
            self._watch()
        except Expired as error:
            self._version, self._newest = None, True
            return self._failed("behind", error)
        except Throttled as error:
            self._note("behind", error)
            return error.after + random.uniform(0, self._first_s)
        except Unauthorized as error:
            return self._failed("behind", error)
        except (Forbidden, Missing) as error:
            if isinstance(error, Missing) and self._elsewhere():
                return 0.0
            self._drop_all()
            self._note("forbidden" if isinstance(error, Forbidden) else "absent", error)
            self._version = None
            self.synced.set()
            return self._denied_s * random.uniform(0.8, 1.2)
        except ApiError as error:
            return self._failed("behind", error)
        except Exception as error:  # whatever a server sends: the thread lives on, and says it
            self._version = None
            return self._failed("behind", error)
        state.state, state.why = "current", ""
        return 0.0

    def _list(self) -> None:
        """Take in everything; several pages that together are one version."""
        found: dict[str, F] = {}
        query = {"limit": str(self._page), **self._selection()}
        if not self._newest:
            query["resourceVersion"] = "0"  # the server's cache will do
        while True:
            answer = self._client.get(self.path, query, accept=self.resource.accept)
            self._heard()
            for item in answer.get("items") or ():
                fact = self._read(item)
                if fact is not None:
                    found[fact.key] = fact
            meta = answer.get("metadata") or {}
            if not meta.get("continue"):
                break
            query = {"limit": str(self._page), "continue": str(meta["continue"]), **self._selection()}
        for key in [key for key in self.objects if key not in found]:
            self._apply(key, None, listed=True)
        for key, fact in found.items():
            self._apply(key, fact, listed=True)
        self._version = str(meta["resourceVersion"])
        self._newest = False
        self.state.lists += 1
        self._fine()
        self.synced.set()

    def _watch(self) -> None:
        query = {
            "resourceVersion": self._version or "0",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(random.randint(*WATCH_S)),
            **self._selection(),
        }
        began, any_event = self._clock(), False
        for event in self._client.watch(self.path, query, accept=self.resource.accept, opened=self._opened):
            self._heard()
            self._fine()
            any_event = True
            kind, item = event.get("type"), event.get("object") or {}
            if kind in ("ADDED", "MODIFIED", "DELETED"):
                self.state.events += 1
                fact = self._read(item)
                if fact is not None:
                    self._apply(fact.key, None if kind == "DELETED" else fact)
            version = (item.get("metadata") or {}).get("resourceVersion")
            if version:
                self._version = str(version)
        self._heard()
        if not any_event and self._clock() - began < 1.0:
            raise ApiError(f"{self.path}: the watch ended at once")

    def _elsewhere(self) -> bool:
        """Ask at the next path; False if it was not at any of them.  An update may move it either way."""
        self._paths.append(self._paths.pop(0))
        self._version = None
        self._nowhere += 1
        if self._nowhere < len(self._paths):
            return True
        self._nowhere = 0
        return False

    def _selection(self) -> dict[str, str]:
        return {"fieldSelector": self.resource.selector} if self.resource.selector else {}

    def _read(self, item: Mapping[str, Any]) -> F | None:
        try:
            return self.resource.facts(item)
        except (KeyError, TypeError, ValueError, AttributeError):
            self.state.odd += 1
            return None

    def _apply(self, key: str, fact: F | None, *, listed: bool = False) -> None:
        old = self.objects.get(key)
        if old == fact:
            return
        if fact is None:
            del self.objects[key]
        else:
            self.objects[key] = fact
        self.state.objects = len(self.objects)
        self._changed(old, fact, listed)

    def _drop_all(self) -> None:
        for key in list(self.objects):
            self._apply(key, None, listed=True)

    def _opened(self) -> None:
        """The server goes on where we were: what we have is what it has, also if nothing happens for long."""
        self._heard()
        self.state.state, self.state.why = "current", ""

    def _heard(self) -> None:
        self.state.contact = self._clock()

    def _fine(self) -> None:
        self._failures = self._nowhere = 0
        self.state.state, self.state.why = "current", ""

    def _note(self, state: str, error: Exception) -> None:
        self.state.errors += 1
        self.state.state = state
        self.state.why = str(error) if isinstance(error, ApiError) else f"{type(error).__name__}: {error}"

    def _failed(self, state: str, error: Exception) -> float:
        self._note(state, error)
        longest = min(self._longest_s, self._first_s * 2**self._failures)
        self._failures = min(self._failures + 1, 16)
        return random.uniform(longest / 2, longest)
