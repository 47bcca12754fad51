"""One live map behind its declaration: in bytes, and as the container of its type."""

from __future__ import annotations

import errno
import struct
from collections.abc import Callable, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from beespace.errors import KernelError, UsageError
from beespace.kernel.create import create_map
from beespace.kernel.maps import Map, container
from beespace.syscall import bpf

if TYPE_CHECKING:
    from beespace.kernel.stacks import KernelFunctions

__all__ = ["LiveMap", "Losses"]

_NOTHING: Mapping[str, Map] = MappingProxyType({})


class Losses:
    """The counters that the compiled code keeps beside every map that can be full."""

    def __init__(self, live: Map | None) -> None:
        self._live = live

    def of(self, index: int) -> int:
        """The sum over all CPUs for the map of that number."""
        if self._live is None:
            return 0
        data = self._live.get(index.to_bytes(4, "little")) or b""
        return sum(struct.unpack(f"={len(data) // 8}Q", data))


class LiveMap:
    """The bytes of one map, and how much was lost on the way into it."""

    def __init__(
        self,
        live: Map,
        losses: Losses,
        index: int,
        container: Callable[[], Any],
        others: Mapping[str, Map] = _NOTHING,
        programs: Mapping[str, Any] = _NOTHING,
    ) -> None:
        self.live = live
        self.get = live.get
        self.update = live.update
        self.delete = live.delete
        self.keys = live.keys
        self.items = live.items
        self.take = live.take
        self.pop = live.pop
        self._losses = losses
        self._index = index
        self._container = container
        self._functions: KernelFunctions | None = None
        self._others = others
        self._programs = programs
        self._inners: dict[int, LiveMap] = {}

    def lost(self) -> int:
        """Insertions that found the map full, since the start."""
        return self._losses.of(self._index)

    def put(self, key: bytes, value: bytes, flags: int) -> bool:
        """Write an entry with ``BPF_NOEXIST`` or ``BPF_EXIST``; False if these forbid it."""
        try:
            self.live.update(key, value, flags)
        except KernelError as error:
            if error.errno not in (errno.EEXIST, errno.ENOENT):
                raise
            return False
        return True

    @cached_property
    def container(self) -> Any:
        """The typed container of the map's type."""
        return self._container()

    def symbols(self, addresses: list[int], pid: int | None = None) -> list[str]:
        """The functions of a stack, by name: of process ``pid``, or the kernel, whose are read once."""
        if pid is not None:
            from beespace.kernel.stacks import ProcessFunctions

            return ProcessFunctions(pid).names(addresses)
        if self._functions is None:
            from beespace.kernel.stacks import KernelFunctions  # reads a list of 100,000 lines

            self._functions = KernelFunctions()
        return self._functions.names(addresses)

    # --- by type ---

    def program(self, method: str) -> Any:
        """The loaded program of that name."""
        if method not in self._programs:
            known = ", ".join(self._programs) or "none"
            raise UsageError(f"there is no program {method!r}", help=f"the programs: {known}")
        return self._programs[method]

    def holds(self, value: bytes) -> bool:
        """Whether a bloom filter holds a value."""
        return bpf.map_holds(self.live, value)

    def stored(self, owner: Any) -> bytes | None:
        """The bytes that are stored for the owner of a storage."""
        with self.container.key_of(owner) as key:
            return self.live.get(key)

    def store(self, owner: Any, value: bytes) -> None:
        """Write them."""
        with self.container.key_of(owner) as key:
            self.live.update(key, value)

    def forget(self, owner: Any) -> bool:
        """Delete them; whether there were any."""
        with self.container.key_of(owner) as key:
            return self.live.delete(key)

    def new_inner(self) -> LiveMap:
        """A new map as the template of a map of maps says, which this keeps open."""
        template = self.live.spec.inner
        assert template is not None
        return self._inner(create_map(template))

    def open_inner(self, map_id: int) -> LiveMap:
        """The inner map of that id."""
        known = self._inners.get(map_id)
        return known if known is not None else self._inner(Map.from_id(map_id))

    def _inner(self, live: Map) -> LiveMap:
        made = LiveMap(live, self._losses, self._index, lambda: container(live))
        self._inners[live.info.id] = made
        return made

    def fileno(self) -> int:
        """The number of the map's descriptor."""
        return self.live.fileno()

    def companion(self, suffix: str) -> Map:
        """The map of that name beside this one."""
        return self._others[f"{self.live.name}_{suffix}"]

    def close(self) -> None:
        """Close what was opened here; the map itself belongs to its object."""
        for inner in self._inners.values():
            inner.live.close()
        self._inners.clear()
