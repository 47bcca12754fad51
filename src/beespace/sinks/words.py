"""Arrow columns as columns of text: times in RFC 3339, numbers raw, without a loop over rows.

Shared by the outputs made of text (JSON, CSV, tables).
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def text_of(values: pa.Array) -> pa.Array:
    """Every value as plain text, unquoted; null stays null.

    Timestamps with a zone are UTC in RFC 3339 (``2026-01-31T02:13:00.000000001Z``, as many digits
    as the type has), durations are in their unit, floats that are not finite are null, binary is
    hexadecimal, lists and structs are JSON.
    """
    kind = values.type
    if pa.types.is_dictionary(kind):
        return text_of(values.dictionary_decode())
    if pa.types.is_string(kind):
        return values
    if pa.types.is_timestamp(kind):
        return _times(values)
    if pa.types.is_duration(kind):
        return values.cast(pa.int64()).cast(pa.string())
    if pa.types.is_floating(kind):
        return pc.if_else(pc.is_finite(values), values, None).cast(pa.string())
    if pa.types.is_null(kind):
        return values.cast(pa.string())
    if _has_text(kind):
        return values.cast(pa.string())
    return pa.array([None if value is None else _spelled(value) for value in _python(values)], pa.string())


def json_of(values: pa.Array) -> pa.Array:
    """Every value as a JSON value; null stays null."""
    kind = values.type
    if pa.types.is_dictionary(kind):
        return json_of(values.dictionary_decode())
    if _is_bare(kind):
        return text_of(values)
    texts = text_of(values)
    if pa.types.is_nested(kind):
        return texts
    encoded = texts.dictionary_encode()  # names repeat: quote each distinct one once
    quoted = pa.array([json.dumps(text, ensure_ascii=False) for text in encoded.dictionary.to_pylist()], pa.string())
    return quoted.take(encoded.indices)


def python_of(values: pa.Array) -> list[Any]:
    """Values for Python: times as whole nanoseconds since 1970, since ``datetime`` has no nanoseconds."""
    if pa.types.is_timestamp(values.type) or pa.types.is_duration(values.type):
        return list(values.cast(pa.int64()).to_pylist())
    return list(values.to_pylist())


def text_buffer(texts: pa.Array) -> memoryview:
    """All texts of a column, one behind the other: they stand so in memory already."""
    _validity, offsets, characters = texts.buffers()
    if characters is None or not len(texts):
        return memoryview(b"")
    ends = np.frombuffer(offsets, np.int32)
    return memoryview(characters)[ends[texts.offset] : ends[texts.offset + len(texts)]]


def _is_bare(kind: pa.DataType) -> bool:
    """Whether JSON writes the text as it is: numbers and booleans."""
    return bool(
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_duration(kind)
        or pa.types.is_null(kind)
    )


def _has_text(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_integer(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_date(kind)
        or pa.types.is_time(kind)
        or pa.types.is_large_string(kind)
        or str(kind) == "string_view"  # pyarrow 15 has no test for it
    )


def _times(values: pa.Array) -> pa.Array:
    # Seen without its zone, so that Arrow asks for no time-zone database (small images have none).
    plain = values.cast(pa.int64()).cast(pa.timestamp(values.type.unit)).cast(pa.string())
    texts = pc.utf8_replace_slice(plain, 10, 11, "T")
    return pc.binary_join_element_wise(texts, "Z", "") if values.type.tz else texts


def _spelled(value: Any) -> str:
    if isinstance(value, (bytes, bytearray)):
        return value.hex()
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False, default=_spelled)
    return str(value)


def _python(values: pa.Array) -> list[Any]:
    """Nested values with times as text, which ``json`` can write."""
    kind = values.type
    if pa.types.is_struct(kind):
        fields = [_python(pc.struct_field(values, [index])) for index in range(kind.num_fields)]
        names = [field.name for field in kind]
        rows = zip(*fields, strict=True) if fields else iter([()] * len(values))
        pairs = zip(rows, values.is_valid().to_pylist(), strict=True)
        return [dict(zip(names, row, strict=True)) if valid else None for row, valid in pairs]
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        items = _python(values.flatten())
        lengths = pc.fill_null(pc.list_value_length(values), 0).to_numpy(zero_copy_only=False)
        ends = np.cumsum(lengths)
        spans = zip(ends - lengths, ends, values.is_valid().to_pylist(), strict=True)
        return [items[start:end] if valid else None for start, end, valid in spans]
    if pa.types.is_timestamp(kind):
        return list(_times(values).to_pylist())
    return python_of(values)
