"""How much a test may ask for where it runs: a guest of the kernel matrix is ten times slower than its host."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

__all__ = ["GUEST", "examples", "patience", "wait_for"]

GUEST = "BEESPACE_GUEST_TESTS" in os.environ  # set by tests/vm


def examples(count: int) -> int:
    """``max_examples`` of Hypothesis: a fifth in a guest, whose kernel is what is tried there, not the arithmetic."""
    return max(5, count // 5) if GUEST else count


def patience(seconds: float) -> float:
    """How long to wait for what should have happened long ago: two guests and their host share two CPUs."""
    return seconds * 5 if GUEST else seconds


def wait_for(condition: Callable[[], bool], what: str = "it did not come", seconds: float = 20) -> None:
    """Until ``condition`` holds; fails with ``what``."""
    end = time.monotonic() + patience(seconds)
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.02)
