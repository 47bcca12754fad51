"""Fixed-width kernel bytes as Arrow strings, without a loop over rows.

Names and addresses repeat, so the work is done once for each distinct value (Arrow's hash of
fixed-width bytes, about 13 ns a row) and rows then take theirs.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]

_OCTETS = pa.array([str(octet) for octet in range(256)])
# Of an address its second half as a word: those bytes are ff ff (RFC 4291, 2.5.5.2).
_V4_MASK = np.frombuffer(b"\xff\xff\xff\xff" + bytes(4), np.uint64)[0]
_V4_MAPPED = np.frombuffer(b"\0\0\xff\xff" + bytes(4), np.uint64)[0]


def octets(values: NDArray[Any]) -> Bytes:
    """A column of ``V{width}`` as bytes, shape ``(rows, width)``, copied out of the records."""
    return np.array(values, order="C").view(np.uint8).reshape(len(values), values.dtype.itemsize)


def is_v4(addresses: Bytes) -> NDArray[np.bool_]:
    """Which of the addresses, shape ``(rows, 16)``, are IPv4 mapped into IPv6."""
    words = np.ascontiguousarray(addresses).view(np.uint64)
    return np.asarray((words[:, 0] == 0) & (words[:, 1] & _V4_MASK == _V4_MAPPED))


def text_column(values: Bytes) -> pa.Array:
    """``char[width]`` rows, shape ``(rows, width)``, as strings: cut at the first NUL.

    Bytes that are not UTF-8 (a name cut inside a character, or never UTF-8 at all) become U+FFFD.
    """
    distinct, indices = distinct_rows(values)
    return _decode_text(distinct).take(indices)


def spread(texts: Sequence[str | None], indices: pa.Array) -> pa.Array:
    """The texts at ``indices``; what nobody has costs nothing."""
    if all(text is None for text in texts):
        return pa.nulls(len(indices), pa.string())
    return pa.array(texts, pa.string()).take(indices)


def padded(texts: pa.Array, width: int) -> NDArray[np.void]:
    """Strings as ``char[width]``: cut, or filled with NULs, as the kernel has them."""
    encoded = texts.dictionary_encode()
    distinct = [(text or "").encode()[:width].ljust(width, b"\0") for text in encoded.dictionary.to_pylist()]
    indices = encoded.indices.fill_null(len(distinct)).to_numpy(zero_copy_only=False)
    found: NDArray[np.void] = np.frombuffer(b"".join([*distinct, bytes(width)]), f"V{width}")
    return np.asarray(found[indices])


def address_column(values: Bytes) -> pa.Array:
    """Addresses, shape ``(rows, 16)``, as text: ``::ffff:10.1.2.3`` is shown as ``10.1.2.3``."""
    distinct, indices = distinct_rows(values)
    v4 = is_v4(distinct)
    texts = np.empty(len(distinct), object)
    if v4.any():
        octets = [_OCTETS.take(pa.array(distinct[v4, 12 + place])) for place in range(4)]
        texts[v4] = pc.binary_join_element_wise(*octets, ".").to_pylist()
    for row in np.flatnonzero(~v4):
        texts[row] = _ipv6(distinct[row].tobytes())
    return pa.array(texts, pa.string()).take(indices)


def binary_column(values: Bytes) -> pa.Array:
    """Raw rows, shape ``(rows, width)``, as binary of ``width`` bytes each."""
    rows, width = values.shape
    offsets = np.arange(rows + 1, dtype=np.int32) * np.int32(width)
    return pa.Array.from_buffers(pa.binary(), rows, [None, pa.py_buffer(offsets), pa.py_buffer(values)])


def variable_column(octets: Bytes, starts: NDArray[np.intp], lengths: NDArray[np.intp], *, text: bool) -> pa.Array:
    """Stretches of ``octets`` as strings or binary, each of its own length."""
    offsets = np.zeros(len(lengths) + 1, np.int32)
    np.cumsum(lengths, out=offsets[1:])
    places = np.repeat(starts - offsets[:-1], lengths) + np.arange(offsets[-1])
    return _of_lengths(offsets, octets[places]) if text else _binary(offsets, octets[places])


def distinct_rows(values: Bytes) -> tuple[Bytes, pa.Array]:
    """The distinct rows, and for each row which one it is."""
    rows, width = values.shape
    if not width or not rows:
        return values[:1], pa.array(np.zeros(rows, np.int32))
    encoded = pa.Array.from_buffers(pa.binary(width), rows, [None, pa.py_buffer(values)]).dictionary_encode()
    dictionary = encoded.dictionary
    flat = np.frombuffer(dictionary.buffers()[1], np.uint8, len(dictionary) * width, dictionary.offset * width)
    return flat.reshape(-1, width), encoded.indices


def _decode_text(values: Bytes) -> pa.Array:
    rows = len(values)
    inside = np.logical_and.accumulate(values != 0, axis=1)
    offsets = np.zeros(rows + 1, np.int32)
    np.cumsum(inside.sum(axis=1, dtype=np.int32), out=offsets[1:])
    return _of_lengths(offsets, values[inside])


def _binary(offsets: NDArray[np.int32], data: Bytes) -> pa.Array:
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(data))]
    return pa.Array.from_buffers(pa.binary(), len(offsets) - 1, buffers)


def _of_lengths(offsets: NDArray[np.int32], characters: Bytes) -> pa.Array:
    if not (characters & 0x80).any():
        buffers = [None, pa.py_buffer(offsets), pa.py_buffer(characters)]
        return pa.Array.from_buffers(pa.string(), len(offsets) - 1, buffers)
    texts: Any = _binary(offsets, characters)
    try:
        return texts.cast(pa.string())
    except pa.ArrowInvalid:  # some value is not UTF-8
        return pa.array([value.decode("utf-8", "replace") for value in texts.to_pylist()], pa.string())


@lru_cache(maxsize=65_536)  # peers repeat from one interval to the next
def _ipv6(packed: bytes) -> str:
    return str(ipaddress.IPv6Address(packed))
