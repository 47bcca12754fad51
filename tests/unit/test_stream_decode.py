"""Layouts as dtypes and schemas, and decoding, held against ``struct`` and ``ipaddress``."""

from __future__ import annotations

import ipaddress
import struct
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beespace.errors import FormatError
from beespace.schema import ArrayKind, BoolKind, BytesKind, Event, IntKind, Layout, Struct, TextKind
from beespace.schema.struct import Field, layout_of
from beespace.stream import Decoder, arrow_schema_of, decode, dtype_of
from beespace.types import (
    Address,
    Duration,
    Pid,
    Raw,
    Text,
    Timestamp,
    array,
    be16,
    be32,
    boolean,
    i32,
    raw,
    text,
    u8,
    u16,
    u64,
)


class Endpoint(Struct):
    address: Address
    port: be16


class Sample(Event):
    time: Timestamp
    kind: u8
    pid: Pid
    delta: i32
    flag: boolean
    took: Duration
    comm: Text = text(16)
    mac: Raw = raw(6)
    peer: Endpoint
    network: be32
    slots: list[u16] = array(u16, 3)
    total: u64


_CODES = {8: "b", 16: "h", 32: "i", 64: "q"}


def _struct_format(kind: object) -> str:
    if isinstance(kind, IntKind):
        code = _CODES[kind.bits]
        return code if kind.signed else code.upper()
    return "?"


_INTS = [
    IntKind(f"{'i' if signed else 'u'}{bits}", bits, signed, big)
    for bits in (8, 16, 32, 64)
    for signed in (False, True)
    for big in (False, True)
]


@given(st.lists(st.sampled_from([*_INTS, BoolKind()]), min_size=1, max_size=8), st.data())
@settings(max_examples=150, deadline=None)
def test_integers_agree_with_struct(kinds: list[IntKind | BoolKind], data: st.DataObject) -> None:
    names = [f"f{index}" for index in range(len(kinds))]
    cls = type("Drawn", (), {"__annotations__": dict(zip(names, kinds, strict=True))})
    layout = layout_of(cls)
    rows = data.draw(
        st.lists(
            st.tuples(
                *(
                    st.booleans() if isinstance(kind, BoolKind) else st.integers(kind.minimum, kind.maximum)
                    for kind in kinds
                )
            ),
            max_size=5,
        )
    )
    buffer = bytearray(data.draw(st.binary(min_size=layout.size, max_size=layout.size)) * len(rows))  # dirty padding
    for number, row in enumerate(rows):
        for field, value in zip(layout.fields, row, strict=True):
            order = ">" if isinstance(field.kind, IntKind) and field.kind.big_endian else "<"
            struct.pack_into(order + _struct_format(field.kind), buffer, number * layout.size + field.offset, value)
    batch = decode(layout, buffer)
    assert [tuple(row.values()) for row in batch.to_pylist()] == rows
    assert batch.schema.names == names


@given(st.lists(st.binary(min_size=7, max_size=7), max_size=20))
@settings(deadline=None)
def test_text_is_cut_at_nul_and_repaired(values: list[bytes]) -> None:
    layout = Layout("T", (Field("name", TextKind(7), 0),), 7, 1)
    got = decode(layout, b"".join(values)).column("name").to_pylist()
    assert got == [value.split(b"\0")[0].decode("utf-8", "replace") for value in values]


@given(st.lists(st.one_of(st.binary(min_size=16, max_size=16), st.ip_addresses(v=4)), max_size=20))
@settings(deadline=None)
def test_addresses_agree_with_ipaddress(values: list[bytes | ipaddress.IPv4Address]) -> None:
    packed = [v if isinstance(v, bytes) else bytes(10) + b"\xff\xff" + v.packed for v in values]
    layout = Layout("A", (Field("address", Address, 0),), 16, 8)  # type: ignore[arg-type]
    got = decode(layout, b"".join(packed)).column("address").to_pylist()
    for text_form, octets in zip(got, packed, strict=True):
        six = ipaddress.IPv6Address(octets)
        assert text_form == str(six.ipv4_mapped or six)


@given(st.lists(st.binary(min_size=5, max_size=5), max_size=9))
@settings(deadline=None)
def test_raw_keeps_every_byte(values: list[bytes]) -> None:
    layout = Layout("R", (Field("raw", BytesKind(5), 0),), 5, 1)
    assert decode(layout, b"".join(values)).column("raw").to_pylist() == values


