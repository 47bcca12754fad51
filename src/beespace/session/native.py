"""Native code for the machine: LLVM makes it, pages of this process hold it.

What :mod:`beespace.vm.jit` asks for; it stays pure.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from functools import cache

from beespace.compiler.worker import Worker
from beespace.elf.native import read_native
from beespace.syscall.native import Callback, NativeCode, Pinned

__all__ = ["NativeCompiler", "native"]


class NativeCompiler:
    """A :class:`beespace.vm.jit.Native`.  LLVM's process stays for the next program, and goes when this does."""

    def __init__(self) -> None:
        self._worker = Worker("native")
        weakref.finalize(self, self._worker.close)  # and when Python ends
        self._compiled: dict[str, Mapping[str, Callable[[int], int]]] = {}

    def compile(self, text: str) -> Mapping[str, Callable[[int], int]]:
        """The functions of a module.  ``BeespaceError`` where LLVM is not installed."""
        if text not in self._compiled:
            code, offsets = read_native(self._worker.compile(text, "program"))
            mapped = NativeCode(code)
            self._compiled[text] = {name: mapped.function(offset) for name, offset in offsets.items()}
        return self._compiled[text]

    def pin(self, data: bytearray | memoryview) -> Pinned:
        """Hold memory where it is."""
        return Pinned(data)

    def callback(self, function: Callable[[int, int, int], int]) -> Callback:
        """A function for native code."""
        return Callback(function)


@cache
def native() -> NativeCompiler:
    """The one of this process: programs are compiled once."""
    return NativeCompiler()
