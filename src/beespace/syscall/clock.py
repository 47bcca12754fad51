"""The kernel's clock and the wall clock.

Programs stamp with ``bpf_ktime_get_boot_ns`` (CLOCK_BOOTTIME: nanoseconds since boot, suspend
included); people read CLOCK_REALTIME.
"""

from __future__ import annotations

import os
import time

NANOSECONDS = 1_000_000_000
# Other systems than Linux play recordings, and have no clock that counts sleep.
_BOOTTIME = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def boottime_ns() -> int:
    """Nanoseconds since boot, as ``bpf_ktime_get_boot_ns`` counts them."""
    return time.clock_gettime_ns(_BOOTTIME)


def boottime_offset_ns(samples: int = 5) -> int:
    """What to add to a CLOCK_BOOTTIME stamp to get nanoseconds since 1970.

    Of ``samples`` tries the one counts in which the two clocks were read closest together; its error
    is below a microsecond unless every try was interrupted.  The wall clock can be set, so ask again
    now and then.
    """
    best: tuple[int, int] | None = None
    for _ in range(max(samples, 1)):
        before = time.clock_gettime_ns(_BOOTTIME)
        wall = time.clock_gettime_ns(time.CLOCK_REALTIME)
        after = time.clock_gettime_ns(_BOOTTIME)
        sample = (after - before, wall - (before + after) // 2)
        best = sample if best is None else min(best, sample)
    assert best is not None
    return best[1]


def ticks_per_second() -> int:
    """The unit of ``/proc/PID/stat`` times (``USER_HZ``)."""
    return os.sysconf("SC_CLK_TCK")


def ticks_to_ns(ticks: int) -> int:
    """``/proc/PID/stat`` ticks (such as a start time since boot) in nanoseconds."""
    return ticks * NANOSECONDS // ticks_per_second()
