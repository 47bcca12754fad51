"""``Map``: what every map can be asked, and ``Element``: a value that programs hold pointers to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from beespace.errors import UsageError
from beespace.spec import MapSpec
from beespace.vm.errno import Errno, Refused

if TYPE_CHECKING:
    from beespace.vm.memory import Region

__all__ = ["ANY", "EXIST", "LOCK", "NOEXIST", "Element", "Map", "check_flags"]

ANY, NOEXIST, EXIST, LOCK = 0, 1, 2, 4  # BPF_ANY, BPF_NOEXIST, BPF_EXIST, BPF_F_LOCK
_CPU, _ALL_CPUS = 8, 16  # BPF_F_CPU, BPF_F_ALL_CPUS
_CPU_SHIFT = 32  # above, the number of the CPU


class Element:
    """One value.  ``region`` is where programs see it, once one has looked."""

    __slots__ = ("region", "value")

    def __init__(self, value: bytes) -> None:
        self.value = bytearray(value)
        self.region: Region | None = None


class Map:
    """One map of ``spec``, for programs on ``cpus`` CPUs.

    :meth:`lookup`, :meth:`update`, :meth:`delete`, :meth:`elements`, :meth:`push`, :meth:`pop` and :meth:`peek` are
    what programs do: of a map with a value for each CPU they see that of ``cpu``.  :meth:`read`, :meth:`write`,
    :meth:`remove`, :meth:`take` and :meth:`keys` are what the system call does.  :class:`Refused` has the error number
    of the kernel's operation.  ``dropped`` are elements that programs may still hold pointers to.
    """

    sizes: tuple[int | None, int | None] = (None, None)  # of key and value, where the type has one of its own
    per_cpu = False

    def __init__(self, spec: MapSpec, cpus: int) -> None:
        self.spec, self.cpus = spec, cpus
        self.dropped: list[Element] = []
        key, value = self.sizes
        if not (spec.key_size == key if key is not None else spec.key_size > 0):
            raise UsageError(f"map {spec.name!r} cannot have keys of {spec.key_size} bytes")
        if not (spec.value_size == value if value is not None else spec.value_size > 0):
            raise UsageError(f"map {spec.name!r} cannot have values of {spec.value_size} bytes")
        if spec.max_entries < 1:
            raise UsageError(f"map {spec.name!r} has no room for entries")

    # -- of programs ---------------------------------------------------------------------------------------------

    def lookup(self, key: bytes, cpu: int) -> Element | None:
        """The element of a key; ``None`` if there is none."""
        return self.find(key, cpu)

    def find(self, key: bytes, cpu: int) -> Element | None:
        """The same, and nobody notices."""
        raise Refused(Errno.EOPNOTSUPP)

    def update(self, key: bytes, value: bytes, flags: int, cpu: int) -> None:
        """Write a value."""
        raise Refused(Errno.EOPNOTSUPP)

    def delete(self, key: bytes) -> None:
        """Remove an element."""
        raise Refused(Errno.EOPNOTSUPP)

    def elements(self, cpu: int) -> Iterator[tuple[bytes, Element]]:
        """Every key and element, as ``bpf_for_each_map_elem`` walks."""
        raise Refused(Errno.EINVAL)

    def push(self, value: bytes, flags: int) -> None:
        """Put a value in."""
        raise Refused(Errno.EOPNOTSUPP)

    def pop(self) -> bytes:
        """Take a value out; ``ENOENT`` if there is none."""
        raise Refused(Errno.EOPNOTSUPP)

    def peek(self, value: bytes) -> bytes:
        """Look at the value that :meth:`pop` would take; of a filter, whether ``value`` is in it."""
        raise Refused(Errno.EOPNOTSUPP)

    # -- of user space -------------------------------------------------------------------------------------------

    def read(self, key: bytes, flags: int = 0) -> bytes:
        """A value; those of all CPUs, each padded to eight bytes, where every CPU has its own.  ``ENOENT`` if none.

        With ``BPF_F_CPU`` in ``flags``, the value of the CPU whose number is above.
        """
        chosen = self._chosen(flags)
        if flags & ~_CPU & (1 << _CPU_SHIFT) - 1:
            raise Refused(Errno.EINVAL)
        values = []
        for cpu in chosen or range(self.cpus if self.per_cpu else 1):
            element = self.find(self._key(key), cpu)
            if element is None:
                raise Refused(Errno.ENOENT)
            values.append(bytes(element.value))
        if not self.per_cpu or chosen is not None:
            return values[0]
        return b"".join(value.ljust(self.padded, b"\0") for value in values)

    def write(self, key: bytes, value: bytes, flags: int = ANY) -> None:
        """Write a value, or those of all CPUs as :meth:`read` gives them.

        With ``BPF_F_CPU`` in ``flags`` that of the CPU whose number is above, with ``BPF_F_ALL_CPUS`` one for each.
        """
        if flags & LOCK:
            raise Refused(Errno.EINVAL)  # no value of ours has a lock
        chosen = self._chosen(flags)
        size = self.padded * self.cpus if self.per_cpu and chosen is None else self.spec.value_size
        if len(value) != size:
            raise UsageError(f"a value of map {self.spec.name!r} has {size} bytes, not {len(value)}")
        if not self.per_cpu:
            self.update(self._key(key), value, flags, 0)
            return
        if chosen is not None:
            flags = self.beside_cpus(flags & ~(_CPU | _ALL_CPUS) & (1 << _CPU_SHIFT) - 1)
        for number, cpu in enumerate(range(self.cpus) if chosen is None else chosen):
            part = value if chosen is not None else value[cpu * self.padded :][: self.spec.value_size]
            self.update(self._key(key), part, ANY if number else flags, cpu)

    def beside_cpus(self, flags: int) -> int:
        """What other flags say of an update for chosen CPUs."""
        return flags

    def _chosen(self, flags: int) -> range | None:
        """For which CPUs flags say that there is one value; ``None`` if they do not."""
        which, cpu = flags & (_CPU | _ALL_CPUS), flags >> _CPU_SHIFT
        if not which and not cpu:
            return None
        if not self.per_cpu or which == _CPU | _ALL_CPUS or (cpu and which != _CPU):
            raise Refused(Errno.EINVAL)
        if cpu >= self.cpus:
            raise Refused(Errno.ERANGE)
        return range(cpu, cpu + 1) if which == _CPU else range(self.cpus)

    def remove(self, key: bytes) -> None:
        """Remove an element; ``ENOENT`` if there is none."""
        self.delete(self._key(key))

    def take(self, key: bytes) -> bytes:
        """:meth:`read` and :meth:`remove`."""
        value = self.read(key)
        self.remove(key)
        return value

    def keys(self) -> list[bytes]:
        """All keys."""
        raise Refused(Errno.EOPNOTSUPP)

    @property
    def padded(self) -> int:
        """How far the values of two CPUs are from each other, for user space."""
        return (self.spec.value_size + 7) // 8 * 8

    def _key(self, key: bytes) -> bytes:
        if len(key) != self.spec.key_size:
            raise UsageError(f"a key of map {self.spec.name!r} has {self.spec.key_size} bytes, not {len(key)}")
        return key


def check_flags(flags: int, exists: bool) -> None:
    """What flags of an update say of a key that is there or not."""
    if flags > EXIST:
        raise Refused(Errno.EINVAL)
    if exists and flags == NOEXIST:
        raise Refused(Errno.EEXIST)
    if not exists and flags == EXIST:
        raise Refused(Errno.ENOENT)
