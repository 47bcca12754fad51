"""A layout as a NumPy dtype and as an Arrow schema.

Both follow the layout exactly: the dtype has its offsets and size, so a view on kernel memory
needs no copy; the schema has its names, in order, with what the kind knows as field metadata.

==========  =======================  ============================================
kind        NumPy                    Arrow
==========  =======================  ============================================
IntKind     ``<u4``, ``>u2`` ...     int or uint of the same width
Timestamp   ``<u8``                  timestamp[ns, UTC]; 0 is null
Duration    ``<u8``                  duration[ns]
BoolKind    ``u1``                   bool
TextKind    ``V{n}``                 string
BytesKind   ``V{n}``                 binary
variable    ``<u4`` (length)         string or binary
Address     ``V16``                  string (``10.1.2.3``, ``fe80::1``)
ArrayKind   subarray                 fixed-size list
Struct      nested dtype             struct
==========  =======================  ============================================
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from beespace.schema import (
    AddressKind,
    ArrayKind,
    BoolKind,
    BytesKind,
    IntKind,
    Kind,
    Layout,
    PointerKind,
    ResourceKind,
    TextKind,
    VariableKind,
)
from beespace.schema.kinds import LENGTH_SIZE, kind_size

TIME = pa.timestamp("ns", "UTC")
DURATION = pa.duration("ns")


def dtype_of(layout: Layout) -> np.dtype[np.void]:
    """The NumPy record dtype of ``layout``: same offsets, same size, holes left as holes.

    Of a record of variable length it is the part that all have, with the length in place of the last field.

    Host-order fields are little-endian, as on the machines that beespace runs on (x86-64, arm64).
    """
    return np.dtype(
        {
            "names": [field.name for field in layout.fields],
            "formats": [_format(field.kind) for field in layout.fields],
            "offsets": [field.offset for field in layout.fields],
            "itemsize": least_size(layout),
        }
    )


def least_size(layout: Layout) -> int:
    """The bytes that every record has: all of them, or up to the data of a field of variable length."""
    return layout.size if layout.variable is None else layout.variable.offset + LENGTH_SIZE


def _format(kind: Kind) -> Any:
    if isinstance(kind, type):
        return dtype_of(kind.layout)
    if isinstance(kind, IntKind):
        return f"{'>' if kind.big_endian else '<'}{'i' if kind.signed else 'u'}{kind.size}"
    if isinstance(kind, PointerKind):
        return "<u8"
    if isinstance(kind, VariableKind):
        return "<u4"  # its length; the data are not of the record's fixed part
    if isinstance(kind, BoolKind):
        return "u1"
    if isinstance(kind, ArrayKind):
        return (_format(kind.element), (kind.length,))
    return f"V{kind_size(kind)}"  # V keeps every byte; S would drop zeros at the end


def arrow_schema_of(layout: Layout, docs: Mapping[str, str] | None = None) -> pa.Schema:
    """The Arrow schema of ``layout``.

    Field metadata: ``unit`` and ``meaning`` where the kind has them, ``doc`` where ``docs`` has a
    line for the field's name.
    """
    docs = docs or {}
    return pa.schema(
        [_field(field.name, field.kind, docs.get(field.name)) for field in layout.fields],
        metadata={"layout": layout.name},
    )


def arrow_type_of(kind: Kind) -> pa.DataType:
    """The Arrow type that values of ``kind`` have after decoding."""
    if isinstance(kind, type):
        return pa.struct([_field(field.name, field.kind, None) for field in kind.layout.fields])
    if isinstance(kind, IntKind):
        by_meaning = {"timestamp": TIME, "duration": DURATION}
        number = getattr(pa, f"{'' if kind.signed else 'u'}int{kind.bits}")()
        return by_meaning.get(kind.meaning or "", number)
    if isinstance(kind, PointerKind):
        return pa.uint64()
    if isinstance(kind, VariableKind):
        return arrow_type_of(kind.of)
    if isinstance(kind, BoolKind):
        return pa.bool_()
    if isinstance(kind, (TextKind, AddressKind)):
        return pa.string()
    if isinstance(kind, (BytesKind, ResourceKind)):
        return pa.binary()
    return pa.list_(arrow_type_of(kind.element), kind.length)


def _field(name: str, kind: Kind, doc: str | None) -> pa.Field:
    metadata = {
        key: value
        for key, value in (
            ("unit", getattr(kind, "unit", None)),
            ("meaning", "address" if isinstance(kind, AddressKind) else getattr(kind, "meaning", None)),
            ("doc", doc),
        )
        if isinstance(value, str)
    }
    return pa.field(name, arrow_type_of(kind), metadata=metadata or None)
