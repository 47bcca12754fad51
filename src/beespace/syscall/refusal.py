"""Why the kernel said no, in plain words."""

from __future__ import annotations

import errno as _errno
import os

from beespace.errors import KernelError, NotPermitted


def error(call: str, errno: int, what: str, *, needs: tuple[str, ...] = ()) -> KernelError:
    """The exception for system call or bpf command ``call`` that failed with ``errno``."""
    if errno == _errno.EPERM:
        return NotPermitted(what, missing=" and ".join(needs) or "the kernel refused", call=call, errno=errno)
    return KernelError(f"cannot {what}: {os.strerror(errno)}", call=call, errno=errno)
