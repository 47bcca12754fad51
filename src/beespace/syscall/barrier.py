"""Memory order between this process and the kernel (``membarrier(2)``)."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from functools import cache

from beespace.syscall import door, refusal

# include/uapi/linux/membarrier.h
_GLOBAL = 1 << 0
_GLOBAL_EXPEDITED = 1 << 1

# These keep loads in order, and a store behind earlier loads, all by themselves.
_ORDERED = frozenset({"x86_64"})


def wait_for_programs() -> bool:
    """Wait until every BPF program that runs now has ended (an RCU grace period: some milliseconds).

    After a pointer to a map was exchanged, nothing writes the old one any more when this returns.  It does not wait
    for sleepable programs.  ``False`` if the kernel cannot say (``nohz_full``, no membarrier): then only
    time helps.  Since Linux 4.3 (``MEMBARRIER_CMD_GLOBAL``).
    """
    result = door.issue("membarrier", (_GLOBAL, 0, 0))
    if result >= 0:
        return True
    if -result in (errno.EINVAL, errno.ENOSYS, errno.EPERM):
        return False
    raise refusal.error("membarrier", -result, "wait for running programs")


def fence() -> None:
    """Order this thread's memory accesses before the call against those after it.

    Between reading a ring's producer position and reading its records, and between those and
    publishing the consumer position.  Nothing on x86-64, whose loads and stores keep that
    order; on arm64 a full barrier (``MEMBARRIER_CMD_GLOBAL_EXPEDITED``, 4.16), once a batch.
    """
    _fence()()


@cache
def _fence() -> Callable[[], object]:
    return _nothing if os.uname().machine in _ORDERED else _barrier


def _nothing() -> None:
    return None


def _barrier() -> None:
    result = door.issue("membarrier", (_GLOBAL_EXPEDITED, 0, 0))
    if result < 0:
        raise refusal.error("membarrier", -result, "order memory accesses")
