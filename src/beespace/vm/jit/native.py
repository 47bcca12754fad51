"""``Native``: who compiles text in LLVM's language for this machine, and runs it in this process.

A seam: :mod:`beespace.vm` makes no system calls and knows no LLVM, so it is told how.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

__all__ = ["Native", "Pinned"]


class Pinned(Protocol):
    """Memory that neither moves nor goes as long as this is kept."""

    @property
    def address(self) -> int:
        """Where it is in this process."""


class Native(Protocol):
    """Native code."""

    def compile(self, text: str) -> Mapping[str, Callable[[int], int]]:
        """The functions of a module, ``i32 (ptr)`` each.  The same text is compiled once."""

    def pin(self, data: bytearray | memoryview) -> Pinned:
        """Hold memory, which is not empty, where it is."""

    def callback(self, function: Callable[[int, int, int], int]) -> Pinned:
        """A function for native code, ``i32 (ptr, i64, i64)``, the numbers unsigned; it must not raise."""
