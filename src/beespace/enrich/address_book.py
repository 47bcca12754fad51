"""Who had an address when: the spans of time in which a pod, a Service or a node held it.

Addresses are given out again, sometimes within a second.  So a look-up names a time, and gets a name only if exactly
one holder can have had the address then.  Where one span ends exactly (its last process was seen to go) and the next
begins before that, the first is right: an address is free only after that end.  Where the end was only noticed some
time later, nobody can tell, and nobody is named.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from beespace.enrich.canonical import canonical
from beespace.enrich.changes import Changes

__all__ = ["AddressBook", "Holder", "Span"]

SPANS = 8  # remembered of one address, the newest


@dataclass(frozen=True, slots=True)
class Holder:
    """A pod, Service or node, by ``uid``; None is unknown."""

    kind: str  # "pod", "service", "node"
    uid: str
    name: str
    namespace: str | None = None
    node: str | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """``holder`` had ``address`` from ``since`` (ns since 1970) until ``until``; None: it still has.

    ``exact``: the end is when it ended, not when we noticed.
    """

    address: bytes
    holder: Holder
    since: int
    until: int | None = None
    exact: bool = False

    def covers(self, at: int) -> bool:
        return self.since <= at and (self.until is None or at < self.until)


class AddressBook:
    """Spans by address (16 bytes, IPv4 mapped), at most ``capacity`` addresses; those unused longest go first.

    Safe in several threads.
    """

    def __init__(self, capacity: int = 262_144) -> None:
        self._capacity = capacity
        self._spans: OrderedDict[bytes, tuple[Span, ...]] = OrderedDict()
        self._held: dict[str, set[bytes]] = {}  # addresses by holder's uid
        self._changes: Changes[tuple[bytes, int], Span] = Changes(capacity)
        self._lock = threading.Lock()
        self.forgotten = 0

    def hold(self, address: str | bytes, holder: Holder, since: int) -> None:
        """``holder`` has the address from ``since`` on, until it is released.

        Said again of a holder that has it, nothing changes but what is known of the holder: who reads history must
        find one beginning for one span.  Where somebody else's span ended exactly after ``since``, it begins there.
        """
        key = canonical(address)
        if key is None:
            return
        with self._lock:
            spans = self._spans.get(key, ())
            for index, span in enumerate(spans):
                if span.holder.uid == holder.uid and span.until is None:
                    if span.holder != holder:
                        self._replace(key, index, replace(span, holder=holder))
                    return
            since = max((since, *(span.until for span in spans if span.until is not None and span.exact)))
            self._add(key, Span(key, holder, _unlike(since, spans)))

    def seen(self, address: str | bytes, holder: Holder, since: int, until: int) -> None:
        """``holder`` had the address from ``since`` until ``until`` at least; said again, until later.

        What is known of that time already stays as it is, and the rest is added: history tells spans apart by their
        beginning, and no two of one holder overlap.
        """
        key = canonical(address)
        if key is None:
            return
        with self._lock:
            spans = self._spans.get(key, ())
            mine = [(index, span) for index, span in enumerate(spans) if span.holder.uid == holder.uid]
            begun = [span.since for _, span in mine] + [max(since, until)]
            reached = False
            for (index, span), following in zip(mine, begun[1:], strict=True):
                reached = span.until is None or since <= span.until
                if reached and span.until is not None and span.until < following:
                    self._replace(key, index, replace(span, holder=holder, until=following))
            if mine and since // 1000 < begun[0] // 1000:
                self._add(key, Span(key, holder, _unlike(since, spans), begun[0]))
            elif not reached:
                since = _unlike(since, spans)
                self._add(key, Span(key, holder, since, max(since, until)))

    def release(self, address: str | bytes, uid: str, at: int, *, exact: bool = False) -> None:
        """The holder of that uid has the address no longer, at ``at``; ``exact``: it ended then."""
        key = canonical(address)
        if key is None:
            return
        with self._lock:
            for index, span in reversed(list(enumerate(self._spans.get(key, ())))):
                if span.holder.uid == uid:  # the last one: those before have ended long ago
                    if span.until is None or (exact and not span.exact):
                        self._replace(key, index, replace(span, until=max(at, span.since), exact=exact))
                    return

    def at(self, address: str | bytes, at: int) -> Holder | None:
        """Who had the address at ``at`` (ns since 1970); None if nobody is known to, or several may have.

        What pods share with their node is the node's: EndpointSlices may tell of them before Nodes do.
        """
        key = canonical(address)
        if key is None:
            return None
        with self._lock:
            held = [span for span in self._spans.get(key, ()) if span.covers(at)]
        if not held:
            return None
        held = [span for span in held if span.holder.kind == "node"] or held
        first = min(held, key=lambda span: span.since)
        others = {span.holder.uid for span in held} - {first.holder.uid}
        return first.holder if not others or (first.until is not None and first.exact) else None

    def spans(self, address: str | bytes) -> tuple[Span, ...]:
        """Everybody who is known to have had the address, oldest first."""
        key = canonical(address)
        with self._lock:
            return self._spans.get(key, ()) if key is not None else ()

    def known(self, address: str | bytes) -> bool:
        """Whether anybody is known to have or have had the address."""
        return bool(self.spans(address))

    def held(self, addresses: Iterable[bytes | None]) -> set[bytes]:
        """Those of ``addresses`` (16 bytes) that anybody is known to have or have had."""
        with self._lock:
            return {address for address in addresses if address is not None and address in self._spans}

    def of_pods(self, uids: Collection[str]) -> list[Span]:
        """The spans of those pods."""
        with self._lock:
            return [span for uid in uids for span in self._spans_of(uid)]

    def take_changes(self) -> list[Span]:
        """The spans that are new or changed since the last call."""
        with self._lock:
            return self._changes.take()

    def __len__(self) -> int:
        return len(self._spans)

    def _add(self, key: bytes, made: Span) -> None:
        spans = sorted((*self._spans.get(key, ()), made), key=lambda span: span.since)
        self._keep(key, tuple(spans[-SPANS:]), made)

    def _replace(self, key: bytes, index: int, known: Span) -> None:
        spans = self._spans[key]
        self._keep(key, (*spans[:index], known, *spans[index + 1 :]), known)

    def _keep(self, key: bytes, spans: tuple[Span, ...], changed: Span) -> None:
        for gone in self._spans.get(key, ()):
            if all(gone.holder.uid != span.holder.uid for span in spans):
                self._drop(gone)
        self._spans[key] = spans
        self._spans.move_to_end(key)
        self._held.setdefault(changed.holder.uid, set()).add(key)
        self._changes.note((key, changed.since), changed)
        while len(self._spans) > self._capacity:
            _, forgotten = self._spans.popitem(last=False)
            for span in forgotten:
                self._drop(span)
            self.forgotten += 1

    def _drop(self, span: Span) -> None:
        held = self._held.get(span.holder.uid)
        if held is not None:
            held.discard(span.address)
            if not held:
                del self._held[span.holder.uid]

    def _spans_of(self, uid: str) -> list[Span]:
        return [span for key in self._held.get(uid, ()) for span in self._spans.get(key, ()) if span.holder.uid == uid]


def _unlike(since: int, spans: tuple[Span, ...]) -> int:
    """A beginning that no other span of the address has, to the microsecond: history tells spans apart by it."""
    taken = {span.since // 1000 for span in spans}
    while since // 1000 in taken:
        since += 1000
    return since
