"""How deeply a program may be nested: a long chain of `elif` or of additions is a deep tree.

What reads the tree calls itself once for each level.  Reading gets room for some hundred levels, and more of them are a
mistake with a place; what works on the result gets so much more room that it never runs out first.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["READING", "WRITING", "room"]

READING = 4_000
WRITING = 16_000


@contextmanager
def room(frames: int) -> Iterator[None]:
    """At least so many calls inside of each other."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, frames))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)
