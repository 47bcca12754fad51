"""The codec: any struct that BTF can describe, both ways, in both byte orders."""

from __future__ import annotations

import math
import pickle
import struct
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beespace.btf import Btf, BtfBuilder, Kind, Linkage, Member
from beespace.btf.codec import Codec, Record, codec
from beespace.btf.types import Int, IntEncoding
from beespace.errors import FormatError, UsageError

ORDERS = ("little", "big")


class World:
    """A builder with the usual scalars."""

    def __init__(self, *, any_bytes: bool = False) -> None:
        self.b = b = BtfBuilder()
        self.any_bytes = any_bytes  # a bool that is neither 0 nor 1 would not come back
        self.u8, self.u16 = b.int("unsigned char", 1), b.int("unsigned short", 2)
        self.u32, self.u64 = b.int("unsigned int", 4), b.int("unsigned long", 8)
        self.s8, self.s32, self.s64 = (
            b.int(n, s, signed=True) for n, s in (("signed char", 1), ("int", 4), ("long", 8))
        )
        self.u128 = b.int("__int128 unsigned", 16)
        self.char = b.int("char", 1, signed=True)
        self.bool = b.int("_Bool", 1, boolean=True)
        self.f32, self.f64 = b.float("float", 4), b.float("double", 8)
        self.enum = b.enum("color", [("RED", 0), ("GREEN", 7)])
        self.signed_enum = b.enum("temper", [("COLD", -5), ("HOT", 5)])
        self.wide_enum = b.enum("wide", [("W", 1 << 40)])
        self.pointer = b.pointer(0)

    def codec(self, type_id: int, order: Any = "little") -> Codec:
        return codec(Btf(self.b.bytes()), type_id, order)


# -- any type ----------------------------------------------------------------------------------------------------


def _scalars(w: World) -> list[tuple[int, int, st.SearchStrategy[Any]]]:
    """(type, size, values)"""
    bits = lambda n, s: st.integers(-(1 << n - 1), (1 << n - 1) - 1) if s else st.integers(0, (1 << n) - 1)  # noqa: E731
    scalars = [
        (w.u8, 1, bits(8, False)), (w.u16, 2, bits(16, False)), (w.u32, 4, bits(32, False)),
        (w.s8, 1, bits(8, True)), (w.s32, 4, bits(32, True)), (w.s64, 8, bits(64, True)),
        (w.u64, 8, bits(64, False)), (w.u128, 16, bits(128, False)),
        (w.char, 1, bits(8, True)),
        (w.f32, 4, st.floats(width=32)), (w.f64, 8, st.floats()),
        (w.enum, 4, bits(32, False)), (w.signed_enum, 4, bits(32, True)), (w.wide_enum, 8, bits(64, False)),
        (w.pointer, 8, bits(64, False)),
    ]  # fmt: skip
    return scalars if w.any_bytes else [*scalars, (w.bool, 1, st.booleans())]


def _texts(count: int) -> st.SearchStrategy[str]:
    return st.binary(max_size=count).map(lambda b: b.partition(b"\0")[0].decode("utf-8", "surrogateescape"))


@st.composite
def _any(draw: st.DrawFn, w: World, depth: int, names: list[int]) -> tuple[int, int, st.SearchStrategy[Any]]:
    """A type of any shape, its size, and what its values are (all fields of structs as mappings)."""
    shape = draw(st.sampled_from(["scalar"] * 3 + (["array", "text", "blob", "struct", "union"] if depth else [])))
    count = draw(st.integers(1, 4))  # none: a flexible array, tested below
    match shape:
        case "array":
            element, size, values = draw(_any(w, depth - 1, names))
            while element in (w.char, w.u8):
                element, size, values = draw(_any(w, 0, names))
            return w.b.array(element, count), count * size, st.tuples(*[values] * count)
        case "text":
            return w.b.array(w.char, count), count, _texts(count)
        case "blob":
            return w.b.array(w.u8, count), count, st.binary(min_size=count, max_size=count)
        case "struct":
            return draw(_struct(w, depth, names, union=False))
        case "union":
            return draw(_struct(w, depth, names, union=True))
    return draw(st.sampled_from(_scalars(w)))


