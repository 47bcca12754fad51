"""``Rate``: how many a second."""

from __future__ import annotations

import time
from typing import Any

from beespace.lang.maps.counter import Counter

__all__ = ["Rate"]


class Rate(Counter):
    """A counter that tells how fast it grows.  In the kernel ``self.rate += n``.  Linux 4.6."""

    def __init__(self) -> None:
        super().__init__()
        self._before = (0.0, 0)
        self._since = (0.0, 0)

    def attach_backend(self, backend: Any) -> None:
        super().attach_backend(backend)
        self._before = self._since = (time.monotonic(), self.value)

    def per_second(self) -> float:
        """The rate since this was last asked, or since the start; 0 if no time has passed."""
        now = (time.monotonic(), self.value)
        before, self._before = self._before, now
        return _slope(before, now)

    @property
    def mean(self) -> float:
        """The rate since the start."""
        return _slope(self._since, (time.monotonic(), self.value))

    def plain(self) -> Any:
        return {"total": self.value, "per_second": self.mean}

    def render(self) -> str:
        return f"{self.name}: {self.value:,} ({self.mean:,.1f}/s)"


def _slope(before: tuple[float, int], now: tuple[float, int]) -> float:
    passed = now[0] - before[0]
    return (now[1] - before[1]) / passed if passed > 0 else 0.0
