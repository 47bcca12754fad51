"""Memory shared with the kernel: ring buffers, and arrays made with ``BPF_F_MMAPABLE``."""

from __future__ import annotations

import mmap
from contextlib import suppress

from beespace.errors import KernelError
from beespace.syscall import refusal
from beespace.syscall.descriptor import Fd, number
from beespace.typed import NamedTuple

PAGE = mmap.PAGESIZE


class MappedMemory:
    """``length`` bytes of a kernel object, as the memoryview :attr:`view`.

    It keeps the object alive.  :meth:`close` unmaps it, or, while other views of it live (a NumPy
    array), leaves that to the last of them; :attr:`view` itself is dead after it.
    """

    __slots__ = ("_map", "view")

    def __init__(self, memory: mmap.mmap) -> None:
        self._map: mmap.mmap | None = memory
        self.view = memoryview(memory)

    @property
    def closed(self) -> bool:
        """Whether :meth:`close` was called."""
        return self._map is None

    def close(self) -> None:
        """Give the memory back.  Calling it again does nothing."""
        memory, self._map = self._map, None
        if memory is None:
            return
        try:
            self.view.release()
            memory.close()
        except BufferError:
            # Somebody still reads it: the views hold the mapping, and the last one unmaps it.
            self.view = memoryview(b"")

    def __len__(self) -> int:
        return 0 if self._map is None else len(self._map)

    def __enter__(self) -> MappedMemory:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def map_memory(fd: Fd, length: int, offset: int = 0, *, writable: bool, shared: bool = True) -> MappedMemory:
    """Map ``length`` bytes of ``fd`` from ``offset`` (a multiple of the page size) on.

    ``shared`` as maps and rings need it; vmlinux BTF can be mapped in private only (Linux 6.16).

    ``length`` is rounded up to whole pages by the kernel; the view has exactly ``length`` bytes.
    Arrays with ``BPF_F_MMAPABLE`` since Linux 5.5, read-only once frozen.
    """
    protection = mmap.PROT_READ | (mmap.PROT_WRITE if writable else 0)
    visibility = mmap.MAP_SHARED if shared else mmap.MAP_PRIVATE
    try:
        memory = mmap.mmap(number(fd), length, flags=visibility, prot=protection, offset=offset)
    except OSError as error:
        raise refusal.error("mmap", error.errno or 0, f"map {length} bytes of a BPF map into memory") from error
    return MappedMemory(memory)


class RingMemory(NamedTuple):
    """The three parts of a ring buffer.

    ``consumer`` is one writable page whose first 8 bytes are the consumer's position; ``producer`` is one
    read-only page whose first 8 bytes are the producer's; ``data`` is the ring, read-only and twice in a row, so that a
    record that wraps around lies in one piece.  Positions count bytes and only grow.
    """

    consumer: MappedMemory
    producer: memoryview
    data: memoryview
    mapping: MappedMemory

    def close(self) -> None:
        """Unmap all of it; what somebody still reads is left to the last reader, as in :class:`MappedMemory`."""
        for view in (self.producer, self.data):
            with suppress(BufferError):
                view.release()
        self.mapping.close()
        self.consumer.close()


def map_ring(fd: Fd, size: int) -> RingMemory:
    """Map a ``BPF_MAP_TYPE_RINGBUF`` of ``size`` bytes (its ``max_entries``).  Since Linux 5.8.

    Source: ``ringbuf_map_mmap_kern()`` in kernel/bpf/ringbuf.c: only the consumer page may be writable.
    """
    consumer = map_memory(fd, PAGE, 0, writable=True)
    try:
        mapping = map_memory(fd, PAGE + 2 * size, PAGE, writable=False)
    except KernelError:
        consumer.close()
        raise
    return RingMemory(consumer, mapping.view[:PAGE], mapping.view[PAGE:], mapping)


def map_user_ring(fd: Fd, size: int) -> RingMemory:
    """Map a ``BPF_MAP_TYPE_USER_RINGBUF``, which user space writes.  Since Linux 6.1.

    As :func:`map_ring`, but ``producer`` and ``data`` are writable, and ``consumer`` is not.  Source:
    ``ringbuf_map_mmap_user()`` in kernel/bpf/ringbuf.c.
    """
    consumer = map_memory(fd, PAGE, 0, writable=False)
    try:
        mapping = map_memory(fd, PAGE + 2 * size, PAGE, writable=True)
    except KernelError:
        consumer.close()
        raise
    return RingMemory(consumer, mapping.view[:PAGE], mapping.view[PAGE:], mapping)
