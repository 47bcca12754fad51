"""Owning file descriptors."""

from __future__ import annotations

import os
import warnings

from beespace.typed import Protocol, TypeAlias


class HasFileno(Protocol):
    """Anything with a file descriptor: a :class:`Descriptor`, a socket, an open file."""

    def fileno(self) -> int:
        """The number of the open descriptor."""


Fd: TypeAlias = int | HasFileno
"""What functions of this room take as a file descriptor; they never close it."""


def number(fd: Fd | None, absent: int = 0) -> int:
    """The number of ``fd``; ``absent`` for ``None``."""
    if fd is None:
        return absent
    return fd if isinstance(fd, int) else fd.fileno()


class Descriptor:
    """Owns one file descriptor: a BPF object, a perf event, a detached mount.

    The kernel made it close-on-exec.  Closing is the owner's duty: a descriptor that is collected
    while open is closed then, with a :class:`ResourceWarning`.
    """

    __slots__ = ("__weakref__", "_fd", "_what")

    def __init__(self, fd: int, what: str = "descriptor") -> None:
        self._fd = fd
        self._what = what

    def fileno(self) -> int:
        """The number; :class:`ValueError` once closed."""
        if self._fd < 0:
            raise ValueError(f"this {self._what} is closed")
        return self._fd

    @property
    def closed(self) -> bool:
        """Whether :meth:`close` or :meth:`detach` was called."""
        return self._fd < 0

    def close(self) -> None:
        """Close the descriptor.  Calling it again does nothing."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def detach(self) -> int:
        """Give the number to the caller, who must close it; this object is closed then."""
        fd = self.fileno()
        self._fd = -1
        return fd

    def duplicate(self) -> Descriptor:
        """A second descriptor of the same kernel object, close-on-exec as well."""
        return Descriptor(os.dup(self.fileno()), self._what)

    def __enter__(self) -> Descriptor:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{self._what}, closed>" if self.closed else f"<{self._what}, fd {self._fd}>"

    def __del__(self) -> None:
        if getattr(self, "_fd", -1) >= 0:
            warnings.warn(f"{self!r} was never closed", ResourceWarning, stacklevel=2, source=self)
            self.close()
