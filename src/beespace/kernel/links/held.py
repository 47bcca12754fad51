"""The program at a place where the kernel keeps no link: held, so that it can be named when it is detached."""

from __future__ import annotations

import os

from beespace.syscall import Descriptor, HasFileno
from beespace.typed import Self

__all__ = ["Held"]


class Held:
    """A descriptor of the program that is attached at the moment."""

    def __init__(self, program: HasFileno) -> None:
        self._descriptor = _duplicate(program)

    def fileno(self) -> int:
        return self._descriptor.fileno()

    def change(self, program: HasFileno) -> None:
        """Hold another one from now on."""
        before, self._descriptor = self._descriptor, _duplicate(program)
        before.close()

    def close(self) -> None:
        self._descriptor.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _duplicate(program: HasFileno) -> Descriptor:
    return Descriptor(os.dup(program.fileno()), "attached program")
