"""Helpers on maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beespace.vm.errno import Errno, Refused
from beespace.vm.maps.map import Map
from beespace.vm.maps.of_maps import OfMaps
from beespace.vm.maps.queue import BloomFilter
from beespace.vm.memory import Violation

if TYPE_CHECKING:
    from beespace.vm.run import Run

__all__ = [
    "for_each_map_elem", "map_delete_elem", "map_lookup_elem", "map_lookup_percpu_elem", "map_peek_elem",
    "map_pop_elem", "map_push_elem", "map_update_elem",
]  # fmt: skip

_READ_ONLY = 0x80  # BPF_F_RDONLY_PROG


def _changed(run: Run, handle: int) -> Map:
    """The map, which the program may change."""
    map = run.machine.map(handle)
    if map.spec.flags & _READ_ONLY:
        raise Violation(f"changes map {map.spec.name!r}, which it may not")
    return map


def map_lookup_elem(run: Run, map: int, key: int) -> int:
    """The address of a value, or 0."""
    return _look(run, map, key, run.machine.inputs.cpu)


def map_lookup_percpu_elem(run: Run, map: int, key: int, cpu: int) -> int:
    """The address of a CPU's value, or 0.  Linux 5.19."""
    which = run.machine.map(map)
    if not which.per_cpu:
        raise Violation(f"looks for a CPU's value in map {which.spec.name!r}, which has one for all")
    return _look(run, map, key, cpu & 0xFFFFFFFF) if cpu & 0xFFFFFFFF < which.cpus else 0


def _look(run: Run, map: int, key: int, cpu: int) -> int:
    which = run.machine.map(map)
    wanted = run.memory.read(key, which.spec.key_size)
    if isinstance(which, OfMaps):
        inner = which.inner(wanted)
        return 0 if inner is None else run.machine.map_handle(run.machine.add_map(inner))
    try:
        element = which.lookup(wanted, cpu)
    except Refused:
        raise Violation(f"looks into map {which.spec.name!r}, which has no keys") from None
    return 0 if element is None else run.machine.address(which, element)


def map_update_elem(run: Run, map: int, key: int, value: int, flags: int) -> int:
    """Write a value."""
    which = _changed(run, map)
    content = run.memory.read(value, which.spec.value_size)
    try:
        which.update(run.memory.read(key, which.spec.key_size), content, flags, run.machine.inputs.cpu)
    except Refused as refused:
        return -refused.errno
    return 0


def map_delete_elem(run: Run, map: int, key: int) -> int:
    """Remove an element."""
    which = _changed(run, map)
    try:
        which.delete(run.memory.read(key, which.spec.key_size))
    except Refused as refused:
        return -refused.errno
    return 0


def map_push_elem(run: Run, map: int, value: int, flags: int) -> int:
    """Put a value into a queue, stack or filter.  Linux 4.20."""
    which = _changed(run, map)
    try:
        which.push(run.memory.read(value, which.spec.value_size), flags)
    except Refused as refused:
        return -refused.errno
    return 0


def map_pop_elem(run: Run, map: int, value: int) -> int:
    """Take a value; where there is none, the memory is zeroed.  Linux 4.20."""
    which = run.machine.map(map)
    try:
        run.memory.write(value, which.pop())
    except Refused as refused:
        if refused.errno is Errno.ENOENT:
            run.memory.write(value, bytes(which.spec.value_size))
        return -refused.errno
    return 0


def map_peek_elem(run: Run, map: int, value: int) -> int:
    """Look at the next value; of a filter, whether the value is in it.  Linux 4.20."""
    which = run.machine.map(map)
    filtered = isinstance(which, BloomFilter)
    asked = run.memory.read(value, which.spec.value_size) if filtered else b""
    try:
        found = which.peek(asked)
    except Refused as refused:
        if refused.errno is Errno.ENOENT and not filtered:
            run.memory.write(value, bytes(which.spec.value_size))
        return -refused.errno
    if not filtered:
        run.memory.write(value, found)
    return 0


def for_each_map_elem(run: Run, map: int, callback: int, context: int, flags: int) -> int:
    """Call a function with map, key, value and ``context`` for each element; how often it was.  Linux 5.13."""
    if flags:
        return -Errno.EINVAL
    which = run.machine.map(map)
    count = 0
    try:
        for key, element in which.elements(run.machine.inputs.cpu):
            count += 1
            with run.machine.lent("a key", key) as address:
                if run.callback(callback, map, address, run.machine.address(which, element), context):
                    break
    except Refused as refused:
        return -refused.errno
    return count
