"""Locked memory on kernels before 5.11.

Those charge maps and programs to ``RLIMIT_MEMLOCK`` and answer EPERM when it is used up.  Newer ones
charge the memory cgroup and never look at the limit, so it is touched only after an EPERM, and put
back if that did not help.
"""

from __future__ import annotations

import resource
from collections.abc import Callable

from beespace.typed import TypeVar

T = TypeVar("T")


def retry(attempt: Callable[[], T], refused: Callable[[T], bool]) -> T:
    """``attempt()``; if its answer is ``refused`` (EPERM), once more with the limit raised as far as it goes."""
    answer = attempt()
    if not refused(answer):
        return answer
    before = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if not _raise_limit(before):
        return answer
    answer = attempt()
    if refused(answer):
        _set_limit(before)
    return answer


def _raise_limit(before: tuple[int, int]) -> bool:
    """Raise the soft limit to infinity, or to the hard one without ``CAP_SYS_RESOURCE``; whether that changed it."""
    infinite = resource.RLIM_INFINITY
    return any(limit != before and _set_limit(limit) for limit in ((infinite, infinite), (before[1], before[1])))


def _set_limit(limit: tuple[int, int]) -> bool:
    try:
        resource.setrlimit(resource.RLIMIT_MEMLOCK, limit)
    except (ValueError, OSError):
        return False
    return True
