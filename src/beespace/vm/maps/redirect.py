"""Maps of places that packets can be sent to: ``bpf_redirect_map`` asks whether there is one."""

from __future__ import annotations

from beespace.spec import MapSpec
from beespace.vm.errno import Errno, Refused
from beespace.vm.maps.array import index_of
from beespace.vm.maps.map import ANY, EXIST, NOEXIST, Element, Map, check_flags

__all__ = ["CpuMap", "DeviceHash", "DeviceMap", "Redirect", "SocketMap"]


class Redirect(Map):
    """An array of places: of some types programs see the values, of sockets they see none."""

    sizes = (4, None)
    seen = True

    def __init__(self, spec: MapSpec, cpus: int) -> None:
        super().__init__(spec, cpus)
        self._places: dict[bytes, Element] = {}

    def find(self, key: bytes, cpu: int) -> Element | None:
        return self._places.get(key) if self.seen else None

    def holds(self, key: bytes) -> bool:
        """Whether there is a place to send to."""
        return key in self._places

    def update(self, key: bytes, value: bytes, flags: int, cpu: int) -> None:
        raise Refused(Errno.EOPNOTSUPP)  # user space's alone

    def write(self, key: bytes, value: bytes, flags: int = ANY) -> None:
        if flags > EXIST:
            raise Refused(Errno.EINVAL)
        if index_of(key) >= self.spec.max_entries:
            raise Refused(Errno.E2BIG)
        if flags == NOEXIST:
            raise Refused(Errno.EEXIST)
        self._put(self._key(key), value)

    def _put(self, key: bytes, value: bytes) -> None:
        old = self._places.pop(key, None)
        self.dropped += [] if old is None else [old]
        if any(value[:4]):  # place 0 is none: the entry goes
            self._places[key] = Element(value)

    def delete(self, key: bytes) -> None:
        if index_of(key) >= self.spec.max_entries:
            raise Refused(Errno.EINVAL)
        old = self._places.pop(key, None)
        self.dropped += [] if old is None else [old]

    def keys(self) -> list[bytes]:
        return [index.to_bytes(4, "little") for index in range(self.spec.max_entries)]


class DeviceMap(Redirect):
    """``BPF_MAP_TYPE_DEVMAP`` (Linux 4.14): interfaces by number."""


class CpuMap(Redirect):
    """``BPF_MAP_TYPE_CPUMAP`` (Linux 4.15): CPUs, by the length of their queue."""


class DeviceHash(Redirect):
    """``BPF_MAP_TYPE_DEVMAP_HASH`` (Linux 5.4): interfaces by any number."""

    def write(self, key: bytes, value: bytes, flags: int = ANY) -> None:
        check_flags(flags, key in self._places)
        if not any(value[:4]):
            raise Refused(Errno.EINVAL)
        if key not in self._places and len(self._places) >= self.spec.max_entries:
            raise Refused(Errno.E2BIG)
        self._put(self._key(key), value)

    def delete(self, key: bytes) -> None:
        if key not in self._places:
            raise Refused(Errno.ENOENT)
        self.dropped.append(self._places.pop(key))

    def keys(self) -> list[bytes]:
        return list(self._places)


class SocketMap(Redirect):
    """``BPF_MAP_TYPE_XSKMAP`` (Linux 4.18) and its likes: sockets that others read, of which there are none."""

    seen = False

    def write(self, key: bytes, value: bytes, flags: int = ANY) -> None:
        raise Refused(Errno.EOPNOTSUPP)
