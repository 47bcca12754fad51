"""Helpers on maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beespace.vm.errno import Errno, Refused

if TYPE_CHECKING:
    from beespace.vm.run import Run

__all__ = ["for_each_map_elem", "map_delete_elem", "map_lookup_elem", "map_update_elem"]


def map_lookup_elem(run: Run, map: int, key: int) -> int:
    """The address of a value, or 0."""
    which = run.machine.map(map)
    element = which.lookup(run.memory.read(key, which.spec.key_size), run.machine.inputs.cpu)
    return 0 if element is None else run.machine.address(which, element)


def map_update_elem(run: Run, map: int, key: int, value: int, flags: int) -> int:
    """Write a value."""
    which = run.machine.map(map)
    content = run.memory.read(value, which.spec.value_size)
    try:
        which.update(run.memory.read(key, which.spec.key_size), content, flags, run.machine.inputs.cpu)
    except Refused as refused:
        return -refused.errno
    return 0


def map_delete_elem(run: Run, map: int, key: int) -> int:
    """Remove an element."""
    which = run.machine.map(map)
    try:
        which.delete(run.memory.read(key, which.spec.key_size))
    except Refused as refused:
        return -refused.errno
    return 0


def for_each_map_elem(run: Run, map: int, callback: int, context: int, flags: int) -> int:
    """Call a function with map, key, value and ``context`` for each element; how often it was.  Linux 5.13."""
    if flags:
        return -Errno.EINVAL
    which = run.machine.map(map)
    count = 0
    for key, element in which.elements(run.machine.inputs.cpu):
        count += 1
        with run.lent("a key", key) as address:
            if run.callback(callback, map, address, run.machine.address(which, element), context):
                break
    return count
