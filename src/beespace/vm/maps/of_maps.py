"""Maps whose values are maps."""

from __future__ import annotations

from beespace.isa.constants import MapType
from beespace.spec import MapSpec
from beespace.vm.errno import Errno, Refused
from beespace.vm.maps.array import index_of
from beespace.vm.maps.map import ANY, EXIST, Map, check_flags

_INNER_MAP = 0x1000  # BPF_F_INNER_MAP: arrays of any size (Linux 5.10)

__all__ = ["ArrayOfMaps", "HashOfMaps", "OfMaps"]


class OfMaps(Map):
    """Programs look a map up and use it; user space puts maps in."""

    sizes: tuple[int | None, int | None] = (None, 4)

    def __init__(self, spec: MapSpec, cpus: int) -> None:
        super().__init__(spec, cpus)
        self._maps: dict[bytes, Map] = {}

    def inner(self, key: bytes) -> Map | None:
        """The map of a key."""
        return self._maps.get(key)

    def put(self, key: bytes, map: Map, flags: int = ANY) -> None:
        """Set it; ``EINVAL`` for a map that is not like the template (``bpf_map_meta_equal``)."""
        self._check(map)
        check_flags(flags, key in self._maps)
        if key not in self._maps and len(self._maps) >= self.spec.max_entries:
            raise Refused(Errno.E2BIG)
        self._maps[key] = map

    def _check(self, map: Map) -> None:
        template = self.spec.inner
        if template is None:
            return
        alike = [(each.type, each.key_size, each.value_size, each.flags) for each in (map.spec, template)]
        of_arrays = template.type == MapType.ARRAY and not template.flags & _INNER_MAP
        if alike[0] != alike[1] or (of_arrays and map.spec.max_entries != template.max_entries):
            raise Refused(Errno.EINVAL)

    def delete(self, key: bytes) -> None:
        if self._maps.pop(key, None) is None:
            raise Refused(Errno.ENOENT)

    def keys(self) -> list[bytes]:
        return list(self._maps)


class HashOfMaps(OfMaps):
    """``BPF_MAP_TYPE_HASH_OF_MAPS`` (Linux 4.12)."""


class ArrayOfMaps(OfMaps):
    """``BPF_MAP_TYPE_ARRAY_OF_MAPS`` (Linux 4.12)."""

    sizes = (4, 4)

    def put(self, key: bytes, map: Map, flags: int = ANY) -> None:
        if flags > EXIST or flags != ANY:
            raise Refused(Errno.EINVAL)
        if index_of(key) >= self.spec.max_entries:
            raise Refused(Errno.E2BIG)
        self._check(map)
        self._maps[key] = map

    def delete(self, key: bytes) -> None:
        if index_of(key) >= self.spec.max_entries:
            raise Refused(Errno.E2BIG)
        super().delete(key)

    def keys(self) -> list[bytes]:
        return [index.to_bytes(4, "little") for index in range(self.spec.max_entries)]
