"""SIGINT and SIGTERM as a request to stop, not as an exception in the middle of something."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from beespace.syscall.poll import Poller, Sleeper


@contextmanager
def stopped_by_signals(poller: Poller[str] | Sleeper, stop: Callable[[], object] = lambda: None) -> Iterator[list[int]]:
    """SIGINT and SIGTERM are noted, and wake the poller, instead of interrupting whatever runs.

    ``stop`` is called, too: by whoever runs, in the middle of it.
    """
    received: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        received.append(number)
        poller.wake()
        stop()

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
