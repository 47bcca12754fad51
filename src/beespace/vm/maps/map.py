"""``Map``: what every map can be asked, and ``Element``: a value that programs hold pointers to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from beespace.spec import MapSpec
from beespace.vm.errno import Errno, Refused

if TYPE_CHECKING:
    from beespace.vm.memory import Region

__all__ = ["ANY", "EXIST", "NOEXIST", "Element", "Map"]

ANY, NOEXIST, EXIST = 0, 1, 2  # BPF_ANY, BPF_NOEXIST, BPF_EXIST


class Element:
    """One value.  ``region`` is where programs see it, once one has looked."""

    __slots__ = ("region", "value")

    def __init__(self, value: bytearray) -> None:
        self.value = value
        self.region: Region | None = None


class Map:
    """One map of ``spec``, for programs on ``cpus`` CPUs.

    Methods on :class:`Element` are a program's: they see the value of its CPU.  :meth:`read`, :meth:`write`,
    :meth:`remove` and :meth:`next_key` are what the system call does.  What a map type does not have is refused as the
    kernel does it.  :class:`Refused` has the error number.
    """

    def __init__(self, spec: MapSpec, cpus: int) -> None:
        self.spec, self.cpus = spec, cpus

    # -- of programs ---------------------------------------------------------------------------------------------

    def lookup(self, key: bytes, cpu: int) -> Element | None:
        """The element of a key; ``None`` if there is none."""
        raise Refused(Errno.EOPNOTSUPP)

    def update(self, key: bytes, value: bytes, flags: int, cpu: int) -> None:
        """Write a value, that of one CPU."""
        raise Refused(Errno.EOPNOTSUPP)

    def delete(self, key: bytes) -> None:
        """Remove an element."""
        raise Refused(Errno.EOPNOTSUPP)

    def elements(self, cpu: int) -> Iterator[tuple[bytes, Element]]:
        """Every key and element, as ``bpf_for_each_map_elem`` walks."""
        raise Refused(Errno.EINVAL)

    # -- of user space -------------------------------------------------------------------------------------------

    def read(self, key: bytes, flags: int = 0) -> bytes:
        """A value; that of all CPUs, each padded to eight bytes, where every CPU has its own."""
        raise Refused(Errno.EOPNOTSUPP)

    def write(self, key: bytes, value: bytes, flags: int = ANY) -> None:
        """Write a value, or those of all CPUs."""
        raise Refused(Errno.EOPNOTSUPP)

    def remove(self, key: bytes) -> None:
        """Remove an element."""
        self.delete(key)

    def next_key(self, key: bytes | None) -> bytes:
        """The key behind ``key``; the first one for ``None``; ``ENOENT`` at the end."""
        raise Refused(Errno.EOPNOTSUPP)
