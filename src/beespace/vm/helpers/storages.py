"""Helpers on storage of kernel objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beespace.vm.errno import Errno
from beespace.vm.maps.storage import Storage
from beespace.vm.memory import Violation

if TYPE_CHECKING:
    from beespace.vm.run import Run

__all__ = [
    "cgrp_storage_delete", "cgrp_storage_get", "inode_storage_delete", "inode_storage_get", "sk_storage_delete",
    "sk_storage_get", "task_storage_delete", "task_storage_get",
]  # fmt: skip

_CREATE = 1  # BPF_LOCAL_STORAGE_GET_F_CREATE


def _storage(run: Run, handle: int) -> Storage:
    map = run.machine.map(handle)
    if not isinstance(map, Storage):
        raise Violation(f"takes map {map.spec.name!r} for a storage")
    return map


def _key(run: Run, owner: int) -> int:
    """What an object is known by: a socket has several addresses."""
    socket = run.machine.sockets.find(owner)
    return owner if socket is None else run.machine.sockets.address(socket)


def task_storage_get(run: Run, map: int, owner: int, value: int, flags: int) -> int:
    """The address of an object's value, or 0; it is made where flags say so, from ``value`` or of zeros."""
    which = _storage(run, map)
    if not owner or flags & ~_CREATE:
        return 0
    initial = None
    if flags & _CREATE:
        initial = run.memory.read(value, which.spec.value_size) if value else bytes(which.spec.value_size)
    element = which.get(_key(run, owner), initial)
    return 0 if element is None else run.machine.address(which, element)


def task_storage_delete(run: Run, map: int, owner: int) -> int:
    """Remove an object's value."""
    which = _storage(run, map)
    if not owner:
        return -Errno.EINVAL
    return 0 if which.drop(_key(run, owner)) else -Errno.ENOENT


sk_storage_get = inode_storage_get = cgrp_storage_get = task_storage_get
sk_storage_delete = inode_storage_delete = cgrp_storage_delete = task_storage_delete
