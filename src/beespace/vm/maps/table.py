"""Map type -> class."""

from __future__ import annotations

from collections.abc import Mapping

from beespace.errors import UsageError
from beespace.isa.constants import MapType
from beespace.spec import MapSpec
from beespace.vm.maps.array import Array, ProgramArray
from beespace.vm.maps.map import Map

__all__ = ["make"]

_TYPES: Mapping[int, type[Map]] = {
    MapType.ARRAY: Array,
    MapType.PROG_ARRAY: ProgramArray,
}


def make(spec: MapSpec, cpus: int) -> Map:
    """A map; :class:`UsageError` for a type that this machine does not have."""
    kind = _TYPES.get(spec.type)
    if kind is None:
        known = ", ".join(MapType(number).name.lower() for number in _TYPES)
        name = MapType(spec.type).name.lower() if spec.type in set(MapType) else str(spec.type)
        raise UsageError(f"map {spec.name!r} is of type {name}, which the machine lacks", help=f"it has {known}")
    return kind(spec, cpus)