def test_every_kind_in_one_record() -> None:
    layout = Sample.layout
    dtype = dtype_of(layout)
    assert dtype.itemsize == layout.size
    assert {name: dtype.fields[name][1] for name in dtype.names} == {f.name: f.offset for f in layout.fields}
    record = np.zeros(2, dtype)
    record["time"] = [1_000, 0]
    record["pid"] = [42, 2**32 - 1]
    record["delta"] = -7
    record["flag"] = [1, 0]
    record["took"] = [5, 2**64 - 1]
    record["comm"] = [b"na\xc3\xafve", b"a" * 16]
    record["mac"] = b"\0\1\2\3\4\0"
    record["peer"]["address"] = ipaddress.ip_address("fe80::1").packed
    record["peer"]["port"] = 443
    record["network"] = 0x0A000001
    record["slots"] = [1, 2, 3]
    boot = 1_700_000_000_000_000_000
    batch = Decoder(layout)(record, boot)
    assert batch.column("time").cast(pa.int64()).to_pylist() == [boot + 1_000, None]
    assert batch.column("took").cast(pa.int64()).to_pylist() == [5, 2**63 - 1]
    first, second = batch.drop_columns(["time", "took"]).to_pylist()
    assert (first["pid"], second["pid"], first["delta"]) == (42, 2**32 - 1, -7)
    assert (first["flag"], second["flag"]) == (True, False)
    assert (first["comm"], second["comm"]) == ("naïve", "a" * 16)
    assert first["mac"] == b"\0\1\2\3\4\0"
    assert first["peer"] == {"address": "fe80::1", "port": 443}
    assert first["network"] == 0x0A000001
    assert first["slots"] == [1, 2, 3]


def test_time_outside_what_utc_can_hold_is_null() -> None:
    layout = Layout("T", (Field("time", Timestamp, 0),), 8, 8)  # type: ignore[arg-type]
    data = struct.pack("<4Q", 0, 1, 2**63, 2**63 - 1)
    assert decode(layout, data, boot_offset=10**18).column("time").is_null().to_pylist() == [True, False, True, True]
    utc = decode(layout, struct.pack("<Q", 10**9), boot_offset=10**18).column("time")[0].as_py()
    assert utc == datetime.fromtimestamp(10**9 + 1, UTC)


def test_schema_has_types_units_and_words() -> None:
    schema = arrow_schema_of(Sample.layout, {"took": "how long it took"})
    assert schema.field("time").type == pa.timestamp("ns", "UTC")
    assert schema.field("took").type == pa.duration("ns")
    assert schema.field("took").metadata == {b"unit": b"ns", b"meaning": b"duration", b"doc": b"how long it took"}
    assert schema.field("pid").metadata == {b"meaning": b"pid"}
    assert schema.field("kind").metadata is None
    assert schema.field("slots").type == pa.list_(pa.uint16(), 3)


def test_result_owns_its_memory() -> None:
    layout = Sample.layout
    data = bytearray(layout.size * 4)
    before = decode(layout, data)
    copy = before.slice(0, 4).serialize().to_pybytes()
    data[:] = b"\xff" * len(data)
    assert before.serialize().to_pybytes() == copy


def test_half_a_record_is_an_error_with_the_offset() -> None:
    with pytest.raises(FormatError, match="not whole records of Sample") as caught:
        decode(Sample.layout, bytes(Sample.layout.size + 3))
    assert caught.value.offset == Sample.layout.size


def test_strided_and_empty_views() -> None:
    dtype = dtype_of(Sample.layout)
    assert Decoder(Sample.layout)(np.zeros(0, dtype)).num_rows == 0
    records = np.zeros(6, dtype)
    records["pid"] = range(6)
    assert Decoder(Sample.layout)(records[::-2]).column("pid").to_pylist() == [5, 3, 1]


def test_arrays_of_arrays() -> None:
    nested = ArrayKind(ArrayKind(IntKind("u8", 8), 2), 2)
    layout = Layout("N", (Field("grid", nested, 0),), 4, 1)
    assert decode(layout, bytes([1, 2, 3, 4])).column("grid").to_pylist() == [[[1, 2], [3, 4]]]
