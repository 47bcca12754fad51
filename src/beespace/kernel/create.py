"""Making the maps of an object in the kernel: one after the other, then what each begins with."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from types import MappingProxyType

from beespace.errors import FormatError, KernelError, NotPermitted, NotSupported, UsageError
from beespace.isa.constants import MapFlag, MapType
from beespace.isa.map_releases import FIRST_KERNEL
from beespace.isa.ring_record import ring_size
from beespace.kernel.maps import BPF_F_MMAPABLE, BPF_F_RDONLY_PROG, Map
from beespace.kernel.object_types import ObjectTypes
from beespace.kernel.pinning import DEFAULT_DIRECTORY, Directory, Pin, adopt
from beespace.kernel.swapped import SwappedMap, is_swapped
from beespace.record import dataclass, replace
from beespace.spec import MapSpec, ObjectSpec, Pinning
from beespace.syscall import Descriptor, HasFileno, bpf
from beespace.syscall.memory import PAGE
from beespace.syscall.process import possible_cpus
from beespace.typed import Any

__all__ = ["create_map", "create_maps", "fill_maps", "fill_programs"]

Note = Callable[[str], None]

_OF_MAPS = {MapType.ARRAY_OF_MAPS, MapType.HASH_OF_MAPS}
_RINGS = {MapType.RINGBUF, MapType.USER_RINGBUF}
# The kernel refuses BTF for these, whatever it is (libbpf's bpf_object__create_map()).
_UNTYPED = {
    MapType.PERF_EVENT_ARRAY, MapType.CGROUP_ARRAY, MapType.STACK_TRACE, MapType.ARRAY_OF_MAPS, MapType.HASH_OF_MAPS,
    MapType.DEVMAP, MapType.DEVMAP_HASH, MapType.CPUMAP, MapType.XSKMAP, MapType.SOCKMAP, MapType.SOCKHASH,
    MapType.QUEUE, MapType.STACK, MapType.ARENA,
}  # fmt: skip
# How a kernel refuses what it does not know.
_UNKNOWN = (errno.EINVAL, errno.ENOTSUP, errno.E2BIG, 524)
_NOTHING: Mapping[str, Any] = MappingProxyType({})


def create_map(
    spec: MapSpec, *, types: ObjectTypes | None = None, note: Note | None = None, token: HasFileno | None = None
) -> Map:
    """Create one map: a plain :class:`Map`, or a :class:`SwappedMap` for what :func:`is_swapped` says.

    ``spec`` may leave ``max_entries`` of a perf event array at 0 (one for each CPU), and a ring's at
    any other size (rounded up to a power of two pages).  The kernel's BTF for keys and values is given
    where it takes it; ``token`` is a BPF token to make it with (Linux 6.9).  A kernel without rings (before 5.8) makes
    a perf event array instead, and ``note`` is told what could not be done as asked.  Raises :class:`KernelError` and
    what it stands for.
    """
    making = _Making(types, note or (lambda _: None), token)
    return making.map(_sized(spec))


def _sized(spec: MapSpec) -> MapSpec:
    if spec.type == MapType.PERF_EVENT_ARRAY and not spec.max_entries:
        return replace(spec, max_entries=len(possible_cpus()))
    if spec.type in _RINGS and not spec.max_entries:
        raise UsageError(
            f"ring {spec.name!r} has no size",
            help=f"__uint(max_entries, 256 * 1024) in its definition, or load(..., max_entries={{{spec.name!r}: ...}})",
        )
    if spec.type in _RINGS:
        return replace(spec, max_entries=ring_size(spec.max_entries, PAGE))
    return spec


@dataclass(frozen=True, slots=True)
class _Making:
    """What all maps of an object are made with."""

    types: ObjectTypes | None
    note: Note
    token: HasFileno | None

    def map(self, spec: MapSpec) -> Map:
        """One map, and the tables or the template that it needs."""
        with ExitStack() as undo:
            inner: Map | None = None
            tables: list[Map] = []
            if spec.type in _OF_MAPS:
                if spec.inner is None:
                    raise FormatError(f"map {spec.name!r} holds maps, but nothing says of what kind")
                for _ in range(2 if is_swapped(spec) else 1):
                    tables.append(undo.enter_context(self.map(_sized(spec.inner))))
                inner = tables[0]
            descriptor, spec = self._create(spec, inner)
            undo.callback(descriptor.close)
            made = SwappedMap(descriptor, spec, (tables[0], tables[1])) if len(tables) == 2 else Map(descriptor, spec)
            if spec.type == MapType.ARENA:
                made.memory()  # programs are verified against the address where it is mapped first
            undo.pop_all()
            if inner is not None and len(tables) == 1:
                inner.close()  # the template has served
            return made

    def _create(self, spec: MapSpec, inner: Map | None) -> tuple[Descriptor, MapSpec]:
        """The map, with as much as the kernel takes: each attempt asks for less."""
        refused: KernelError | None = None
        for attempt, typed, said in self._attempts(spec):
            try:
                descriptor = self._ask(attempt, inner, typed)
            except NotPermitted:
                raise
            except KernelError as error:
                refused = refused or error
                if error.errno not in _UNKNOWN:
                    break
                continue
            if said:
                self.note(f"map {spec.name!r}: {said}")
            return descriptor, attempt
        assert refused is not None
        raise _missing(spec, refused) or refused

    def _attempts(self, spec: MapSpec) -> list[tuple[MapSpec, bool, str]]:
        """What to ask for, whether with BTF, and what is to be said about it."""
        known = self.types is not None and self.types.descriptor is not None
        typed = known and bool(spec.key_type or spec.value_type) and spec.type not in _UNTYPED
        attempts = [(spec, True, "")] if typed else []
        attempts.append((spec, False, ""))
        if "." in spec.name:  # names have dots since Linux 5.2
            attempts.append((replace(spec, name=spec.name.replace(".", "_")), False, ""))
        if spec.flags & BPF_F_MMAPABLE and spec.type == MapType.ARRAY:  # Linux 5.5, commit fc9702273e2e
            private = replace(spec, flags=spec.flags & ~BPF_F_MMAPABLE)
            said = "this kernel cannot map arrays into memory (Linux 5.5); read by system calls"
            attempts.append((private, False, said))
        if spec.type == MapType.RINGBUF and not spec.flags & MapFlag.RB_OVERWRITE:
            array = MapSpec(
                spec.name, MapType.PERF_EVENT_ARRAY, 4, 4, len(possible_cpus()), numa_node=spec.numa_node,
                flags=spec.flags & MapFlag.NUMA_NODE, value_type=spec.value_type,
            )  # fmt: skip
            said = "this kernel has no ring buffers (Linux 5.8); it is a perf event array instead"
            attempts.append((array, False, said))
        return attempts

    def _ask(self, spec: MapSpec, inner: Map | None, typed: bool) -> Descriptor:
        return bpf.map_create(
            spec.type,
            spec.key_size,
            spec.value_size,
            spec.max_entries,
            name=spec.name,
            map_flags=spec.flags,
            inner_map_fd=inner,
            numa_node=spec.numa_node,
            btf_fd=self.types.descriptor if typed and self.types is not None else None,
            btf_key_type_id=spec.key_type if typed else 0,
            btf_value_type_id=spec.value_type if typed else 0,
            map_extra=spec.map_extra,
            map_token_fd=self.token,
        )


def _missing(spec: MapSpec, error: KernelError) -> NotSupported | None:
    """The error to raise instead of ``error`` if the kernel makes no map of the type, not even the smallest."""
    since = FIRST_KERNEL.get(spec.type) if error.errno in _UNKNOWN else None
    if since is None:
        return None
    from beespace.kernel.features.map_types import map_type, overwritable_ring  # only who is refused needs it

    if map_type(spec.type).available:
        if spec.type == MapType.RINGBUF and spec.flags & MapFlag.RB_OVERWRITE and not overwritable_ring().available:
            what = f"overwritable ring buffers, as {spec.name!r} is"
            return NotSupported(what, since="6.19", call=error.call, errno=error.errno)
        return None
    kind = MapType(spec.type).name.lower()
    return NotSupported(f"maps of type {kind}, as {spec.name!r} is", since=since, call=error.call, errno=error.errno)


def create_maps(
    spec: ObjectSpec,
    max_entries: Mapping[str, int],
    types: ObjectTypes,
    undo: ExitStack,
    note: Note,
    *,
    reuse: Mapping[str, HasFileno] = _NOTHING,
    pin_directory: Directory | None = None,
    token: HasFileno | None = None,
) -> dict[str, Map]:
    """All maps of an object; each is pushed on ``undo``.  ``max_entries`` overrides sizes by map name.

    Of a map of maps that is swapped, the size of its tables.  ``reuse`` are live maps to take instead of new ones, by
    name; their descriptors are copied.  Maps with ``LIBBPF_PIN_BY_NAME`` are shared: what is pinned under their name
    in ``pin_directory`` (``/sys/fs/bpf``) is taken if it fits, else a new map is pinned there; that pin stays, unless
    ``undo`` ends with an error.
    """
    for what, names in (("max_entries", max_entries), ("maps", reuse)):
        for name in names:
            if name not in spec.maps:
                known = ", ".join(sorted(spec.maps)) or "none"
                raise UsageError(f"object {spec.name!r} has no map {name!r} ({what})", help=f"its maps: {known}")
    making = _Making(types, note, token)
    maps: dict[str, Map] = {}
    for name, each in spec.maps.items():
        if name in max_entries:
            each = _resized(each, max_entries[name])
        each = _sized(each)
        if name in reuse:
            copy = Descriptor(os.dup(reuse[name].fileno()), f"map {name}")
            maps[name] = adopt(copy, each, "the given one", exactly=False)
        elif each.pinning is Pinning.BY_NAME:
            maps[name] = _shared(making, each, DEFAULT_DIRECTORY if pin_directory is None else pin_directory, undo)
        else:
            maps[name] = making.map(_named(spec, each))
        undo.callback(maps[name].close)
    return maps


def _shared(making: _Making, spec: MapSpec, directory: Directory, undo: ExitStack) -> Map:
    """The map that is pinned under the name of ``spec``, or a new one, pinned there."""
    pin = Pin.of(spec, directory)
    found = pin.open(spec)
    if found is not None:
        return found
    made = making.map(spec)
    try:
        if pin.make(made):
            # Closing the object later leaves the pin: sharing is what it is for.
            undo.push(lambda kind, *_: pin.remove() if kind is not None else None)
            return made
        found = pin.open(spec)
    except BaseException:
        made.close()
        raise
    if found is None:  # made and removed by somebody, all in this moment
        return made
    made.close()
    return found


def _resized(spec: MapSpec, max_entries: int) -> MapSpec:
    if max_entries < 1:
        raise UsageError(f"map {spec.name!r} cannot have {max_entries} entries")
    if is_swapped(spec) and spec.inner is not None:
        return replace(spec, inner=replace(spec.inner, max_entries=max_entries))
    return replace(spec, max_entries=max_entries)


def _named(spec: ObjectSpec, each: MapSpec) -> MapSpec:
    """Data sections are called after their object, as libbpf does, so that listings tell them apart.

    All by the same 8 letters at most; those that somebody gave a name (``.data.mine``) by it alone.
    """
    if not each.name.startswith(".") or "." in each.name[1:]:
        return each
    room = 15 - max(len(each.name), len(".rodata"))
    return replace(each, name=spec.name[: max(room, 0)] + each.name)


def fill_maps(spec: ObjectSpec, maps: Mapping[str, Map], data: Mapping[str, bytes], arena_start: int = 0) -> None:
    """Write what maps begin with, and freeze those that programs may only read.  Reused ones keep what they hold.

    Contents that name a program (tail calls) are left for :func:`fill_programs`.  ``arena_start`` is the byte
    offset of variables in an arena.
    """
    for name, content in data.items():
        target = maps[name]
        if target.reused:
            continue
        if target.spec.type == MapType.ARENA:
            target.memory()[arena_start : arena_start + len(content)] = content
            continue
        target.update(bytes(4), content.ljust(target.spec.value_size, b"\0"))
        if target.spec.flags & BPF_F_RDONLY_PROG:
            target.freeze()
    for name, each in spec.maps.items():
        for key, value in () if maps[name].reused else each.contents:
            if isinstance(value, bytes):
                maps[name].update(key, value)
            elif value in maps:
                maps[name].update(key, maps[value].fileno().to_bytes(4, sys.byteorder))
            elif value not in spec.programs:
                raise FormatError(f"map {name!r} should hold {value!r}, which is no map or program of {spec.name!r}")


def fill_programs(spec: ObjectSpec, maps: Mapping[str, Map], programs: Mapping[str, HasFileno]) -> None:
    """Write the programs that maps of them begin with (``BPF_MAP_TYPE_PROG_ARRAY``); those not loaded are left out."""
    for name, each in spec.maps.items():
        for key, value in each.contents:
            if isinstance(value, str) and value not in maps and value in programs:
                maps[name].update(key, programs[value].fileno().to_bytes(4, sys.byteorder))
