"""The header before each record of RINGBUF and USER_RINGBUF: a length with two flags, and a word of the kernel's own.

Source: ``BPF_RINGBUF_*`` in include/uapi/linux/bpf.h, kernel/bpf/ringbuf.c.
"""

from __future__ import annotations

__all__ = ["BUSY", "DISCARD", "HEADER", "ring_size", "room"]

BUSY = 1 << 31  # somebody still writes the record
DISCARD = 1 << 30  # it was given up
HEADER = 8  # bytes


def ring_size(asked: int, page: int) -> int:
    """The bytes of the smallest ring that has as many as were ``asked`` for: a power of two, at least a ``page``."""
    return max(page, 1 << max(asked - 1, 0).bit_length())


def room(length: int) -> int:
    """How many bytes of a ring a record of ``length`` bytes takes: with its header, rounded up to 8."""
    return -(-(length + HEADER) // 8) * 8
