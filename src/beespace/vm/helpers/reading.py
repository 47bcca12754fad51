"""Helpers that read memory of the kernel and of user space, and texts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from beespace.vm.errno import Errno
from beespace.vm.memory import Violation

if TYPE_CHECKING:
    from beespace.vm.run import Run

__all__ = [
    "copy_from_user", "probe_read", "probe_read_kernel", "probe_read_kernel_str", "probe_read_str", "probe_read_user",
    "probe_read_user_str", "spin_lock", "spin_unlock", "strncmp", "strtol", "strtoul",
]  # fmt: skip


def probe_read(run: Run, target: int, size: int, source: int) -> int:
    """Copy from anywhere; where nothing is, the target is zeroed and the result is ``EFAULT``."""
    size &= 0xFFFFFFFF
    try:
        data = run.memory.read(source, size)
    except Violation:
        run.memory.clear(target, size)
        return -Errno.EFAULT
    run.memory.write(target, data)
    return 0


def probe_read_str(run: Run, target: int, size: int, source: int) -> int:
    """Copy a text, cut so that it ends with 0; its length with that."""
    size &= 0xFFFFFFFF
    text = bytearray()
    try:
        while len(text) < size and not (text and text[-1] == 0):
            text += run.memory.read(source + len(text), 1)
    except Violation:
        run.memory.clear(target, size)
        return -Errno.EFAULT
    if text:
        text[-1] = 0
        run.memory.write(target, bytes(text))
    return len(text)


probe_read_kernel = probe_read_user = copy_from_user = probe_read
probe_read_kernel_str = probe_read_user_str = probe_read_str


def spin_lock(run: Run, lock: int) -> None:
    """Nobody else runs meanwhile."""
    run.memory.load(lock, 4)


spin_unlock = spin_lock


def strncmp(run: Run, text: int, size: int, other: int) -> int:
    """As in C, with a second text that is constant.  Linux 5.17."""
    for place in range(size & 0xFFFFFFFF):
        ours, theirs = run.memory.load(text + place, 1), run.memory.load(other + place, 1)
        if ours != theirs:
            return -1 if ours < theirs else 1
        if ours == 0:
            break
    return 0


def strtol(run: Run, text: int, size: int, flags: int, result: int) -> int:
    """A number at the beginning of a text, with a sign; how many characters it has.  Linux 5.2."""
    return _number(run, text, size, flags, result, signs=True)


def strtoul(run: Run, text: int, size: int, flags: int, result: int) -> int:
    """The same without a sign."""
    return _number(run, text, size, flags, result, signs=False)


def _number(run: Run, text: int, size: int, flags: int, result: int, signs: bool) -> int:
    base = flags & 0x1F  # BPF_STRTOX_BASE_MASK
    if base not in (0, 8, 10, 16) or flags & ~0x1F or not size:
        return -Errno.EINVAL
    content = run.memory.read(text, size).split(b"\0")[0].decode("latin-1")
    found = re.match(rf"\s*({'-?' if signs else ''})(0[xX](?=[0-9a-fA-F]))?([0-9a-zA-Z]+)", content)
    if found is None or (found[2] and base not in (0, 16)):
        return -Errno.EINVAL
    radix = base or (16 if found[2] else 8 if found[3].startswith("0") and len(found[3]) > 1 else 10)
    digits = re.match({8: "[0-7]+", 10: "[0-9]+", 16: "[0-9a-fA-F]+"}[radix], found[3])
    if digits is None:
        return -Errno.EINVAL
    value = int(digits[0], radix) * (-1 if found[1] else 1)
    if not (-(1 << 63) <= value < 1 << 63 if signs else value < 1 << 64):
        return -Errno.ERANGE
    run.memory.store(result, 8, value)
    return found.start(3) + digits.end()
