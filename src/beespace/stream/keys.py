"""Keys of records as columns, and which of two columns are the same: no Python code for each of them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from beespace.schema import Layout

__all__ = ["key_column", "key_words", "places_of"]


def key_column(records: NDArray[np.void], key: Layout) -> pa.Array:
    """The bytes of each record's key, as the kernel has them; ``records`` begin with the fields of ``key``."""
    return pa.Array.from_buffers(pa.binary(key.size), len(records), [None, pa.py_buffer(_packed(records, key))])


def key_words(records: NDArray[np.void], key: Layout) -> NDArray[np.uint64]:
    """The same as words of 8 bytes, shape ``(rows, words)``, of a key whose size is a multiple of that."""
    return _packed(records, key).view(np.uint64)


def places_of(wanted: pa.Array, among: pa.Array) -> NDArray[np.intp]:
    """Where each of ``wanted`` is first found in ``among``; -1: nowhere."""
    if not len(among) or not len(wanted):
        return np.full(len(wanted), -1, np.intp)
    found = pc.index_in(wanted, value_set=among)
    return np.asarray(pc.fill_null(found, -1).to_numpy(zero_copy_only=False), np.intp)


def _packed(records: NDArray[np.void], key: Layout) -> NDArray[np.uint8]:
    octets = np.ascontiguousarray(records).view(np.uint8).reshape(len(records), records.itemsize)
    return np.ascontiguousarray(octets[:, : key.size])
