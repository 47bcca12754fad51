"""What a batched map read returns, as one array of records.

``BPF_MAP_LOOKUP_AND_DELETE_BATCH`` (Linux 5.6) fills two buffers, keys and values.  Here they
become one array whose fields are those of the key followed by those of the value.  Per-CPU maps
return one value for every possible CPU, each rounded up to 8 bytes; those are combined first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from beespace.schema import Field, Layout
from beespace.stream.dtype import dtype_of

Buffer: TypeAlias = bytes | bytearray | memoryview
Combine: TypeAlias = Literal["sum", "max", "min", "first"]

_NOTHING: Mapping[str, Combine] = MappingProxyType({})
_CPU_ALIGN = 8  # kernel/bpf/syscall.c, bpf_map_value_size()


def joined_layout(key: Layout, value: Layout, name: str | None = None) -> Layout:
    """One layout with the fields of ``key`` and then of ``value``.

    ``ValueError`` names a field that both have: a row cannot have two columns of one name.
    """
    both = {field.name for field in key.fields} & {field.name for field in value.fields}
    if both:
        raise ValueError(f"{key.name} and {value.name} both have a field {min(both)!r}: rename one")
    shift = _value_offset(key, value)
    moved = tuple(Field(field.name, field.kind, field.offset + shift) for field in value.fields)
    align = max(key.align, value.align)
    size = -(-(shift + value.size) // align) * align
    return Layout(name or f"{key.name}{value.name}", key.fields + moved, size, align)


def records_of(
    keys: Buffer,
    values: Buffer,
    count: int,
    key: Layout,
    value: Layout,
    *,
    cpus: int | None = None,
    combine: Mapping[str, Combine] = _NOTHING,
) -> NDArray[np.void]:
    """The first ``count`` entries as records of ``joined_layout(key, value)``.

    ``cpus``: the number of possible CPUs if the map is per-CPU, so that ``values`` has that many
    values an entry.  Integers are then summed over CPUs and others are those of the first CPU that
    has one, unless ``combine`` says: ``max``, or ``min`` of those that are not zero (zero is a CPU
    that never saw the key), ``sum`` or ``first``.
    """
    joined = joined_layout(key, value)
    records = np.zeros(count, dtype_of(joined))
    octets = records.view(np.uint8).reshape(count, joined.size)
    octets[:, : key.size] = np.frombuffer(keys, np.uint8, count * key.size).reshape(count, key.size)
    shift = _value_offset(key, value)
    if cpus is None:
        octets[:, shift : shift + value.size] = np.frombuffer(values, np.uint8, count * value.size).reshape(
            count, value.size
        )
        return records
    per_cpu = _per_cpu(values, count, value, cpus)
    for field in value.fields:
        column = per_cpu[field.name]
        usual: Combine = "sum" if column.dtype.kind in "iu" else "first"
        records[field.name] = _COMBINE[combine.get(field.name, usual)](column)
    return records


def keys_of(records: NDArray[np.void], key: Layout) -> list[bytes]:
    """The bytes of each record's key, as the kernel has them; ``records`` are of :func:`records_of`."""
    octets = np.ascontiguousarray(records).view(np.uint8).reshape(len(records), records.itemsize)[:, : key.size]
    names: list[bytes] = np.ascontiguousarray(octets).view(f"V{key.size}").ravel().tolist()
    return names


def _value_offset(key: Layout, value: Layout) -> int:
    return -(-key.size // value.align) * value.align


def _per_cpu(values: Buffer, count: int, value: Layout, cpus: int) -> NDArray[np.void]:
    """The values of a per-CPU map, shape ``(count, cpus)``."""
    stride = -(-value.size // _CPU_ALIGN) * _CPU_ALIGN
    octets = np.frombuffer(values, np.uint8, count * cpus * stride).reshape(count, cpus, stride)
    packed = np.ascontiguousarray(octets[:, :, : value.size])
    return packed.view(dtype_of(value)).reshape(count, cpus)


def _sum(values: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(values.sum(axis=1, dtype=values.dtype))


def _max(values: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(values.max(axis=1))


def _min(values: NDArray[Any]) -> NDArray[Any]:
    highest = np.iinfo(values.dtype).max
    lowest = np.where(values == 0, highest, values).min(axis=1)
    return np.where((values == 0).all(axis=1), 0, lowest).astype(values.dtype)


def _first(values: NDArray[Any]) -> NDArray[Any]:
    count, cpus = values.shape[:2]
    octets = np.ascontiguousarray(values).view(np.uint8).reshape(count, cpus, -1)
    return np.asarray(values[np.arange(count), octets.any(axis=2).argmax(axis=1)])


_COMBINE: dict[Combine, Callable[[NDArray[Any]], NDArray[Any]]] = {
    "sum": _sum,
    "max": _max,
    "min": _min,
    "first": _first,
}
