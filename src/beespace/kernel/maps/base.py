"""``Container``: what every typed map has, whatever its type."""

from __future__ import annotations

import os
from functools import cached_property

from beespace.isa.constants import UpdateFlag
from beespace.kernel.maps.coding import Coding, PerCpu, Types, coding
from beespace.kernel.maps.map import Map
from beespace.syscall import HasFileno
from beespace.syscall.process import possible_cpus
from beespace.typed import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from beespace.spec import MapSpec
    from beespace.syscall import bpf

__all__ = ["Container", "write_flags"]


def write_flags(kind: UpdateFlag, locked: bool) -> int:
    """The flags of an update."""
    return int(kind | UpdateFlag.LOCK if locked else kind)


class Container:
    """A live map as a Python object.

    :attr:`raw` is the same map in bytes; closing either closes both.  What there is to read and to write says
    the class of the map's type.  Methods raise :class:`KernelError` for what the kernel refuses.
    """

    def __init__(self, raw: Map, types: Types = lambda: None) -> None:
        self.raw = raw
        self._types = types

    @property
    def spec(self) -> MapSpec:
        """What the map was made from."""
        return self.raw.spec

    @property
    def name(self) -> str:
        """Its name in its object (the kernel keeps 15 characters of it)."""
        return self.raw.name

    @property
    def info(self) -> bpf.MapInfo:
        """What the kernel says about it (``struct bpf_map_info``)."""
        return self.raw.info

    def fileno(self) -> int:
        """The number of the map's descriptor."""
        return self.raw.fileno()

    # -- types ---------------------------------------------------------------------------------------------

    @cached_property
    def key(self) -> Coding:
        """How keys are encoded."""
        return coding(self._types, self.spec.key_type, self.spec.key_size, f"a key of map {self.name!r}")

    @cached_property
    def value(self) -> Coding:
        """How values are encoded; those of per-CPU maps are one for each CPU."""
        one = coding(self._types, self.spec.value_type, self.spec.value_size, f"a value of map {self.name!r}")
        return PerCpu(one, len(possible_cpus())) if self.raw.per_cpu else one

    # -- lifetime ------------------------------------------------------------------------------------------

    def freeze(self) -> None:
        """Forbid user space to write the map ever again (Linux 5.2)."""
        self.raw.freeze()

    def pin(self, path: str | os.PathLike[str], *, directory: HasFileno | None = None) -> None:
        """Give it a name in a bpf file system, which keeps it alive when everybody has closed it.

        ``path`` counts from ``directory``, if given.  :func:`beespace.kernel.maps.open_pinned` opens it again.
        """
        self.raw.pin(path, directory=directory)

    def unpin(self, path: str | os.PathLike[str], *, directory: HasFileno | None = None) -> None:
        """Remove a name that :meth:`pin` gave.  ``FileNotFoundError`` if there is none."""
        os.unlink(path, dir_fd=None if directory is None else directory.fileno())

    def close(self) -> None:
        """Close the map; the kernel keeps it while a program or a pin holds it.  Calling it again does nothing."""
        self.raw.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return repr(self.raw).replace(type(self.raw).__name__, type(self).__name__, 1)
