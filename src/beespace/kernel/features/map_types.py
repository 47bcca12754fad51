"""Which map types the kernel makes, by making the smallest map of each."""

from __future__ import annotations

import errno
import resource
from collections.abc import Iterator
from contextlib import ExitStack

from beespace.btf import BtfBuilder
from beespace.errors import KernelError
from beespace.isa import MapType
from beespace.isa.constants import MapFlag
from beespace.kernel.features.feature import Feature, attempt
from beespace.record import dataclass
from beespace.syscall import bpf, refusal

_PAGE = resource.getpagesize()


@dataclass(frozen=True, slots=True)
class Shape:
    """The arguments of the smallest map of a type."""

    key_size: int = 4
    value_size: int = 4
    max_entries: int = 1
    flags: int = 0
    typed: bool = False  # needs BTF types of key and value
    holds_maps: bool = False


_STORAGE = Shape(max_entries=0, flags=MapFlag.NO_PREALLOC, typed=True)
_CGROUP_STORAGE = Shape(key_size=8, max_entries=0)
_SHAPES: dict[MapType, Shape] = {
    MapType.HASH: Shape(),
    MapType.ARRAY: Shape(),
    MapType.PROG_ARRAY: Shape(),
    MapType.PERF_EVENT_ARRAY: Shape(),
    MapType.PERCPU_HASH: Shape(),
    MapType.PERCPU_ARRAY: Shape(),
    MapType.STACK_TRACE: Shape(value_size=8),
    MapType.CGROUP_ARRAY: Shape(),
    MapType.LRU_HASH: Shape(),
    MapType.LRU_PERCPU_HASH: Shape(),
    MapType.LPM_TRIE: Shape(key_size=8, flags=MapFlag.NO_PREALLOC),
    MapType.ARRAY_OF_MAPS: Shape(holds_maps=True),
    MapType.HASH_OF_MAPS: Shape(holds_maps=True),
    MapType.DEVMAP: Shape(),
    MapType.SOCKMAP: Shape(),
    MapType.CPUMAP: Shape(),
    MapType.XSKMAP: Shape(),
    MapType.SOCKHASH: Shape(),
    MapType.CGROUP_STORAGE: _CGROUP_STORAGE,
    MapType.REUSEPORT_SOCKARRAY: Shape(value_size=8),
    MapType.PERCPU_CGROUP_STORAGE: _CGROUP_STORAGE,
    MapType.QUEUE: Shape(key_size=0),
    MapType.STACK: Shape(key_size=0),
    MapType.SK_STORAGE: _STORAGE,
    MapType.DEVMAP_HASH: Shape(),
    MapType.RINGBUF: Shape(0, 0, _PAGE),
    MapType.INODE_STORAGE: _STORAGE,
    MapType.TASK_STORAGE: _STORAGE,
    MapType.BLOOM_FILTER: Shape(key_size=0),
    MapType.USER_RINGBUF: Shape(0, 0, _PAGE),
    MapType.CGRP_STORAGE: _STORAGE,
    MapType.ARENA: Shape(0, 0, 1, MapFlag.MMAPABLE),
    MapType.INSN_ARRAY: Shape(value_size=16),
    MapType.RHASH: Shape(flags=MapFlag.NO_PREALLOC),
}


def map_type(number: int) -> Feature:
    """Whether maps of type ``number`` (``enum bpf_map_type``) can be made.  ``ValueError`` for one not in the table."""
    kind = MapType(number)
    if kind is MapType.STRUCT_OPS:
        return attempt("map", "struct_ops", _make_struct_ops)
    if kind not in _SHAPES:
        raise ValueError(f"the smallest map of type {kind.name} is not known")
    return attempt("map", kind.name.lower(), lambda: make(kind, _SHAPES[kind]))


def map_types() -> Iterator[Feature]:
    """Every map type whose smallest map is known."""
    for kind in sorted({*_SHAPES, MapType.STRUCT_OPS}):
        yield map_type(kind)


def make(kind: MapType, shape: Shape, flags: int = 0) -> None:
    """Make a map of that shape, with more ``flags``, and let it go."""
    with ExitStack() as stack:
        types = inner = None
        number = 0
        if shape.typed:
            builder = BtfBuilder()
            number = builder.int("int", 4, signed=True)
            types = stack.enter_context(bpf.btf_load(builder.bytes())[0])
        if shape.holds_maps:
            inner = stack.enter_context(bpf.map_create(MapType.ARRAY, 4, 4, 1))
        bpf.map_create(
            kind,
            shape.key_size,
            shape.value_size,
            shape.max_entries,
            name="feature",
            map_flags=shape.flags | flags,
            btf_fd=types,
            btf_key_type_id=number,
            btf_value_type_id=number,
            inner_map_fd=inner,
        ).close()


def overwritable_ring() -> Feature:
    """Ring buffers that always have room for the newest record (Linux 6.19)."""
    return attempt("machine", "overwritable ring buffer", make_overwritable_ring)


def make_overwritable_ring() -> None:
    """Make one and let it go."""
    make(MapType.RINGBUF, _SHAPES[MapType.RINGBUF], MapFlag.RB_OVERWRITE)


def socket_storage(flags: int = 0) -> None:
    """Make storage that lives with a socket."""
    make(MapType.SK_STORAGE, _STORAGE, flags)


def _make_struct_ops() -> None:
    """Type 1 of the kernel is no operations table: a kernel that knows the map type says ENOTSUPP, any other EINVAL."""
    try:
        bpf.map_create(MapType.STRUCT_OPS, 4, 4, 1, name="feature", btf_vmlinux_value_type_id=1).close()
    except KernelError as error:
        if error.errno not in (refusal.ENOTSUPP, errno.ENOENT):
            raise
