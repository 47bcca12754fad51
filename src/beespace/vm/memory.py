"""The address space: regions far from each other, and nothing between them.

Every region has four gigabytes of addresses to itself and stands in the middle of them, so that no 32-bit
offset leads from one to another.  The first four gigabytes are for the packet, whose address some contexts
hold in 32 bits (``struct xdp_md``, ``struct __sk_buff``).
"""

from __future__ import annotations

from enum import Flag, auto

__all__ = ["Memory", "Region", "Rights", "Violation"]

_SPAN = 32  # bits of the addresses that a region has to itself
_MIDDLE = 1 << 31


class Rights(Flag):
    """What a program may do with a region."""

    NONE = 0  # a handle: of a map, of a function
    READ = auto()
    WRITE = auto()
    BOTH = READ | WRITE


class Violation(Exception):
    """What a program did that it may not; the run adds where."""


class Region:
    """Memory from ``base`` on: ``data`` may grow and shrink, ``rights`` hold for every byte of it.

    ``owner`` is what the memory is of, where that is more than bytes.
    """

    __slots__ = ("base", "data", "name", "owner", "rights")

    def __init__(self, name: str, base: int, data: bytearray, rights: Rights, owner: object = None) -> None:
        self.name, self.base, self.rights, self.owner = name, base, rights, owner
        self.data: bytearray | memoryview = data

    def __repr__(self) -> str:
        return f"<Region {self.name!r}: {len(self.data)} bytes at {self.base:#x}>"


class Memory:
    """All regions that there are; addresses are 64 bits, bytes little-endian.

    What is read below ``zeros`` is zero, as in the kernel what typed pointers lead to that are null; 0: a violation.
    """

    def __init__(self) -> None:
        self.zeros = 0
        self._regions: dict[int, Region] = {}
        self._next = 1

    def add(self, name: str, data: bytearray, rights: Rights, *, owner: object = None, low: bool = False) -> Region:
        """A new region with ``data`` itself, not a copy.  ``low``: the one below four gigabytes."""
        number = 0 if low else self._next
        if not low:
            self._next += 1
        elif number in self._regions:
            raise ValueError("there is a low region already")
        region = Region(name, (number << _SPAN) + _MIDDLE, data, rights, owner)
        self._regions[number] = region
        if len(data) > _MIDDLE:  # an arena: it has the next four gigabytes, too, for as long as the machine lives
            self._regions[number + 1] = region
            self._next += 1
        return region

    def remove(self, region: Region) -> None:
        """Nobody can use it any more."""
        del self._regions[region.base >> _SPAN]

    def move(self, region: Region, base: int, data: memoryview) -> None:
        """From now on a region is somewhere else."""
        region.base, region.data = base, data

    def find(self, address: int) -> Region | None:
        """The region that ``address`` stands nearest to, inside it or not."""
        return self._regions.get(address >> _SPAN)

    def locate(self, address: int, size: int, right: Rights) -> tuple[Region, int]:
        """The region that holds all ``size`` bytes from ``address`` on, and where in it; :class:`Violation` else."""
        region = self.find(address)
        verb = "reads" if right is Rights.READ else "writes"
        if region is None:
            raise Violation(f"{verb} {size} bytes at {address:#x}, where there is nothing")
        offset = address - region.base
        if not 0 <= offset <= offset + size <= len(region.data):
            raise Violation(f"{verb} {size} bytes at offset {offset} of {region.name}, which has {len(region.data)}")
        if right not in region.rights:
            raise Violation(f"{verb} {region.name}, which it may not")
        return region, offset

    def read(self, address: int, size: int) -> bytes:
        """``size`` bytes at ``address``."""
        if address + size <= self.zeros:
            return bytes(size)
        region, offset = self.locate(address, size, Rights.READ)
        return bytes(region.data[offset : offset + size])

    def clear(self, address: int, size: int) -> None:
        """Zeros to ``address``."""
        self.locate(address, size, Rights.WRITE)  # before so many are made
        self.write(address, bytes(size))

    def write(self, address: int, data: bytes) -> None:
        """``data`` to ``address``."""
        region, offset = self.locate(address, len(data), Rights.WRITE)
        region.data[offset : offset + len(data)] = data

    def load(self, address: int, size: int) -> int:
        """The unsigned number of ``size`` bytes at ``address``."""
        return int.from_bytes(self.read(address, size), "little")

    def store(self, address: int, size: int, value: int) -> None:
        """The lower ``size`` bytes of ``value`` to ``address``."""
        self.write(address, (value & (1 << 8 * size) - 1).to_bytes(size, "little"))
