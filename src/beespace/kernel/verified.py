"""What the verifier says about its work: the statistics at the end of a log.  Pure.

Source: ``print_verification_stats()`` in kernel/bpf/verifier.c; the words are the same from Linux 5.10 to 7.3,
but for the stack, which has a number for each function up to 6.x and the largest from 7.3 on.
"""

from __future__ import annotations

import re

from beespace.record import dataclass

__all__ = ["Verified", "read_statistics"]

_PROCESSED = re.compile(
    r"^processed (\d+) insns \(limit (\d+)\) max_states_per_insn (\d+) total_states (\d+) peak_states (\d+)"
    r" mark_read (\d+)",
    re.MULTILINE,
)
_TIME = re.compile(r"^verification time (\d+) usec", re.MULTILINE)
_STACK = re.compile(r"^stack depth (?:max )?(\d+(?:\+\d+)*)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Verified:
    """How much work a program was to verify.

    ``processed`` instructions, on all paths, of at most ``limit``; ``total_states`` that were kept, ``peak_states``
    at once, ``states_per_instruction`` at most; ``stack`` is the bytes of each function (the largest alone from
    Linux 7.3 on; empty if the log does not say it), ``microseconds`` the time that it took.
    """

    processed: int
    limit: int
    states_per_instruction: int
    total_states: int
    peak_states: int
    stack: tuple[int, ...] = ()
    microseconds: int | None = None


def read_statistics(log: str) -> Verified | None:
    """The statistics in a verifier log; ``None`` if it holds none."""
    found = _PROCESSED.findall(log)
    if not found:
        return None
    processed, limit, most, total, peak, _ = (int(number) for number in found[-1])
    stack, time = _STACK.findall(log), _TIME.findall(log)
    return Verified(
        processed,
        limit,
        most,
        total,
        peak,
        tuple(int(depth) for depth in stack[-1].split("+")) if stack else (),
        int(time[-1]) if time else None,
    )
