"""Making the maps of an object in the kernel: one after the other, then what each begins with."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack

from beespace.errors import FormatError, KernelError, NotPermitted, UsageError
from beespace.isa.constants import MapType
from beespace.kernel.maps import BPF_F_MMAPABLE, BPF_F_RDONLY_PROG, Map
from beespace.kernel.object_types import ObjectTypes
from beespace.kernel.swapped import SwappedMap, is_swapped
from beespace.record import replace
from beespace.spec import MapSpec, ObjectSpec
from beespace.syscall import Descriptor, HasFileno, bpf
from beespace.syscall.process import possible_cpus

__all__ = ["create_map", "create_maps", "fill_maps", "fill_programs"]

_OF_MAPS = {MapType.ARRAY_OF_MAPS, MapType.HASH_OF_MAPS}


def create_map(spec: MapSpec, *, types: ObjectTypes | None = None, note: Callable[[str], None] | None = None) -> Map:
    """Create one map: a plain :class:`Map`, or a :class:`SwappedMap` for what :func:`is_swapped` says.

    ``spec`` may leave ``max_entries`` of a perf event array at 0 (one for each CPU), and a ring's at
    any size (rounded up to a power of two pages).  The kernel's BTF for keys and values is given
    where it takes it.  Raises :class:`KernelError` and what it stands for.
    """
    spec = _sized(spec)
    with ExitStack() as undo:
        inner: Map | None = None
        tables: list[Map] = []
        if spec.type in _OF_MAPS:
            if spec.inner is None:
                raise FormatError(f"map {spec.name!r} holds maps, but nothing says of what kind")
            for _ in range(2 if is_swapped(spec) else 1):
                tables.append(undo.enter_context(create_map(spec.inner, types=types)))
            inner = tables[0]
        descriptor, spec = _create(spec, inner, types, note or (lambda _: None))
        undo.callback(descriptor.close)
        made: Map
        if len(tables) == 2:
            made = SwappedMap(descriptor, spec, (tables[0], tables[1]))
        else:
            made = Map(descriptor, spec)
            if inner is not None:
                inner.close()  # the template has served
        undo.pop_all()
        return made


def _sized(spec: MapSpec) -> MapSpec:
    if spec.type == MapType.PERF_EVENT_ARRAY and not spec.max_entries:
        return replace(spec, max_entries=len(possible_cpus()))
    if spec.type == MapType.RINGBUF:
        page = os.sysconf("SC_PAGE_SIZE")
        return replace(spec, max_entries=max(page, 1 << max(spec.max_entries - 1, 0).bit_length()))
    return spec


def _create(
    spec: MapSpec, inner: Map | None, types: ObjectTypes | None, note: Callable[[str], None]
) -> tuple[Descriptor, MapSpec]:
    """The map, with as much as the kernel takes: first with BTF, then without, then not for mapping."""
    attempts = [spec]
    if types is not None and types.descriptor is not None and (spec.key_type or spec.value_type):
        attempts.append(replace(spec, key_type=0, value_type=0))
    if spec.flags & BPF_F_MMAPABLE and spec.type == MapType.ARRAY:  # Linux 5.5, commit fc9702273e2e
        attempts.append(replace(spec, key_type=0, value_type=0, flags=spec.flags & ~BPF_F_MMAPABLE))
    refused: KernelError | None = None
    for attempt in attempts:
        try:
            descriptor = _create_as(attempt, inner, types)
        except NotPermitted:
            raise
        except KernelError as error:
            refused = refused or error
            if error.errno not in (errno.EINVAL, errno.ENOTSUP, 524):
                break
            continue
        if attempt.flags != spec.flags:
            note(f"map {spec.name!r}: this kernel cannot map arrays into memory (Linux 5.5); read by system calls")
        return descriptor, attempt
    assert refused is not None
    raise refused


def _create_as(spec: MapSpec, inner: Map | None, types: ObjectTypes | None) -> Descriptor:
    typed = types is not None and types.descriptor is not None and bool(spec.key_type or spec.value_type)
    return bpf.map_create(
        spec.type,
        spec.key_size,
        spec.value_size,
        spec.max_entries,
        name=spec.name,
        map_flags=spec.flags,
        inner_map_fd=inner,
        numa_node=spec.numa_node,
        btf_fd=types.descriptor if typed and types is not None else None,
        btf_key_type_id=spec.key_type if typed else 0,
        btf_value_type_id=spec.value_type if typed else 0,
        map_extra=spec.map_extra,
    )


def create_maps(
    spec: ObjectSpec, max_entries: Mapping[str, int], types: ObjectTypes, undo: ExitStack, note: Callable[[str], None]
) -> dict[str, Map]:
    """All maps of an object; each is pushed on ``undo``.  ``max_entries`` overrides sizes by map name.

    Of a map of maps that is swapped, the size of its tables.
    """
    for name in max_entries:
        if name not in spec.maps:
            known = ", ".join(sorted(spec.maps)) or "none"
            raise UsageError(f"object {spec.name!r} has no map {name!r}", help=f"its maps: {known}")
    maps: dict[str, Map] = {}
    for name, each in spec.maps.items():
        if name in max_entries:
            each = _resized(each, max_entries[name])
        if each.pinning.value:
            note(f"map {name!r} asks to be shared by its name in bpffs; it is kept private")
        maps[name] = create_map(_named(spec, each), types=types, note=note)
        undo.callback(maps[name].close)
    return maps


def _resized(spec: MapSpec, max_entries: int) -> MapSpec:
    if max_entries < 1:
        raise UsageError(f"map {spec.name!r} cannot have {max_entries} entries")
    if is_swapped(spec) and spec.inner is not None:
        return replace(spec, inner=replace(spec.inner, max_entries=max_entries))
    return replace(spec, max_entries=max_entries)


def _named(spec: ObjectSpec, each: MapSpec) -> MapSpec:
    """Data sections are called after their object, as libbpf does, so that listings tell them apart."""
    if not each.name.startswith("."):
        return each
    room = 15 - len(each.name)
    return replace(each, name=spec.name[: max(room, 0)] + each.name)


def fill_maps(spec: ObjectSpec, maps: Mapping[str, Map], data: Mapping[str, bytes]) -> None:
    """Write what maps begin with, and freeze those that programs may only read.

    Contents that name a program (tail calls) are left for :func:`fill_programs`.
    """
    for name, content in data.items():
        target = maps[name]
        target.update(bytes(4), content.ljust(target.spec.value_size, b"\0"))
        if target.spec.flags & BPF_F_RDONLY_PROG:
            target.freeze()
    for name, each in spec.maps.items():
        for key, value in each.contents:
            if isinstance(value, bytes):
                maps[name].update(key, value)
            elif value in maps:
                maps[name].update(key, maps[value].fileno().to_bytes(4, "little"))
            elif value not in spec.programs:
                raise FormatError(f"map {name!r} should hold {value!r}, which is no map or program of {spec.name!r}")


def fill_programs(spec: ObjectSpec, maps: Mapping[str, Map], programs: Mapping[str, HasFileno]) -> None:
    """Write the programs that maps of them begin with (``BPF_MAP_TYPE_PROG_ARRAY``); those not loaded are left out."""
    for name, each in spec.maps.items():
        for key, value in each.contents:
            if isinstance(value, str) and value not in maps and value in programs:
                maps[name].update(key, programs[value].fileno().to_bytes(4, "little"))
