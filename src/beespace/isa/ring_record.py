"""The header before each record of RINGBUF and USER_RINGBUF: a length with two flags, and a word of the kernel's own.

Source: ``BPF_RINGBUF_*`` in include/uapi/linux/bpf.h, kernel/bpf/ringbuf.c.
"""

from __future__ import annotations

__all__ = ["BUSY", "DISCARD", "HEADER", "room"]

BUSY = 1 << 31  # somebody still writes the record
DISCARD = 1 << 30  # it was given up
HEADER = 8  # bytes


def room(length: int) -> int:
    """How many bytes of a ring a record of ``length`` bytes takes: with its header, rounded up to 8."""
    return -(-(length + HEADER) // 8) * 8