@st.composite
def _struct(
    draw: st.DrawFn, w: World, depth: int, names: list[int], union: bool
) -> tuple[int, int, st.SearchStrategy[dict[str, Any]]]:
    members: list[Member] = []
    fields: list[st.SearchStrategy[dict[str, Any]]] = []
    at = size = 0
    for _ in range(draw(st.integers(1, 5))):
        names[0] += 1
        name = f"f{names[0]}"
        at = 0 if union else (at + 7) // 8 * 8 + 8 * draw(st.integers(0, 2))
        if draw(st.booleans()) and draw(st.booleans()):  # a row of bit-fields
            type_id, signed = draw(st.sampled_from([(w.u32, False), (w.s32, True)]))
            bits = draw(st.integers(1, 31))
            members.append(Member(name, type_id, at, bits))
            low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
            fields.append(st.integers(low, high).map(lambda v, name=name: {name: v}))  # type: ignore[misc]
            at += bits
        else:
            type_id, inner, values = draw(_any(w, depth - 1, names))
            record = w.b.count > type_id > 0 and type(w.b._types[type_id - 1]).__name__ == "Struct"
            anonymous = record and draw(st.booleans())
            members.append(Member("" if anonymous else name, type_id, at))
            fields.append(values if anonymous else values.map(lambda v, name=name: {name: v}))  # type: ignore[misc]
            at += 8 * inner
        size = max(size, (at + 7) // 8)
    size += draw(st.integers(0, 3))
    made = (w.b.union if union else w.b.struct)(draw(st.sampled_from(["", f"s{names[0]}"])), size, members)
    if union:
        return made, size, st.one_of(fields)
    return made, size, st.tuples(*fields).map(lambda parts: {k: v for part in parts for k, v in part.items()})


def _contains(found: Any, wanted: Any) -> bool:
    """Whether a decoded value has all that was encoded (a union has other readings, too)."""
    if isinstance(wanted, dict):
        return isinstance(found, Record) and all(_contains(found[k], v) for k, v in wanted.items())
    if isinstance(wanted, tuple):
        return len(found) == len(wanted) and all(map(_contains, found, wanted))
    if isinstance(wanted, float) and math.isnan(wanted):
        return math.isnan(found)
    return type(found) is type(wanted) and bool(found == wanted)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_any_struct_comes_back(data: st.DataObject) -> None:
    w = World()
    type_id, size, values = data.draw(_struct(w, 3, [0], union=data.draw(st.booleans())))
    btf = Btf(w.b.bytes())
    for order in ORDERS:
        made = codec(btf, type_id, order)  # type: ignore[arg-type]
        assert made.size == size and made.type_id == type_id
        value = data.draw(values)
        encoded = made.encode(value)
        assert len(encoded) == size
        found = made.decode(encoded)
        assert _contains(found, value)
        if not any(isinstance(v, float) for v in _leaves(found)):  # signalling NaNs become quiet ones
            assert made.encode(found) == encoded, "a record is taken as it was given"
            assert made.decode(b"\xff" * 3 + encoded + b"\xff", 3) == found
        assert made.encode(encoded) == encoded


def _leaves(value: Any) -> list[Any]:
    return [leaf for each in value for leaf in _leaves(each)] if isinstance(value, tuple) else [value]


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_any_bytes_can_be_read_and_written_back(data: st.DataObject) -> None:
    w = World(any_bytes=True)
    type_id, size, _ = data.draw(_struct(w, 3, [0], union=False))
    made = w.codec(type_id, data.draw(st.sampled_from(ORDERS)))
    value = made.decode(data.draw(st.binary(min_size=size, max_size=size)))
    again = made.decode(made.encode(value))
    assert repr(again) == repr(value), "only padding and what is behind a NUL may be lost"


# -- shapes, one by one ------------------------------------------------------------------------------------------


def test_a_flat_struct_is_read_by_one_struct() -> None:
    w = World()
    flat = w.codec(w.b.struct("flat", 24, [Member("a", w.u32, 0), Member("b", w.s64, 64), Member("c", w.u8, 128)]))
    value = flat.decode(struct.pack("<I4xqB7x", 1, -2, 3))
    assert (value.a, value["b"], value.c) == (1, -2, 3)
    assert repr(value) == "flat(a=1, b=-2, c=3)"
    assert value._asdict() == {"a": 1, "b": -2, "c": 3}
    assert value == (1, -2, 3) and hash(value) == hash((1, -2, 3))
    assert flat._plain and not flat._converted  # type: ignore[attr-defined]
    assert flat.encode({"a": 1, "b": -2, "c": 3}) == flat.encode([1, -2, 3]) == flat.encode(value)
    assert flat.encode({"c": 3}) == bytes(16) + b"\3" + bytes(7), "fields left out are zero, as in C"
    assert pickle.loads(pickle.dumps(value)) == value


def test_what_each_type_becomes() -> None:
    w = World()
    b = w.b
    typedef = b.typedef("u32_t", b.const(w.u32)) if hasattr(b, "const") else b.typedef("u32_t", w.u32)
    forward, function = b.pointer(b.forward("hidden")), b.pointer(b.prototype(0, []))
    btf = Btf(b.bytes())
    read = lambda type_id, data: codec(btf, type_id, "little").decode(data)  # noqa: E731
    assert read(w.bool, b"\2") is True
    assert read(w.enum, b"\7\0\0\0") == 7
    assert read(w.signed_enum, b"\xfb\xff\xff\xff") == -5
    assert read(w.wide_enum, bytes(5) + b"\1\0\0") == 1 << 40
    assert read(w.u128, b"\xff" * 16) == (1 << 128) - 1
    assert read(typedef, b"\1\0\0\0") == 1
    assert read(forward, b"\xff" * 8) == read(function, b"\xff" * 8) == read(w.pointer, b"\xff" * 8) == (1 << 64) - 1
    assert codec(btf, w.enum, "little").encode("GREEN") == b"\7\0\0\0"


def test_arrays() -> None:
    w = World()
    b = w.b
    grid = b.array(b.array(w.u16, 2), 3)
    names = b.array(b.array(w.char, 4), 2)
    pairs = b.array(b.struct("pair", 4, [Member("x", w.u16, 0), Member("y", w.u16, 16)]), 2)
    flags, blob, small = b.array(w.bool, 2), b.array(w.u8, 4), b.array(w.s8, 2)
    btf = Btf(b.bytes())
    both = lambda type_id, data: (c := codec(btf, type_id, "big"), v := c.decode(data), c.encode(v) == data)[1:]  # noqa: E731
    assert both(grid, bytes(range(12))) == (((1, 0x203), (0x405, 0x607), (0x809, 0xA0B)), True)
    assert both(names, b"ab\0\0long") == (("ab", "long"), True)
    assert both(pairs, bytes(range(8)))[0][1].y == 0x607
    assert both(flags, b"\0\1") == ((False, True), True)
    assert both(blob, b"\0\1\2\3") == (b"\0\1\2\3", True)
    assert both(small, b"\xff\1") == ((-1, 1), True)
    assert codec(btf, blob).encode([1, 2, 3, 4]) == b"\1\2\3\4"


def test_text_that_is_no_text_comes_back() -> None:
    w = World()
    name = w.codec(w.b.array(w.char, 6))
    assert name.decode(b"a\xff\xfe\0zz") == "a\udcff\udcfe"
    assert name.encode("a\udcff\udcfe") == b"a\xff\xfe\0\0\0"
    assert name.encode(b"raw") == b"raw\0\0\0"
    assert name.decode(b"abcdef") == "abcdef", "a text may fill all its room"


def test_flexible_arrays_take_what_is_left() -> None:
    w = World()
    b = w.b
    record = b.struct(
        "event", 8, [Member("pid", w.u32, 0), Member("length", w.u16, 32), Member("text", b.array(w.char, 0), 48)]
    )
    numbers = b.struct("numbers", 4, [Member("count", w.u32, 0), Member("items", b.array(w.u16, 0), 32)])
    blob = b.struct("blob", 1, [Member("kind", w.u8, 0), Member("data", b.array(w.u8, 0), 8)])
    nested = b.array(numbers, 2)
    btf = Btf(b.bytes())
    event = codec(btf, record, "little")
    assert event.decode(b"\1\0\0\0\2\0hello\0rest") == (1, 2, "hello")
    assert event.decode(b"\1\0\0\0\2\0hi") == (1, 2, "hi") and event.size == 8
    assert event.encode({"pid": 1, "length": 2, "text": "hello"}) == b"\1\0\0\0\2\0hello"
    assert event.encode({"pid": 1}) == b"\1" + bytes(7)
    assert codec(btf, numbers, "little").decode(b"\2\0\0\0\1\0\2\0\3") == (2, (1, 2))
    assert codec(btf, numbers, "little").encode((2, [1, 2])) == b"\2\0\0\0\1\0\2\0"
    assert codec(btf, blob, "little").decode(b"\1abc").data == b"abc"
    assert codec(btf, nested, "little").decode(bytes(8)) == ((0, ()), (0, ()))
    with pytest.raises(UsageError, match=r"field \[0\]: a flexible array of struct numbers has no room here"):
        codec(btf, nested, "little").encode([(2, [1, 2]), (0, [])])


def test_unions_and_anonymous_members() -> None:
    w = World()
    b = w.b
    v4 = b.struct("", 4, [Member("port", w.u16, 0), Member("pad", w.u16, 16)])
    either = b.union("", 8, [Member("word", w.u32, 0), Member("", v4, 0), Member("bytes", b.array(w.u8, 8), 0)])
    outer = b.struct("outer", 16, [Member("a", w.u32, 0), Member("", either, 32), Member("z", w.u32, 96)])
    named = b.struct("holder", 8, [Member("u", either, 0)])
    btf = Btf(b.bytes())
    c = codec(btf, outer, "little")
    value = c.decode(bytes(range(16)))
    assert value._fields == ("a", "word", "port", "pad", "bytes", "z")
    assert (value.word, value.port, value.pad) == (0x07060504, 0x0504, 0x0706)
    assert c.encode(value) == bytes(range(16))
    assert c.encode({"port": 0x0504, "pad": 0x0706}) == bytes([0, 0, 0, 0, 4, 5, 6, 7]) + bytes(8)
    with pytest.raises(UsageError, match=r"struct outer: the readings word, \(anonymous\) of a union do not agree"):
        c.encode({"word": 1, "port": 2})
    u = codec(btf, named, "little").decode(bytes(range(8))).u
    assert u.word == 0x03020100 and u.bytes == bytes(range(8))
    with pytest.raises(UsageError, match="struct holder, field u: one of its readings must be given: word, port"):
        codec(btf, named, "little").encode({"u": {}})


def test_a_union_of_a_nan_and_its_bits() -> None:
    w = World()
    c = w.codec(w.b.union("bits", 4, [Member("real", w.f32, 0), Member("raw", w.u32, 0)]))
    for bits in (0x7FC00001, 0x7F800001, 0x3F800000):
        data = bits.to_bytes(4, "little")
        assert c.decode(data).raw == bits
        assert c.encode(c.decode(data)) == data


@pytest.mark.parametrize("order", ORDERS)
def test_bit_fields(order: Any) -> None:
    w = World()
    fields = [
        Member("a", w.u32, 0, 3),
        Member("b", w.s32, 3, 7),
        Member("flag", w.bool, 10, 1),
        Member("c", w.u32, 11, 21),
    ]
    c = w.codec(w.b.struct("bits", 4, fields), order)
    number = 5 | (-3 & 0x7F) << 3 | 1 << 10 | 0x155555 << 11
    if order == "big":  # the first field is at the top
        number = 5 << 29 | (-3 & 0x7F) << 22 | 1 << 21 | 0x155555
    data = number.to_bytes(4, order)
    assert c.decode(data) == (5, -3, True, 0x155555)
    assert c.encode((5, -3, True, 0x155555)) == data
    with pytest.raises(UsageError, match=r"struct bits, field b: 64 does not fit int:7 \(-64 to 63\)"):
        c.encode({"b": 64})


def test_bit_fields_of_old_encoders() -> None:
    w = World()
    old = w.b.intern(Int("unsigned int", 4, IntEncoding.NONE, 5, 2))
    c = w.codec(w.b.struct("old", 4, [Member("x", old, 8)]))
    assert c.decode(bytes([0, 0b1010100, 0, 0])).x == 0b10101


def test_names_that_python_has_a_use_for() -> None:
    w = World()
    names = ["from", "count", "index", "__state", "_asdict", "__class__"]
    c = w.codec(w.b.struct("names", 24, [Member(n, w.u32, 32 * i) for i, n in enumerate(names)]))
    value = c.decode(struct.pack("<6I", *range(6)))
    assert [value[n] for n in names] == list(range(6))
    assert value.count == 1 and value.index == 2 and getattr(value, "__state") == 3 and getattr(value, "from") == 0
    assert value._asdict()["_asdict"] == 4 and isinstance(value, Record)
    with pytest.raises(AttributeError, match="struct names has no field 'cuont'; did you mean count"):
        value.cuont  # noqa: B018
    with pytest.raises(KeyError, match="struct names has no field 'x'"):
        value["x"]


# -- what is wrong -----------------------------------------------------------------------------------------------


def test_messages() -> None:
    w = World()
    b = w.b
    inner = b.struct("inner", 8, [Member("port", w.u16, 0), Member("color", w.enum, 32)])
    items = b.array(inner, 2)
    outer = b.struct("outer", 48, [
        Member("pid", w.u32, 0), Member("items", items, 64), Member("comm", b.array(w.char, 4), 192),
        Member("on", w.bool, 224), Member("address", b.array(w.u8, 4), 256), Member("real", w.f32, 288),
    ])  # fmt: skip
    c = w.codec(outer)
    wrong: list[tuple[Any, str]] = [
        ({"pid": 1 << 32}, "struct outer, field pid: 4294967296 does not fit unsigned int (0 to 4294967295)"),
        ({"pid": -1}, "struct outer, field pid: -1 does not fit unsigned int (0 to 4294967295)"),
        ({"pid": "x"}, "struct outer, field pid: 'x' is no whole number, unsigned int takes 0 to 4294967295"),
        ({"pid": 1.5}, "struct outer, field pid: 1.5 is no whole number, unsigned int takes 0 to 4294967295"),
        ({"items": [{}, {"port": 70000}]},
         "struct outer, field items[1].port: 70000 does not fit unsigned short (0 to 65535)"),
        ({"items": [{}, {"color": "BLUE"}]},
         "struct outer, field items[1].color: 'BLUE' is neither a whole number nor a word of enum color (RED, GREEN)"),
        ({"items": [{}]}, "struct outer, field items: 1 elements were given, struct inner[2] has 2"),
        ({"items": 5}, "struct outer, field items: 5 is no sequence"),
        ({"comm": "hello"}, "struct outer, field comm: 'hello' has 5 bytes, char[4] has room for 4"),
        ({"comm": "a\0"},
         "struct outer, field comm: 'a\\x00' holds a NUL, which would end it: give bytes if that is meant"),
        ({"comm": 5}, "struct outer, field comm: 5 is neither str nor bytes, as char[4] needs"),
        ({"on": 2}, "struct outer, field on: 2 is neither true nor false"),
        ({"address": b"abc"}, "struct outer, field address: 3 bytes were given, unsigned char[4] has 4"),
        ({"address": [256, 0, 0, 0]},
         "struct outer, field address: [256, 0, 0, 0] does not hold whole numbers from 0 to 255 only"),
        ({"real": 1e300}, "struct outer, field real: 1e+300 is too large for float"),
        ({"real": "x"}, "struct outer, field real: 'x' is no number"),
        ({"pidd": 1}, "struct outer: it has no field 'pidd'; its fields: pid, items, comm, on, address, real"),
        ((1, 2), "struct outer: 2 values were given for 6 fields: pid, items, comm, on, address, real"),
        (b"abc", "struct outer: 3 bytes were given, struct outer has 48"),
        (7, "struct outer: 7 is no record, mapping or sequence of its 6 fields"),
    ]  # fmt: skip
    for value, message in wrong:
        with pytest.raises(UsageError) as caught:
            c.encode(value)
        assert str(caught.value) == message
    with pytest.raises(FormatError, match="struct outer has 48 bytes, of which only 3 are there"):
        c.decode(b"abc")
    with pytest.raises(FormatError, match="unsigned int has 4 bytes, of which only 2 are there"):
        w.codec(w.u32).decode(b"abc", 1)


def test_what_has_no_size() -> None:
    w = World()
    b = w.b
    prototype = b.prototype(0, [])
    function = b.function("f", prototype)
    variable = b.variable("v", w.u32)
    section = b.section(".data", 4, [(variable, 0, 4)])
    forward = b.forward("hidden")
    btf = Btf(b.bytes())
    for type_id in (0, prototype, function, forward, section):
        with pytest.raises(UsageError, match="cannot be read or written: it has no size"):
            codec(btf, type_id)
    assert codec(btf, variable, "little").decode(b"\1\0\0\0") == 1
    assert b.count and Linkage.GLOBAL and Kind.VAR


def test_damaged_types() -> None:
    b = BtfBuilder()
    u32 = b.int("u32", 4)
    itself = b.declare()
    from beespace.btf.types import Struct

    b.define(itself, Struct("itself", 4, (Member("self", itself, 0),)))
    level = b.union("u0", 4, [Member("a", u32, 0), Member("b", u32, 0)])
    for depth in range(40):  # 2 ** 40 readings of four bytes
        level = b.union(f"u{depth + 1}", 4, [Member("a", level, 0), Member("b", level, 0)])
    beyond = b.struct("beyond", 4, [Member("a", u32, 32)])
    many = b.array(b.struct("empty", 0, []), 0xFFFFFFFF)
    btf = Btf(b.bytes())
    for type_id in (itself, level, beyond, many):
        with pytest.raises(FormatError):
            codec(btf, type_id)


def test_made_once_and_cheap_to_import() -> None:
    w = World()
    btf = Btf(w.b.bytes())
    assert codec(btf, w.u32, "little") is codec(btf, w.u32, "little") is not codec(btf, w.u32, "big")
    heavy = "('json', 'inspect', 'dataclasses', 'difflib')"
    asked = f"import beespace.btf.codec, sys; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True).stdout == "[]\n"
