"""``Map``: a live BPF map, in bytes.

Keys and values go in and out as the kernel holds them; typed containers are made above.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator

from beespace.errors import KernelError, NotSupported, UsageError
from beespace.isa.constants import MapFlag, MapType
from beespace.kernel.maps.batches import NO_BATCH, Entries, joined, read_batches, walk
from beespace.spec import MapSpec
from beespace.syscall import Descriptor, HasFileno, bpf
from beespace.syscall.layout import Buffer
from beespace.syscall.memory import PAGE, MappedMemory, map_memory
from beespace.syscall.process import possible_cpus
from beespace.typed import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from beespace.syscall.arena import ArenaMemory

__all__ = ["BPF_F_MMAPABLE", "BPF_F_RDONLY_PROG", "Map", "is_map"]

_PER_CPU = {
    MapType.PERCPU_HASH,
    MapType.PERCPU_ARRAY,
    MapType.LRU_PERCPU_HASH,
    MapType.PERCPU_CGROUP_STORAGE,
}
_DRAINABLE = {MapType.HASH, MapType.PERCPU_HASH, MapType.LRU_HASH, MapType.LRU_PERCPU_HASH, MapType.RHASH}
# Values that are descriptors on the way in and ids on the way out.
_OF_OBJECTS = {
    MapType.PROG_ARRAY,
    MapType.PERF_EVENT_ARRAY,
    MapType.CGROUP_ARRAY,
    MapType.ARRAY_OF_MAPS,
    MapType.HASH_OF_MAPS,
}

BPF_F_MMAPABLE = int(MapFlag.MMAPABLE)
BPF_F_RDONLY_PROG = int(MapFlag.RDONLY_PROG)
# A kernel answers a flag or an update that a full map refuses with one of these, by its type.
_FULL = (errno.E2BIG, errno.ENOSPC)


def is_map(fd: HasFileno) -> bool:
    """Whether a descriptor is of a map; the kernel's answer about any other kind would be read as if it were one."""
    try:
        return os.readlink(f"/proc/self/fd/{fd.fileno()}") == "anon_inode:bpf-map"
    except OSError:
        return True  # without /proc nothing is known


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
        #: Whether somebody else made it: its content is theirs.
        self.reused = False
        self._descriptor = descriptor
        self._batched = True
        self._pops = True
        self._memory: MappedMemory | ArenaMemory | None = None

    @classmethod
    def from_descriptor(cls, descriptor: Descriptor) -> Self:
        """The map behind ``descriptor``, which it then owns (and closes, should this fail).

        :class:`UsageError` if it is no map.
        """
        with descriptor:
            if not is_map(descriptor):
                raise UsageError("this descriptor is of no map")
            info = bpf.map_info(descriptor)
            spec = MapSpec(
                info.name, info.type, info.key_size, info.value_size, info.max_entries, info.map_flags,
                map_extra=info.map_extra,
            )  # fmt: skip
            return cls(Descriptor(descriptor.detach(), f"map {info.name}".rstrip()), spec)

    @classmethod
    def from_id(cls, map_id: int) -> Self:
        """A map that exists already, by its id.  ``ENOENT`` if there is none; needs CAP_SYS_ADMIN."""
        return cls.from_descriptor(bpf.map_get_fd_by_id(map_id))

    @classmethod
    def open_pinned(cls, path: str | os.PathLike[str], *, directory: HasFileno | None = None) -> Self:
        """The map that was pinned at ``path`` of a bpf file system; ``path`` counts from ``directory``, if given.

        ``ENOENT`` if nothing is pinned there; :class:`UsageError` if it is something else than a map.
        """
        descriptor = bpf.obj_get(path, directory=directory)
        try:
            return cls.from_descriptor(descriptor)
        except UsageError as error:
            raise UsageError(f"what is pinned at {os.fspath(path)!r} is no map") from error

    def fileno(self) -> int:
        """The number of the map's descriptor."""
        return self._descriptor.fileno()

    @property
    def raw(self) -> Map:
        """This map: what a typed container has under that name, too."""
        return self

    @property
    def drainable(self) -> bool:
        """Whether :meth:`take` can empty it: a hash map."""
        return self.spec.type in _DRAINABLE

    @property
    def info(self) -> bpf.MapInfo:
        """What the kernel says about the map (``struct bpf_map_info``): id, name, sizes, flags, BTF ids."""
        return bpf.map_info(self._descriptor)

    # -- one entry -----------------------------------------------------------------------------------------

    def get(self, key: bytes, flags: int = 0) -> bytes | None:
        """The value of ``key``, :attr:`value_stride` bytes, or ``None``; ``flags`` as ``BPF_F_LOCK`` (4)."""
        return bpf.map_lookup(self._descriptor, self._key(key), self.value_stride, flags)

    def update(self, key: bytes, value: bytes, flags: int = 0) -> None:
        """Write an entry; ``flags`` as ``BPF_NOEXIST`` (1), ``BPF_EXIST`` (2) or ``BPF_F_LOCK`` (4).

        Of a per-CPU map, ``value`` is one value for all CPUs or :attr:`value_stride` bytes.  A full map is a
        :class:`KernelError` (``E2BIG`` or ``ENOSPC``) that says how many entries it has room for.
        """
        key = self._key(key)
        if len(value) != self.value_stride:
            if not self.per_cpu or len(value) != self.spec.value_size:
                raise UsageError(f"map {self.name!r} has values of {self.spec.value_size} bytes, not {len(value)}")
            value = value.ljust(self.value_stride // len(possible_cpus()), b"\0") * len(possible_cpus())
        try:
            bpf.map_update(self._descriptor, key, value, flags)
        except KernelError as error:
            if error.errno in _FULL:
                raise self._full(error) from None
            raise

    def _full(self, error: KernelError) -> KernelError:
        return KernelError(
            f"map {self.name!r} has no room: its max_entries is {self.spec.max_entries}", call=error.call,
            errno=error.errno, help=f"load it larger: max_entries={{{self.name!r}: ...}}, or take entries out",
        )  # fmt: skip

    def delete(self, key: bytes) -> bool:
        """Remove ``key``; ``False`` if it was not there."""
        return bpf.map_delete(self._descriptor, self._key(key))

    def pop(self, key: bytes) -> bytes | None:
        """Take ``key`` out: its value, or ``None`` if it was not there.

        In one step where the kernel can (queues 4.20, hash maps 5.14).  Before, what a program writes between
        the reading and the deletion is lost.
        """
        key = self._key(key)
        if self._pops:
            try:
                return bpf.map_lookup_and_delete(self._descriptor, key, self.value_stride)
            except KernelError as error:
                if error.errno not in NO_BATCH:
                    raise
                self._pops = False
        value = bpf.map_lookup(self._descriptor, key, self.value_stride)
        return value if value is not None and bpf.map_delete(self._descriptor, key) else None

    def next_key(self, key: bytes | None = None) -> bytes | None:
        """The key after ``key`` (``None``: the first); ``None`` at the end.  ``BPF_MAP_GET_NEXT_KEY``."""
        return bpf.map_next_key(self._descriptor, None if key is None else self._key(key), self.spec.key_size)

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
        for entries in self.batches():
            keys, values = bytes(entries.keys), bytes(entries.values)
            for number in range(entries.number):
                at = number * stride
                yield keys[number * key_size : (number + 1) * key_size], values[at : at + stride]

    def entries(self) -> Entries:
        """All entries, packed; read in batches where the kernel can."""
        return self._joined(self.batches())

    def take(self) -> Entries:
        """All entries, packed, and the map emptied.

        No entry is lost, but what a program adds to a value between the kernel's copy and the
        entry's end is: the program may hold a reference to it.  :class:`SwappedMap` has no such
        gap.  :class:`UsageError` for a map whose entries cannot be deleted.
        """
        return self._joined(self.batches(remove=True))

    def batches(self, *, remove: bool = False, flags: int = 0) -> Iterator[Entries]:
        """All entries, some thousand at a time; each holds until the next is asked for.  ``remove``: as :meth:`take`.

        One batch of everything if the kernel has no batch command for this map.
        """
        if remove and not self.drainable:
            raise UsageError(f"map {self.name!r} is no hash map, so its entries cannot be taken out")
        return self._batches(remove, flags)

    def _batches(self, remove: bool, flags: int) -> Iterator[Entries]:
        key_size, stride, room = self.spec.key_size, self.value_stride, self.spec.max_entries
        if self._batched:
            read = bpf.map_lookup_and_delete_batch if remove else bpf.map_lookup_batch
            batches = read_batches(self, read, key_size, stride, room, flags)
            try:
                first = next(batches)
            except KernelError as error:
                if error.errno not in NO_BATCH:
                    raise
                self._batched = False
            else:
                yield first
                yield from batches
                return
        yield walk(self, key_size, stride, room, flags, remove=remove)

    def _joined(self, batches: Iterator[Entries]) -> Entries:
        return joined(batches, self.spec.key_size, self.value_stride)

    def update_batch(self, keys: Buffer, values: Buffer, number: int, flags: int = 0) -> int:
        """Write ``number`` entries, packed as in :class:`Entries`; how many were written (``BPF_MAP_UPDATE_BATCH``).

        Linux 5.6, not for every type; :class:`KernelError` with ENOTSUPP (524) or EINVAL without it.
        """
        self._packed(keys, number, self.spec.key_size, "keys")
        self._packed(values, number, self.value_stride, "values")
        try:
            return bpf.map_update_batch(self._descriptor, keys, values, number, elem_flags=flags)
        except KernelError as error:
            if error.errno in _FULL:
                raise self._full(error) from None
            raise

    def delete_batch(self, keys: Buffer, number: int) -> int:
        """Delete ``number`` keys, packed; how many before the first that was not there (``BPF_MAP_DELETE_BATCH``)."""
        self._packed(keys, number, self.spec.key_size, "keys")
        return bpf.map_delete_batch(self._descriptor, keys, number)

    def _packed(self, data: Buffer, number: int, size: int, what: str) -> None:
        if len(data) < number * size:
            raise UsageError(f"{number} {what} of map {self.name!r} are {number * size} bytes, not {len(data)}")

    # -- memory --------------------------------------------------------------------------------------------

    def memory(self) -> memoryview:
        """The values of an array with ``BPF_F_MMAPABLE`` (Linux 5.5), as memory shared with the programs.

        Element ``i`` starts at ``i`` times the value size rounded up to 8.  Read-only once the map
        is frozen.  Of an arena (6.9), all its pages.  :class:`NotSupported` if the map cannot be mapped.
        """
        if self._memory is None:
            self._memory = self._map_arena() if self.spec.type == MapType.ARENA else self._map_array()
        return self._memory.view

    def _map_array(self) -> MappedMemory:
        if not self.spec.flags & BPF_F_MMAPABLE:
            raise NotSupported(f"mapping map {self.name!r}, which was made without BPF_F_MMAPABLE")
        length = -(-self.spec.value_size // 8) * 8 * self.spec.max_entries
        return map_memory(self._descriptor, length, 0, writable=not self.frozen)

    def _map_arena(self) -> ArenaMemory:
        from beespace.syscall.arena import map_arena  # few objects have one

        return map_arena(self._descriptor, PAGE * self.spec.max_entries, self.spec.map_extra)

    def freeze(self) -> None:
        """Forbid user space to write the map ever again (Linux 5.2): the verifier then knows the values."""
        if self._memory is not None:  # a map that is mapped for writing cannot be frozen
            self._memory.close()
            self._memory = None
        bpf.map_freeze(self._descriptor)
        self.frozen = True

    # -- lifetime ------------------------------------------------------------------------------------------

    def pin(self, path: str | os.PathLike[str], *, directory: HasFileno | None = None) -> None:
        """Give it a name in a bpf file system, which keeps it alive; ``path`` counts from ``directory``, if given."""
        bpf.obj_pin(self._descriptor, path, directory=directory)

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
        return f"<{type(self).__name__} {self.name!r}, {state}>"
