"""Helpers that walk stacks: those that the test says there are (:class:`~beespace.vm.inputs.Inputs`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from beespace.vm.errno import Errno
from beespace.vm.maps.stack_traces import StackTraces
from beespace.vm.memory import Violation

if TYPE_CHECKING:
    from beespace.vm.run import Run

__all__ = ["get_stack", "get_stackid"]

# include/uapi/linux/bpf.h: BPF_F_SKIP_FIELD_MASK and so on.
_SKIP, _USER, _FAST, _REUSE, _BUILD_ID = 0xFF, 1 << 8, 1 << 9, 1 << 10, 1 << 11


def _stack(run: Run, flags: int) -> Sequence[int]:
    inputs = run.machine.inputs
    return (inputs.user_stack if flags & _USER else inputs.kernel_stack)[flags & _SKIP :]


def get_stackid(run: Run, context: int, handle: int, flags: int) -> int:
    """The number of the current stack in a map; ``EFAULT`` where there is none, ``EEXIST`` if its place is taken."""
    map = run.machine.map(handle)
    if not isinstance(map, StackTraces):
        raise Violation(f"takes map {map.spec.name!r} for one of stacks")
    if flags & ~(_SKIP | _USER | _FAST | _REUSE):
        return -Errno.EINVAL
    stack = _stack(run, flags)
    return map.keep(stack, fast=bool(flags & _FAST), reuse=bool(flags & _REUSE)) if stack else -Errno.EFAULT


def get_stack(run: Run, context: int, target: int, size: int, flags: int) -> int:
    """Write the addresses of the current stack; how many bytes these are.  What is left of the target is zero."""
    size &= 0xFFFFFFFF
    run.memory.clear(target, size)
    if flags & ~(_SKIP | _USER | _BUILD_ID) or size % 8:
        return -Errno.EINVAL
    if flags & _BUILD_ID:
        return -Errno.EINVAL if not flags & _USER else -Errno.EFAULT  # the machine has no files
    inputs = run.machine.inputs
    if not (inputs.user_stack if flags & _USER else inputs.kernel_stack):
        return -Errno.EFAULT
    data = b"".join(address.to_bytes(8, "little") for address in _stack(run, flags)[: size // 8])
    run.memory.write(target, data)
    return len(data)
