"""``Map``: a live BPF map, in bytes.

Keys and values go in and out as the kernel holds them; typed views are made above.  Reading whole
maps goes through the batch commands where the kernel has them for the map's type (Linux 5.6: kernel
commits cb4d03ab499d for arrays, 057996380a42 for hashes; per-CPU arrays 5.13) and entry by entry
elsewhere: that is found out by trying, once per map.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from typing import NamedTuple, Protocol, Self

from beespace.errors import KernelError, NotSupported, UsageError
from beespace.isa.constants import MapType
from beespace.spec import MapSpec
from beespace.syscall import Descriptor, bpf
from beespace.syscall.memory import MappedMemory, map_memory
from beespace.syscall.process import possible_cpus

__all__ = ["Entries", "Map"]

_PER_CPU = {
    MapType.PERCPU_HASH,
    MapType.PERCPU_ARRAY,
    MapType.LRU_PERCPU_HASH,
    MapType.PERCPU_CGROUP_STORAGE,
}
_DRAINABLE = {MapType.HASH, MapType.PERCPU_HASH, MapType.LRU_HASH, MapType.LRU_PERCPU_HASH}
# Values that are descriptors on the way in and ids on the way out.
_OF_OBJECTS = {
    MapType.PROG_ARRAY,
    MapType.PERF_EVENT_ARRAY,
    MapType.CGROUP_ARRAY,
    MapType.ARRAY_OF_MAPS,
    MapType.HASH_OF_MAPS,
}

BPF_F_MMAPABLE = 1 << 10
BPF_F_RDONLY_PROG = 1 << 7

# How a kernel says that a map's type, or every type, has no batch command: ENOTSUPP (524, which no
# header of user space names), EOPNOTSUPP, or EINVAL for a command number it does not know.
_NO_BATCH = {524, errno.EOPNOTSUPP, errno.EINVAL}
_CHUNK = 8192


class Entries(NamedTuple):
    """``number`` entries, packed: key after key, value after value (per CPU: see :attr:`Map.value_stride`)."""

    keys: bytearray
    values: bytearray
    number: int


class _ReadBatch(Protocol):
    """``bpf.map_lookup_batch`` or ``bpf.map_lookup_and_delete_batch``."""

    def __call__(
        self,
        fd: Descriptor,
        key_size: int,
        value_size: int,
        count: int,
        cursor: bytes | None = None,
        *,
        keys: bytearray | None = None,
        values: bytearray | None = None,
    ) -> bpf.Batch: ...


class Map:
    """One live map.  ``spec`` has the sizes it was created with.

    Closing it closes the descriptor; the kernel keeps the map while programs or other
    descriptors hold it.
    """

    def __init__(self, descriptor: Descriptor, spec: MapSpec) -> None:
        self.spec = spec
        self.name = spec.name
        self.per_cpu = spec.type in _PER_CPU
        stride = -(-spec.value_size // 8) * 8 * len(possible_cpus()) if self.per_cpu else spec.value_size
        #: Bytes of one value as :meth:`get` and the batches give it: of a per-CPU map, the value
        #: size rounded up to 8, times the possible CPUs.
        self.value_stride = 4 if spec.type in _OF_OBJECTS else stride
        self.frozen = False
        self._descriptor = descriptor
        self._batched = True
        self._memory: MappedMemory | None = None

    @classmethod
    def from_id(cls, map_id: int) -> Map:
        """A map that exists already, by its id.  ``ENOENT`` if there is none; needs CAP_SYS_ADMIN."""
        descriptor = bpf.map_get_fd_by_id(map_id)
        try:
            info = bpf.map_info(descriptor)
        except BaseException:
            descriptor.close()
            raise
        spec = MapSpec(info.name, info.type, info.key_size, info.value_size, info.max_entries, info.map_flags)
        return cls(descriptor, spec)

    def fileno(self) -> int:
        """The number of the map's descriptor."""
        return self._descriptor.fileno()

    @property
    def info(self) -> bpf.MapInfo:
        """What the kernel says about the map (``struct bpf_map_info``): id, name, sizes, flags, BTF ids."""
        return bpf.map_info(self._descriptor)

    # -- one entry -----------------------------------------------------------------------------------------

    def get(self, key: bytes) -> bytes | None:
        """The value of ``key``, :attr:`value_stride` bytes, or ``None``."""
        return bpf.map_lookup(self._descriptor, self._key(key), self.value_stride)

    def update(self, key: bytes, value: bytes, flags: int = 0) -> None:
        """Write an entry; ``flags`` as ``BPF_NOEXIST`` (1) or ``BPF_EXIST`` (2).

        Of a per-CPU map, ``value`` is one value for all CPUs or :attr:`value_stride` bytes.
        """
        key = self._key(key)
        if len(value) != self.value_stride:
            if not self.per_cpu or len(value) != self.spec.value_size:
                raise UsageError(f"map {self.name!r} has values of {self.spec.value_size} bytes, not {len(value)}")
            value = value.ljust(self.value_stride // len(possible_cpus()), b"\0") * len(possible_cpus())
        bpf.map_update(self._descriptor, key, value, flags)

    def delete(self, key: bytes) -> bool:
        """Remove ``key``; ``False`` if it was not there."""
        return bpf.map_delete(self._descriptor, self._key(key))

    def _key(self, key: bytes) -> bytes:
        if len(key) != self.spec.key_size:  # the kernel would read past the end of a shorter one
            raise UsageError(f"map {self.name!r} has keys of {self.spec.key_size} bytes, not {len(key)}")
        return key

    # -- all entries ---------------------------------------------------------------------------------------

    def keys(self) -> Iterator[bytes]:
        """All keys.  What is written meanwhile may or may not be among them."""
        for key, _ in self.items():
            yield key

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """All entries.  What is written meanwhile may or may not be among them."""
        key_size, stride = self.spec.key_size, self.value_stride
        entries = self.entries()
        keys, values = memoryview(entries.keys), memoryview(entries.values)
        for number in range(entries.number):
            at = number * stride
            yield bytes(keys[number * key_size : (number + 1) * key_size]), bytes(values[at : at + stride])

    def entries(self) -> Entries:
        """All entries, packed; read in batches where the kernel can."""
        return self._collect(bpf.map_lookup_batch) or self._walk(remove=False)

    def take(self) -> Entries:
        """All entries, packed, and the map emptied.

        No entry is lost, but what a program adds to a value between the kernel's copy and the
        entry's end is: the program may hold a reference to it.  :class:`SwappedMap` has no such
        gap.  :class:`UsageError` for a map whose entries cannot be deleted.
        """
        if self.spec.type not in _DRAINABLE:
            raise UsageError(f"map {self.name!r} is no hash map, so its entries cannot be taken out")
        return self._collect(bpf.map_lookup_and_delete_batch) or self._walk(remove=True)

    def _collect(self, read: _ReadBatch) -> Entries | None:
        """Everything that batches of ``read`` give; ``None`` if the kernel has none for this map."""
        if not self._batched:
            return None
        key_size, stride = self.spec.key_size, self.value_stride
        keys, values, count = bytearray(), bytearray(), 0
        cursor: bytes | None = None
        chunk = max(1, min(self.spec.max_entries, _CHUNK))
        buffers = bytearray(), bytearray()
        while True:
            try:
                batch = read(self._descriptor, key_size, stride, chunk, cursor, keys=buffers[0], values=buffers[1])
            except KernelError as error:
                if error.errno not in _NO_BATCH or count:
                    raise
                self._batched = False
                return None
            keys += memoryview(batch.keys)[: batch.count * key_size]
            values += memoryview(batch.values)[: batch.count * stride]
            count += batch.count
            cursor = batch.cursor
            if cursor is None:
                return Entries(keys, values, count)

    def _walk(self, *, remove: bool) -> Entries:
        keys, values, count = bytearray(), bytearray(), 0
        key = bpf.map_next_key(self._descriptor, None, self.spec.key_size)
        # A key that somebody else deletes sends the walk back to the start, and programs may insert as
        # fast as we read; so it ends after as many steps as the map has room for.
        for _ in range(self.spec.max_entries):
            if key is None:
                break
            following = bpf.map_next_key(self._descriptor, key, self.spec.key_size)
            value = bpf.map_lookup(self._descriptor, key, self.value_stride)
            if value is not None and (not remove or bpf.map_delete(self._descriptor, key)):
                keys += key
                values += value
                count += 1
            key = following
        return Entries(keys, values, count)

    # -- memory --------------------------------------------------------------------------------------------

    def memory(self) -> memoryview:
        """The values of an array with ``BPF_F_MMAPABLE`` (Linux 5.5), as memory shared with the programs.

        Element ``i`` starts at ``i`` times the value size rounded up to 8.  Read-only once the map
        is frozen.  :class:`NotSupported` if the map cannot be mapped.
        """
        if self._memory is None:
            if not self.spec.flags & BPF_F_MMAPABLE:
                raise NotSupported(f"mapping map {self.name!r}, which was made without BPF_F_MMAPABLE")
            length = -(-self.spec.value_size // 8) * 8 * self.spec.max_entries
            self._memory = map_memory(self._descriptor, length, 0, writable=not self.frozen)
        return self._memory.view

    def freeze(self) -> None:
        """Forbid user space to write the map ever again (Linux 5.2): the verifier then knows the values."""
        bpf.map_freeze(self._descriptor)
        self.frozen = True

    # -- lifetime ------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Close the descriptor and the mapping.  Calling it again does nothing."""
        if self._memory is not None:
            self._memory.close()
            self._memory = None
        self._descriptor.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self._descriptor.closed else f"fd {self._descriptor.fileno()}"
        return f"<Map {self.name!r}, {state}>"
