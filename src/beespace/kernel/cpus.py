"""How many CPUs this machine may ever have; per-CPU maps keep one value for each.

Possible CPUs, not those that are online: the kernel sizes per-CPU memory for all of them
(``num_possible_cpus()``; Documentation/admin-guide/cputopology.rst).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from beespace.errors import FormatError

_POSSIBLE = Path("/sys/devices/system/cpu/possible")


@cache
def possible_cpus() -> int:
    """The number of possible CPUs."""
    return count_cpus(_POSSIBLE.read_text())


def count_cpus(text: str) -> int:
    """The highest CPU number in a list as ``0-3,8`` and one more: what indexes per-CPU values.

    Raises :class:`FormatError` for a text that is no list of CPUs.
    """
    try:
        return max(int(part.rpartition("-")[2]) for part in text.strip().split(",")) + 1
    except ValueError:
        raise FormatError(f"{_POSSIBLE} holds {text.strip()!r}, which is no list of CPUs") from None
