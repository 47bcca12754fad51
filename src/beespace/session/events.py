"""Events of several rings in the order they are found, until a time or a signal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from beespace.session.signals import stopped_by_signals
from beespace.syscall.poll import Poller


class Source(Protocol):
    """A ring of a program class or the events of an object."""

    def fileno(self) -> int: ...

    def available(self) -> Iterator[Any]: ...


def follow(
    rings: Mapping[str, Source], duration: float | None, begun: Callable[[], None] = lambda: None
) -> Iterator[tuple[str, Any]]:
    """Events with their ring's name for ``duration`` seconds (None: until SIGINT or SIGTERM).

    ``begun`` is called when signals end it.
    """
    end = None if duration is None else time.monotonic() + duration
    with Poller[str]() as poller, stopped_by_signals(poller) as stopped:
        for name, ring in rings.items():
            poller.register(ring.fileno(), name)
        begun()
        while not stopped:
            left = None if end is None else end - time.monotonic()
            if left is not None and left <= 0:
                break
            poller.wait(left)
            for name, ring in rings.items():
                for event in ring.available():
                    yield name, event
