"""Records in memory become Arrow columns: one copy, and no Python per row.

A :class:`Decoder` is made once for a layout and then called with views; every column it returns
owns its memory, so the caller may hand the viewed bytes back to the kernel at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from beespace.errors import FormatError, InternalError, UsageError
from beespace.schema import (
    AddressKind,
    ArrayKind,
    BoolKind,
    BytesKind,
    IntKind,
    Kind,
    Layout,
    ResourceKind,
    TextKind,
    VariableKind,
)
from beespace.stream.dtype import DURATION, TIME, arrow_schema_of, arrow_type_of, dtype_of, least_size
from beespace.stream.text import address_column, binary_column, octets, text_column, variable_column

Values = NDArray[Any]

_LATEST = np.uint64(2**63 - 1)


class Decoder:
    """Turns records of ``layout`` into a ``RecordBatch`` of :attr:`schema`.

    ``docs`` gives fields a line of documentation in the schema's metadata.
    """

    def __init__(self, layout: Layout, docs: Mapping[str, str] | None = None) -> None:
        self.layout = layout
        self.dtype = dtype_of(layout)
        self.least = least_size(layout)
        self.schema = arrow_schema_of(layout, docs)

    def __call__(self, records: NDArray[np.void], boot_offset: int = 0) -> pa.RecordBatch:
        """Decode ``records`` (of :attr:`dtype`, any stride).

        ``boot_offset`` (ns) is added to timestamps: CLOCK_REALTIME minus CLOCK_BOOTTIME, so that
        the kernel's clock becomes UTC.  Records of variable length go through :meth:`gather`.
        """
        fields = self.layout.fields
        if self.layout.variable is not None:
            raise InternalError(f"records of {self.layout.name} have no length in common")
        arrays = [_column(records[field.name], field.kind, boot_offset) for field in fields]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def gather(
        self, data: NDArray[np.uint8], starts: NDArray[np.intp], sizes: NDArray[np.intp], boot_offset: int = 0
    ) -> pa.RecordBatch:
        """Decode records that stand at ``starts`` of ``data``, each at least :attr:`least` and ``sizes`` bytes long."""
        found = data[starts[:, None] + np.arange(self.least)].view(self.dtype).reshape(len(starts))
        last = self.layout.variable
        if last is None:
            return self(found, boot_offset)
        arrays = [_column(found[field.name], field.kind, boot_offset) for field in self.layout.fields[:-1]]
        assert isinstance(last.kind, VariableKind)
        lengths = np.minimum(found[last.name], sizes - self.least).astype(np.intp)
        text = isinstance(last.kind.of, TextKind)
        arrays.append(variable_column(data, starts + self.least, lengths, text=text))
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def each(self, records: Sequence[bytes], boot_offset: int = 0) -> pa.RecordBatch:
        """Decode records that stand in memory of their own, each at least :attr:`least` bytes long."""
        sizes = np.fromiter(map(len, records), np.intp, len(records))
        starts = np.cumsum(sizes) - sizes
        return self.gather(np.frombuffer(b"".join(records), np.uint8), starts, sizes, boot_offset)


def decode(layout: Layout, data: bytes | bytearray | memoryview, boot_offset: int = 0) -> pa.RecordBatch:
    """The records that stand one after another in ``data``.

    Raises :class:`~beespace.errors.FormatError` if ``data`` does not end with a whole record.
    """
    size = memoryview(data).nbytes
    if layout.variable is not None:
        raise UsageError(
            f"records of {layout.name} differ in length", help="decode each: Decoder(layout).each(records)"
        )
    if layout.size == 0 or size % layout.size:
        whole = size - size % layout.size if layout.size else 0
        raise FormatError(
            f"{size} bytes are not whole records of {layout.name} ({layout.size} bytes each)", offset=whole
        )
    decoder = Decoder(layout)
    return decoder(np.frombuffer(data, decoder.dtype), boot_offset)


def _column(values: Values, kind: Kind, boot_offset: int) -> pa.Array:
    if isinstance(kind, type):
        fields = [_column(values[field.name], field.kind, boot_offset) for field in kind.layout.fields]
        return pa.StructArray.from_arrays(fields, fields=list(arrow_type_of(kind)))
    if isinstance(kind, IntKind):
        return _integers(values, kind, boot_offset)
    if isinstance(kind, BoolKind):
        return pa.array(values != 0)
    if isinstance(kind, ArrayKind):
        elements = np.ascontiguousarray(values).reshape(len(values) * kind.length, *values.shape[2:])
        return pa.FixedSizeListArray.from_arrays(_column(elements, kind.element, boot_offset), kind.length)
    return _BYTES[type(kind)](octets(values))


_BYTES: dict[type, Callable[[NDArray[np.uint8]], pa.Array]] = {
    TextKind: text_column,
    BytesKind: binary_column,
    ResourceKind: binary_column,
    AddressKind: address_column,
}


def _integers(values: Values, kind: IntKind, boot_offset: int) -> pa.Array:
    if kind.meaning == "timestamp":
        return _timestamps(values, boot_offset)
    if kind.meaning == "duration":
        return _primitive(DURATION, np.minimum(values, _LATEST))  # 292 years is as long as Arrow can say
    native = np.array(values, dtype=values.dtype.newbyteorder("="))
    return _primitive(arrow_type_of(kind), native)


def _timestamps(values: Values, boot_offset: int) -> pa.Array:
    """Zero (never set) and what does not fit (before 1970, after 2262) are null, not a date."""
    ticks = np.array(values, dtype=np.int64)
    unknown = ticks <= 0
    ticks += np.int64(boot_offset)
    unknown |= ticks < 0
    nulls = int(np.count_nonzero(unknown))
    validity = pa.py_buffer(np.packbits(~unknown, bitorder="little")) if nulls else None
    return pa.Array.from_buffers(TIME, len(ticks), [validity, pa.py_buffer(ticks)], nulls)


def _primitive(type: pa.DataType, values: Values) -> pa.Array:
    return pa.Array.from_buffers(type, len(values), [None, pa.py_buffer(values)])
