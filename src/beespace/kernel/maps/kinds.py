"""Which container a map gets, by its type: one table."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib import import_module

from beespace.isa.constants import MapType
from beespace.kernel.maps.coding import Types
from beespace.kernel.maps.map import Map
from beespace.record import replace
from beespace.syscall import HasFileno, bpf
from beespace.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from beespace.btf import Btf

__all__ = ["CLASSES", "LiveMaps", "container", "open_id", "open_pinned"]

# Class and its module, which is imported when the first map of that type is asked for.
CLASSES: Mapping[int, tuple[str, str]] = {
    MapType.HASH: ("HashMap", "hash"),
    MapType.LRU_HASH: ("HashMap", "hash"),
    MapType.RHASH: ("HashMap", "hash"),
    MapType.PERCPU_HASH: ("PerCpuHashMap", "per_cpu"),
    MapType.LRU_PERCPU_HASH: ("PerCpuHashMap", "per_cpu"),
    MapType.ARRAY: ("ArrayMap", "array"),
    MapType.PERCPU_ARRAY: ("PerCpuArrayMap", "per_cpu"),
    MapType.LPM_TRIE: ("LpmTrie", "lpm_trie"),
    MapType.QUEUE: ("Queue", "queue"),
    MapType.STACK: ("Stack", "queue"),
    MapType.BLOOM_FILTER: ("BloomFilter", "bloom_filter"),
    MapType.ARRAY_OF_MAPS: ("ArrayOfMaps", "of_maps"),
    MapType.HASH_OF_MAPS: ("HashOfMaps", "of_maps"),
    MapType.PROG_ARRAY: ("ProgramArray", "slots"),
    MapType.PERF_EVENT_ARRAY: ("PerfEventArray", "slots"),
    MapType.CGROUP_ARRAY: ("CgroupArray", "slots"),
    MapType.XSKMAP: ("XskMap", "slots"),
    MapType.DEVMAP: ("DevMap", "redirect"),
    MapType.DEVMAP_HASH: ("DevMap", "redirect"),
    MapType.CPUMAP: ("CpuMap", "redirect"),
    MapType.SOCKMAP: ("SockMap", "sockets"),
    MapType.SOCKHASH: ("SockMap", "sockets"),
    MapType.REUSEPORT_SOCKARRAY: ("SockMap", "sockets"),
    MapType.STACK_TRACE: ("StackTraces", "stack_traces"),
    MapType.TASK_STORAGE: ("TaskStorage", "storage"),
    MapType.INODE_STORAGE: ("InodeStorage", "storage"),
    MapType.SK_STORAGE: ("SocketStorage", "storage"),
    MapType.CGRP_STORAGE: ("CgroupStorage", "storage"),
    MapType.CGROUP_STORAGE: ("AttachedCgroupStorage", "cgroup_storage"),
    MapType.PERCPU_CGROUP_STORAGE: ("AttachedCgroupStorage", "cgroup_storage"),
    MapType.RINGBUF: ("Ring", "rings"),
    MapType.USER_RINGBUF: ("UserRing", "rings"),
    MapType.ARENA: ("Arena", "arena"),
    MapType.STRUCT_OPS: ("StructOps", "struct_ops"),
    MapType.INSN_ARRAY: ("InstructionArray", "instruction_array"),
}


def container(raw: Map, types: Types = lambda: None) -> Any:
    """The container for a map's type over ``raw``, which it then owns; ``raw`` itself for a type that is not known.

    ``types`` gives the BTF that the ids in ``raw.spec`` belong to.
    """
    known = CLASSES.get(raw.spec.type)
    if known is None:
        return raw
    name, module = known
    return getattr(import_module(f"{__package__}.{module}"), name)(raw, types)


def open_pinned(path: str | os.PathLike[str], *, directory: HasFileno | None = None) -> Any:
    """The map that is pinned at ``path``, as the container of its type; the caller closes it.

    Keys and values are typed by the BTF that the kernel has for it, if any.  ``path`` counts from ``directory``, if
    given.  ``ENOENT`` if nothing is pinned there; :class:`UsageError` if it is no map.
    """
    return _typed(Map.open_pinned(path, directory=directory))


def open_id(map_id: int) -> Any:
    """The map of that id, as :func:`open_pinned`.  ``ENOENT`` if there is none; needs CAP_SYS_ADMIN."""
    return _typed(Map.from_id(map_id))


def _typed(raw: Map) -> Any:
    """The container over a map that somebody else made."""
    try:
        info = raw.info
        raw.spec = replace(raw.spec, key_type=info.btf_key_type_id, value_type=info.btf_value_type_id)
        return container(raw, _types_of(info.btf_id) if info.btf_id else lambda: None)
    except BaseException:
        raw.close()
        raise


def _types_of(btf_id: int) -> Callable[[], Btf]:
    @cache
    def types() -> Btf:
        from beespace.btf import Btf

        with bpf.btf_get_fd_by_id(btf_id) as descriptor:
            return Btf(bpf.btf_data(descriptor))

    return types


class LiveMaps(Mapping[str, Any]):
    """The maps of a loaded object by name, each as the container of its type, made when it is first asked for.

    :attr:`raw` has the same maps in bytes.  They belong to the object, which closes them.
    """

    def __init__(self, raw: Mapping[str, Map], types: Types = lambda: None) -> None:
        self.raw = raw
        self._types = types
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        made = self._made.get(name)
        if made is None:
            if name not in self.raw:
                raise KeyError(f"the object has no map {name!r}; its maps: {', '.join(self.raw) or 'none'}")
            made = self._made[name] = container(self.raw[name], self._types)
        return made

    def __contains__(self, name: object) -> bool:
        return name in self.raw

    def __iter__(self) -> Iterator[str]:
        return iter(self.raw)

    def __len__(self) -> int:
        return len(self.raw)

    def __repr__(self) -> str:
        return f"<maps {', '.join(self.raw) or '(none)'}>"
