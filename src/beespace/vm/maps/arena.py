"""``BPF_MAP_TYPE_ARENA`` (Linux 6.9): pages that programs take and give back, and pointers into them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beespace.errors import UsageError
from beespace.spec import MapSpec
from beespace.vm.arithmetic import U64
from beespace.vm.errno import Errno, Refused
from beespace.vm.maps.map import Map

if TYPE_CHECKING:
    from beespace.vm.memory import Region

__all__ = ["Arena", "Pages"]

PAGE = 4096
GUARD = 8  # pages in front and behind that never are there: an offset in an instruction may lead to them
_LARGEST = 1 << 32


class Pages:
    """Memory of which only some pages are there: elsewhere zeros are read, and what is written is lost."""

    def __init__(self, count: int) -> None:
        self._first, self._behind = GUARD, GUARD + count
        self._there: dict[int, bytearray] = {}

    def __len__(self) -> int:
        return (self._behind + GUARD) * PAGE

    def __getitem__(self, where: slice) -> bytes:
        start, stop, _ = where.indices(len(self))
        return b"".join(
            bytes(self._there[page][first:last]) if page in self._there else bytes(last - first)
            for page, first, last in _parts(start, stop)
        )

    def __setitem__(self, where: slice, data: bytes) -> None:
        start, stop, _ = where.indices(len(self))
        taken = 0
        for page, first, last in _parts(start, min(stop, start + len(data))):
            if page in self._there:
                self._there[page][first:last] = data[taken : taken + last - first]
            taken += last - first

    def take(self, page: int | None, count: int) -> int | None:
        """The number of the first of ``count`` new pages, from ``page`` on if that is given."""
        if not 0 < count <= self._behind - self._first:
            return None
        if page is None:
            page = self._free(count)
        elif (
            page < self._first
            or page + count > self._behind
            or any(page <= each < page + count for each in self._there)
        ):
            page = None
        if page is not None:
            self._there |= {each: bytearray(PAGE) for each in range(page, page + count)}
        return page

    def _free(self, count: int) -> int | None:
        start = self._first
        for page in sorted(self._there):
            if page - start >= count:
                break
            start = page + 1
        return start if start + count <= self._behind else None

    def give(self, page: int, count: int) -> None:
        """They are gone."""
        for each in list(self._there):
            if page <= each < page + count:
                del self._there[each]


def _parts(start: int, stop: int) -> list[tuple[int, int, int]]:
    """Page, first byte and the byte behind the last, of each page that bytes are on."""
    found = []
    while start < stop:
        page, first = divmod(start, PAGE)
        last = min(PAGE, first + stop - start)
        found.append((page, first, last))
        start += last - first
    return found


class Arena(Map):
    """``max_entries`` pages at the address ``map_extra`` of user space."""

    sizes = (0, 0)

    def __init__(self, spec: MapSpec, cpus: int) -> None:
        super().__init__(spec, cpus)
        self.start = spec.map_extra or 1 << 44
        if self.start % PAGE or (self.start % _LARGEST) + spec.max_entries * PAGE > _LARGEST:
            raise UsageError(f"arena {spec.name!r} has its pages on both sides of a multiple of four gigabytes")
        self.pages = Pages(spec.max_entries)
        self.region: Region | None = None  # where programs see it

    def allocate(self, address: int, count: int) -> int:
        """The address of ``count`` new pages, at ``address`` if that is not 0; 0 if they cannot be had."""
        if address % PAGE:
            return 0
        page = self.pages.take(GUARD + (address - self.start) // PAGE if address else None, count)
        return 0 if page is None else self.start + (page - GUARD) * PAGE

    def fill(self, content: bytes) -> None:
        """Put what the object says at the beginning."""
        self.pages.take(GUARD, (len(content) + PAGE - 1) // PAGE)
        self.pages[GUARD * PAGE : GUARD * PAGE + len(content)] = content

    def free(self, address: int, count: int) -> None:
        """Give them back."""
        self.pages.give(GUARD + (address - self.start) % _LARGEST // PAGE, count)

    def inside(self, pointer: int) -> int:
        """Where a pointer of user space leads in the machine's memory; only its lower half counts."""
        if not pointer or self.region is None:
            return 0
        return self.region.base + GUARD * PAGE + (pointer - self.start & 0xFFFFFFFF) & U64

    def outside(self, address: int) -> int:
        """The pointer of user space to an address of the machine's memory."""
        if not address or self.region is None:
            return 0
        return self.start + (address - self.region.base - GUARD * PAGE) & U64

    def keys(self) -> list[bytes]:
        raise Refused(Errno.EOPNOTSUPP)
