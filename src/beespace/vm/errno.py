"""The error numbers of Linux (include/uapi/asm-generic/errno-base.h, errno.h, include/linux/errno.h).

Those of the module ``errno`` are the numbers of the system that Python runs on.
"""

from __future__ import annotations

from enum import IntEnum

__all__ = ["Errno", "Refused"]


class Errno(IntEnum):
    """What programs and map operations get, as negative numbers from helpers."""

    EPERM = 1
    ENOENT = 2
    E2BIG = 7
    EAGAIN = 11
    ENOMEM = 12
    EACCES = 13
    EFAULT = 14
    EBUSY = 16
    EEXIST = 17
    EINVAL = 22
    ENOSPC = 28
    ERANGE = 34
    EOPNOTSUPP = 95
    ENOTSUPP = 524


class Refused(Exception):
    """An operation failed with ``errno``; a helper gives it to the program as a negative number."""

    def __init__(self, errno: Errno) -> None:
        super().__init__(errno.name)
        self.errno = errno
