"""Ring buffers and perf buffers: records for user space."""

from __future__ import annotations

from collections import deque

from beespace.errors import UsageError
from beespace.spec import MapSpec
from beespace.vm.errno import Errno, Refused
from beespace.vm.maps.map import Map

__all__ = ["PerfEventArray", "Record", "Ring", "UserRing"]

_PAGE = 4096
_HEADER = 8  # BPF_RINGBUF_HDR_SZ
_LARGEST = 0xFFFFFFFF // 4  # RINGBUF_MAX_RECORD_SZ


def _room(size: int) -> int:
    return (size + _HEADER + 7) // 8 * 8


class Record:
    """Room in a ring: ``state`` is busy until the program gives it on or away."""

    __slots__ = ("data", "state")

    def __init__(self, size: int) -> None:
        self.data = bytearray(size)
        self.state = "busy"

    @property
    def room(self) -> int:
        """What it takes of the ring, with its header."""
        return _room(len(self.data))


class Ring(Map):
    """``BPF_MAP_TYPE_RINGBUF`` (Linux 5.8): records in order; ``max_entries`` is its size in bytes."""

    sizes = (0, 0)

    def __init__(self, spec: MapSpec, cpus: int) -> None:
        super().__init__(spec, cpus)
        size = spec.max_entries
        if size % _PAGE or size & size - 1:
            raise UsageError(f"ring {spec.name!r} cannot have {size} bytes: a power of two, and whole pages")
        self._records: list[Record] = []
        self.produced = 0
        self.consumed = 0

    def reserve(self, size: int) -> Record | None:
        """Room for ``size`` bytes, or ``None``: the ring is full."""
        if size > _LARGEST or size + _HEADER > self.spec.max_entries:
            return None
        record = Record(size)
        if self.produced + record.room - self.consumed > self.spec.max_entries - 1:
            return None
        self.produced += record.room
        self._records.append(record)
        return record

    def records(self) -> list[bytes]:
        """What user space finds: every record up to the first that is still being written; they are gone then."""
        found = []
        while self._records and self._records[0].state != "busy":
            record = self._records.pop(0)
            self.consumed += record.room
            if record.state == "submitted":
                found.append(bytes(record.data))
        return found

    def keys(self) -> list[bytes]:
        raise Refused(Errno.ENOTSUPP)


class UserRing(Map):
    """``BPF_MAP_TYPE_USER_RINGBUF`` (Linux 6.1): records of user space for programs; ``max_entries`` is its size."""

    sizes = (0, 0)

    def __init__(self, spec: MapSpec, cpus: int) -> None:
        super().__init__(spec, cpus)
        if spec.max_entries % _PAGE or spec.max_entries & spec.max_entries - 1:
            raise UsageError(
                f"ring {spec.name!r} cannot have {spec.max_entries} bytes: a power of two, and whole pages"
            )
        self._records: deque[bytes] = deque()
        self._used = 0
        self.busy = False  # a program is looking

    def put(self, data: bytes) -> None:
        """A record; ``ENOSPC`` where there is no room."""
        room = _room(len(data))
        if self._used + room > self.spec.max_entries:
            raise Refused(Errno.ENOSPC)
        self._used += room
        self._records.append(data)

    def next(self) -> bytes | None:
        """The oldest record, which is gone then."""
        if not self._records:
            return None
        record = self._records.popleft()
        self._used -= _room(len(record))
        return record

    def keys(self) -> list[bytes]:
        raise Refused(Errno.ENOTSUPP)


class PerfEventArray(Map):
    """``BPF_MAP_TYPE_PERF_EVENT_ARRAY``: a buffer for each CPU, of any size."""

    sizes = (4, 4)

    def __init__(self, spec: MapSpec, cpus: int) -> None:
        super().__init__(spec, cpus)
        self._records: list[tuple[int, bytes]] = []

    def put(self, cpu: int, data: bytes) -> None:
        """A record of a CPU; ``E2BIG`` where the map has no place for that CPU."""
        if cpu >= self.spec.max_entries:
            raise Refused(Errno.E2BIG)
        self._records.append((cpu, data))

    def records(self) -> list[tuple[int, bytes]]:
        """CPU and bytes of each record, the oldest first; they are gone then."""
        found, self._records = self._records, []
        return found
