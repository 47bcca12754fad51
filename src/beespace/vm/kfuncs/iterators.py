"""Open-coded iterators: over numbers (Linux 6.4) and over the bits of memory (Linux 6.11).

What they know stands in the program's ``struct bpf_iter_num`` or ``bpf_iter_bits`` as in the kernel; the bits of more
than one word are copied.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from beespace.vm.arithmetic import signed
from beespace.vm.errno import Errno
from beespace.vm.memory import Rights, Violation

if TYPE_CHECKING:
    from beespace.vm.run import Run

__all__ = [
    "iter_bits_destroy", "iter_bits_new", "iter_bits_next", "iter_num_destroy", "iter_num_new", "iter_num_next",
]  # fmt: skip

_MAX_LOOPS = 8 << 20  # BPF_MAX_LOOPS
_MAX_WORDS = 511  # BITS_ITER_NR_WORDS_MAX
_NUM = struct.Struct("<ii")  # struct bpf_iter_num_kern: cur, end
_BITS = struct.Struct("<QIi")  # struct bpf_iter_bits_kern: bits or their address, nr_bits, bit


def iter_num_new(run: Run, it: int, start: int, end: int) -> int:
    """From ``start`` to before ``end``, s32."""
    first, last = signed(start, 32), signed(end, 32)
    error = Errno.EINVAL if first > last else Errno.E2BIG if last - first > _MAX_LOOPS else None
    run.memory.write(it, bytes(8) if error else struct.pack("<II", first - 1 & 0xFFFFFFFF, last & 0xFFFFFFFF))
    return -error if error else 0


def iter_num_next(run: Run, it: int) -> int:
    """The address of the next number, or 0."""
    current, end = _NUM.unpack(run.memory.read(it, _NUM.size))
    if signed(current + 1, 32) >= end:
        run.memory.clear(it, _NUM.size)
        return 0
    run.memory.store(it, 4, current + 1)
    return it


def iter_num_destroy(run: Run, it: int) -> None:
    """It is over."""
    run.memory.clear(it, _NUM.size)


def iter_bits_new(run: Run, it: int, data: int, words: int) -> int:
    """The bits that are set in ``words`` words of 64 bits."""
    words &= 0xFFFFFFFF
    run.memory.write(it, _BITS.pack(0, 0, -1))
    if not data or not words:
        return -Errno.EINVAL
    if words > _MAX_WORDS:
        return -Errno.E2BIG
    try:
        content = run.memory.read(data, 8 * words)
    except Violation:
        return -Errno.EFAULT
    bits = int.from_bytes(content, "little")
    if words > 1:
        bits = run.memory.add("the bits of an iterator", bytearray(content), Rights.READ, owner="bits").base
    run.memory.write(it, _BITS.pack(bits, 64 * words, -1))
    return 0


def iter_bits_next(run: Run, it: int) -> int:
    """The address of the number of the next bit, or 0."""
    held, count, bit = _BITS.unpack(run.memory.read(it, _BITS.size))
    if not count or bit >= count:
        return 0
    bits = held if count == 64 else int.from_bytes(run.memory.read(held, count // 8), "little")
    left = bits >> bit + 1
    found = bit + 1 + (left & -left).bit_length() - 1 if left else count
    run.memory.store(it + 12, 4, found)
    return it + 12 if left else 0


def iter_bits_destroy(run: Run, it: int) -> None:
    """It is over, and its copy is gone."""
    held, count, _ = _BITS.unpack(run.memory.read(it, _BITS.size))
    region = run.memory.find(held)
    if count > 64 and region is not None and region.owner == "bits" and region.base == held:
        run.memory.remove(region)
