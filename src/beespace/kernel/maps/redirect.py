"""Where XDP programs send packets: DEVMAP (Linux 4.14), DEVMAP_HASH (5.4), CPUMAP (4.15)."""

from __future__ import annotations

import errno
import sys
from functools import cached_property

from beespace.errors import KernelError, UsageError
from beespace.kernel.maps.coding import Coding
from beespace.kernel.maps.slots import Slots
from beespace.typed import Any, NamedTuple

__all__ = ["CpuMap", "CpuQueue", "DevMap", "Device"]


class Device(NamedTuple):
    """A network interface by its index, and the id of the XDP program that runs there (0: none; Linux 5.8)."""

    ifindex: int
    program_id: int = 0


class CpuQueue(NamedTuple):
    """Packets that may wait for a CPU, and the id of the XDP program that runs there (0: none; Linux 5.9)."""

    size: int
    program_id: int = 0


class _Target:
    """``struct bpf_devmap_val`` and ``struct bpf_cpumap_val``: a number, then a program's descriptor or id."""

    def __init__(self, size: int, name: str, made: type[Device] | type[CpuQueue]) -> None:
        self.size = size
        self._name = name
        self._made = made

    def decode(self, data: bytes, offset: int = 0) -> Device | CpuQueue:
        """What the kernel tells."""
        words = [data[at : at + 4] for at in range(offset, offset + self.size, 4)]
        return self._made(*[int.from_bytes(word, sys.byteorder) for word in words])

    def encode(self, value: Any) -> bytes:
        """A number (or the name of an interface) alone, or with a program."""
        target, program = (value, None) if not isinstance(value, tuple) or len(value) != 2 else value
        if isinstance(target, str) and self._made is Device:
            target = _index_of(target)
        if not isinstance(target, int):
            raise UsageError(f"map {self._name!r} takes {self._made.__doc__}, not {value!r}")
        data = target.to_bytes(4, sys.byteorder)
        if isinstance(value, Device | CpuQueue) and program:
            raise UsageError(f"{value!r} names a program by its id", help="give the program itself: (target, program)")
        program = program or None
        if self.size == 4:
            if program is not None:
                raise UsageError(
                    f"map {self._name!r} has no room for programs",
                    help="make its values struct bpf_devmap_val or bpf_cpumap_val",
                )
            return data
        number = -1 if program is None else program if isinstance(program, int) else program.fileno()
        return data + int(number).to_bytes(4, sys.byteorder, signed=True)


def _index_of(name: str) -> int:
    """The index of a network interface of this namespace."""
    from beespace.syscall import rtnetlink  # a name is rare
    from beespace.syscall.netlink import Netlink

    try:
        with Netlink() as netlink:
            return rtnetlink.interface(netlink, name).index
    except KernelError as error:
        if error.errno not in (errno.ENODEV, errno.ERANGE):  # ERANGE: the name is too long to be one
            raise
        raise UsageError(f"there is no network interface {name!r}") from error


class DevMap(Slots):
    """Indices or keys to network interfaces.

    An index, the name of an interface, or ``(interface, program)`` goes in (the program as a descriptor, run for
    every packet that leaves there); a :class:`Device` comes out.
    """

    @cached_property
    def value(self) -> Coding:
        return _Target(self.spec.value_size, self.name, Device)


class CpuMap(Slots):
    """CPUs to the length of their queue.

    A number of packets, or ``(number, program)``, goes in; a :class:`CpuQueue` comes out.
    """

    @cached_property
    def value(self) -> Coding:
        return _Target(self.spec.value_size, self.name, CpuQueue)
