"""What the maps and globals of an object hold now, for who prints them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from beespace.isa.constants import MapType
from beespace.kernel import LoadedObject

__all__ = ["snapshot"]

_HASHES = (MapType.HASH, MapType.LRU_HASH, MapType.PERCPU_HASH, MapType.LRU_PERCPU_HASH, MapType.LPM_TRIE)
_ARRAYS = (MapType.ARRAY, MapType.PERCPU_ARRAY)


def snapshot(loaded: LoadedObject) -> Iterator[tuple[str, str, Any]]:
    """``("map", name, [(key, value), ...])`` for hash tables and arrays, ``("variable", name, value)`` for globals.

    Of arrays only the entries that are not all zeroes.  Other maps cannot be listed, or hold what means
    nothing outside the kernel.  Read-only globals do not change, and are left out.
    """
    sections = {variable.spec.map for variable in loaded.variables.values()} | set(loaded.spec.data)
    for name, spec in loaded.spec.maps.items():
        if name in sections:
            continue
        if spec.type in _HASHES:
            yield "map", name, list(loaded.maps[name].items())
        elif spec.type in _ARRAYS:
            yield "map", name, [(index, value) for index, value in enumerate(loaded.maps[name]) if _counts(value)]
    for name, variable in loaded.variables.items():
        if not variable.read_only:
            yield "variable", name, variable.value


def _counts(value: Any) -> bool:
    """Whether anything in a value, or in a part of it, is not zero."""
    if isinstance(value, tuple | list):
        return any(_counts(part) for part in value)
    return any(value) if isinstance(value, bytes) else bool(value)
