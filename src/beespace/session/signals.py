"""SIGINT and SIGTERM as a request to stop, not as an exception in the middle of something."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from beespace.syscall.poll import Poller


@contextmanager
def stopped_by_signals(poller: Poller[str]) -> Iterator[list[int]]:
    """SIGINT and SIGTERM are noted, and wake the poller, instead of interrupting whatever runs."""
    received: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        received.append(number)
        poller.wake()

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
