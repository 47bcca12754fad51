"""Storage that belongs to a task, a file, a socket or a cgroup, and ends with it.

SK_STORAGE (Linux 5.2), INODE_STORAGE (5.10), TASK_STORAGE (5.11), CGRP_STORAGE (6.2).
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from beespace.errors import KernelError, UsageError
from beespace.isa.constants import UpdateFlag
from beespace.kernel.maps.base import Container, write_flags
from beespace.syscall import Descriptor
from beespace.typed import Any

__all__ = ["CgroupStorage", "InodeStorage", "SocketStorage", "TaskStorage"]

_MISSING: Any = object()


class Storage(Container):
    """Values by the thing that they belong to.  The kernel cannot list them, so this is no mapping.

    A thing without a value is :class:`KeyError`.  Whatever has ``fileno()`` is taken for a descriptor of it.
    """

    _what = "a thing"

    def _open(self, owner: Any) -> Descriptor | None:
        """A descriptor of ``owner`` that is closed after its use; ``None``: it is no name of one."""
        return None

    @contextmanager
    def key_of(self, owner: Any) -> Iterator[bytes]:
        """The key that stands for ``owner`` while this lasts: the number of a descriptor of it."""
        if hasattr(owner, "fileno"):
            yield owner.fileno().to_bytes(4, sys.byteorder)
            return
        opened = self._open(owner)
        if opened is None:
            raise UsageError(f"map {self.name!r} belongs to {self._what}, which {owner!r} is not")
        with opened:
            yield opened.fileno().to_bytes(4, sys.byteorder)

    def __getitem__(self, owner: Any) -> Any:
        found = self.get(owner, _MISSING)
        if found is _MISSING:
            raise KeyError(owner)
        return found

    def get(self, owner: Any, default: Any = None, *, locked: bool = False) -> Any:
        """The value of ``owner``, or ``default``; ``locked`` takes the value's ``bpf_spin_lock`` meanwhile."""
        with self.key_of(owner) as key:
            data = self.raw.get(key, UpdateFlag.LOCK if locked else 0)
        return default if data is None else self.value.decode(data)

    def __contains__(self, owner: object) -> bool:
        with self.key_of(owner) as key:
            return self.raw.get(key) is not None

    def __setitem__(self, owner: Any, value: Any) -> None:
        self.put(owner, value)

    def put(self, owner: Any, value: Any, *, locked: bool = False) -> None:
        """As ``storage[owner] = value``; ``locked`` holds the value's ``bpf_spin_lock`` meanwhile."""
        with self.key_of(owner) as key:
            self.raw.update(key, self.value.encode(value), write_flags(UpdateFlag.ANY, locked))

    def add(self, owner: Any, value: Any) -> bool:
        """Write a value only if there is none; whether it was written."""
        return self._written(owner, value, UpdateFlag.NOEXIST, errno.EEXIST)

    def replace(self, owner: Any, value: Any) -> bool:
        """Write a value only if there is one; whether it was written."""
        return self._written(owner, value, UpdateFlag.EXIST, errno.ENOENT)

    def _written(self, owner: Any, value: Any, kind: UpdateFlag, refused: int) -> bool:
        with self.key_of(owner) as key:
            try:
                self.raw.update(key, self.value.encode(value), int(kind))
            except KernelError as error:
                if error.errno != refused:
                    raise
                return False
        return True

    def __delitem__(self, owner: Any) -> None:
        with self.key_of(owner) as key:
            if not self.raw.delete(key):
                raise KeyError(owner)

    def pop(self, owner: Any, default: Any = _MISSING) -> Any:
        """Take a value out, else ``default``, else :class:`KeyError`.  Not in one step."""
        with self.key_of(owner) as key:
            data = self.raw.get(key)
            if data is not None and self.raw.delete(key):
                return self.value.decode(data)
        if default is _MISSING:
            raise KeyError(owner)
        return default


class TaskStorage(Storage):
    """Values by process: its pid (of a thread group leader; the kernel's word for it is pidfd), or an open pidfd.

    A bare integer is a pid, so wrap the number of a pidfd in something that has ``fileno()``.
    """

    _what = "a process (its pid, or an object with the fileno() of a pidfd)"

    def _open(self, owner: Any) -> Descriptor | None:
        if not isinstance(owner, int):
            return None
        try:
            return Descriptor(os.pidfd_open(owner), f"pidfd of {owner}")
        except ProcessLookupError:
            raise UsageError(f"there is no process {owner}") from None
        except OSError as error:
            raise UsageError(f"{owner} is no process: {error.strerror}", help="threads have no pidfd") from error


class _ByPath(Storage):
    """Values by a path, or by a descriptor (its number, too)."""

    def _open(self, owner: Any) -> Descriptor | None:
        if isinstance(owner, int):
            return Descriptor(os.dup(owner), self._what)
        if not isinstance(owner, str | os.PathLike):
            return None
        try:
            return Descriptor(os.open(owner, os.O_RDONLY | os.O_CLOEXEC), os.fspath(owner))
        except OSError as error:
            raise UsageError(f"cannot open {os.fspath(owner)!r}: {error.strerror}") from error


class InodeStorage(_ByPath):
    """Values by file: a path, an open file, or a descriptor."""

    _what = "a file (path, open file or descriptor)"


class CgroupStorage(_ByPath):
    """Values by cgroup (v2): the path of its directory, or a descriptor of it."""

    _what = "a cgroup (path or descriptor of its directory)"


class SocketStorage(_ByPath):
    """Values by socket: the socket, or its descriptor."""

    _what = "a socket"

    def _open(self, owner: Any) -> Descriptor | None:
        return super()._open(owner) if isinstance(owner, int) else None
