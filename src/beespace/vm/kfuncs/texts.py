"""Functions on texts that end with 0 (Linux 6.17): what cannot be read is ``EFAULT``, what has no end ``E2BIG``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beespace.vm.arithmetic import U64
from beespace.vm.errno import Errno, Refused
from beespace.vm.memory import Violation

if TYPE_CHECKING:
    from beespace.vm.run import Run

__all__ = [
    "copy_from_user_str", "copy_from_user_task_str", "strcasecmp", "strchr", "strchrnul", "strcmp", "strcspn", "strlen",
    "strnchr", "strnlen", "strnstr", "strrchr", "strspn", "strstr",
]  # fmt: skip

_LONGEST = 65536  # XATTR_SIZE_MAX
_PAD = 1  # BPF_F_PAD_ZEROS


def _byte(run: Run, address: int) -> int:
    try:
        return run.memory.load(address & U64, 1)
    except Violation:
        raise Refused(Errno.EFAULT) from None


def _text(run: Run, address: int, most: int = U64) -> bytes:
    """Up to the first 0, or ``most`` bytes."""
    out = bytearray()
    while len(out) < min(most, _LONGEST):
        byte = _byte(run, address + len(out))
        if byte == 0:
            return bytes(out)
        out.append(byte)
    if len(out) == _LONGEST:
        raise Refused(Errno.E2BIG)
    return bytes(out)


def _place(found: int) -> int:
    return found if found >= 0 else -Errno.ENOENT


def _order(run: Run, one: int, other: int, fold: bool) -> int:
    for place in range(_LONGEST):
        ours, theirs = (bytes([_byte(run, each + place)]) for each in (one, other))
        if fold:
            ours, theirs = ours.lower(), theirs.lower()
        if ours != theirs:
            return -1 if ours < theirs else 1
        if ours == b"\0":
            return 0
    raise Refused(Errno.E2BIG)


def strcmp(run: Run, one: int, other: int) -> int:
    """-1, 0 or 1."""
    return _order(run, one, other, False)


def strcasecmp(run: Run, one: int, other: int) -> int:
    """The same, whether letters are capitals or not.  Linux 6.18."""
    return _order(run, one, other, True)


def strlen(run: Run, text: int) -> int:
    """How long it is."""
    return len(_text(run, text))


def strnlen(run: Run, text: int, most: int) -> int:
    """How long it is, up to ``most``."""
    return len(_text(run, text, most))


def strnchr(run: Run, text: int, most: int, sign: int) -> int:
    """Where a sign is among the first ``most``, or ``ENOENT``; 0 is a sign, too."""
    found = _text(run, text, most)
    whole = found + b"\0" if len(found) < most else found
    return _place(whole.find(bytes([sign & 0xFF])))


def strchr(run: Run, text: int, sign: int) -> int:
    """Where a sign is, or ``ENOENT``."""
    return strnchr(run, text, U64, sign)


def strchrnul(run: Run, text: int, sign: int) -> int:
    """Where a sign is, or the end."""
    found = _text(run, text)
    place = found.find(bytes([sign & 0xFF]))
    return place if place >= 0 else len(found)


def strrchr(run: Run, text: int, sign: int) -> int:
    """Where a sign is for the last time, or ``ENOENT``."""
    return _place((_text(run, text) + b"\0").rfind(bytes([sign & 0xFF])))


def strspn(run: Run, text: int, accepted: int) -> int:
    """How much of the beginning are such signs."""
    found, signs = _text(run, text), _text(run, accepted)
    return len(found) - len(found.lstrip(signs)) if signs else 0


def strcspn(run: Run, text: int, rejected: int) -> int:
    """How much of the beginning are no such signs."""
    found, signs = _text(run, text), _text(run, rejected)
    return next((place for place, sign in enumerate(found) if sign in signs), len(found))


def strnstr(run: Run, text: int, wanted: int, most: int) -> int:
    """Where a text is in the first ``most`` bytes of another, or ``ENOENT``."""
    return _place(_text(run, text, most).find(_text(run, wanted)))


def strstr(run: Run, text: int, wanted: int) -> int:
    """Where a text is in another, or ``ENOENT``."""
    return strnstr(run, text, wanted, U64)


def copy_from_user_str(run: Run, target: int, size: int, source: int, flags: int) -> int:
    """Copy a text, cut so that it ends with 0; its length with that.  Linux 6.12."""
    size &= 0xFFFFFFFF
    if flags & ~_PAD:
        return -Errno.EINVAL
    if not size:
        return 0
    try:
        found = _text(run, source, size - 1) + b"\0"
    except Refused as refused:
        if flags & _PAD:
            run.memory.clear(target, size)
        return -refused.errno
    if flags & _PAD:
        run.memory.clear(target, size)
    run.memory.write(target, found)
    return len(found)


def copy_from_user_task_str(run: Run, target: int, size: int, source: int, task: int, flags: int) -> int:
    """The same of another task's memory, which is the same here.  Linux 6.15."""
    return copy_from_user_str(run, target, size, source, flags)
