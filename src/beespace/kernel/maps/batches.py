"""Reading whole maps: by the batch commands where the kernel has them for the map's type, entry by entry elsewhere.

Linux 5.6 has them for hash maps (kernel commit 057996380a42) and arrays (cb4d03ab499d), 5.13 for per-CPU arrays.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator

from beespace.syscall import HasFileno, bpf
from beespace.typed import NamedTuple

__all__ = ["NO_BATCH", "Entries", "joined", "read_batches", "walk"]

# How a kernel says that a map's type, or every type, has no batch command: ENOTSUPP (524, which no
# header of user space names), EOPNOTSUPP, or EINVAL for a command number it does not know.
NO_BATCH = frozenset({524, errno.EOPNOTSUPP, errno.EINVAL})
_CHUNK = 8192


class Entries(NamedTuple):
    """``number`` entries, packed: key after key, value after value (per CPU: see :attr:`Map.value_stride`)."""

    keys: bytearray
    values: bytearray
    number: int


def read_batches(
    fd: HasFileno, read: bpf.ReadBatch, key_size: int, stride: int, max_entries: int, flags: int = 0
) -> Iterator[Entries]:
    """What batches of ``read`` give, one after the other; each holds until the next is asked for.

    The first one raises a :class:`KernelError` with an errno of :data:`NO_BATCH` if the kernel has none for this map.
    """
    chunk = max(1, min(max_entries, _CHUNK))
    keys, values = bytearray(), bytearray()
    cursor: bytes | None = None
    # A trie whose cursor was deleted starts again, so programs could keep us for ever; a hash table ends by itself,
    # however fast it changes, but may give more entries than it has room for.
    room = 4 * max(max_entries, chunk)
    while room > 0:
        batch = read(fd, key_size, stride, chunk, cursor, keys=keys, values=values, elem_flags=flags)
        yield Entries(batch.keys, batch.values, batch.count)
        cursor = batch.cursor
        if cursor is None:
            return
        room -= max(batch.count, 1)


def walk(
    fd: HasFileno, key_size: int, stride: int, max_entries: int, flags: int = 0, *, remove: bool = False
) -> Entries:
    """All entries one by one: each key once, and no more than the map has room for."""
    keys, values, seen = bytearray(), bytearray(), set[bytes]()
    key = bpf.map_next_key(fd, None, key_size)
    # A key that somebody else deletes sends the walk back to the start, and programs may insert as fast as we read.
    for _ in range(4 * max_entries):
        if key is None or len(seen) == max_entries:
            break
        following = bpf.map_next_key(fd, key, key_size)
        if key not in seen:
            seen.add(key)
            value = bpf.map_lookup(fd, key, stride, flags)
            if value is not None and (not remove or bpf.map_delete(fd, key)):
                keys += key
                values += value
        key = following
    return Entries(keys, values, len(keys) // key_size if key_size else 0)


def joined(batches: Iterator[Entries], key_size: int, stride: int) -> Entries:
    """All batches as one."""
    keys, values, number = bytearray(), bytearray(), 0
    for batch in batches:
        keys += memoryview(batch.keys)[: batch.number * key_size]
        values += memoryview(batch.values)[: batch.number * stride]
        number += batch.number
    return Entries(keys, values, number)
