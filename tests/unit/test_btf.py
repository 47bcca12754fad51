"""The BTF encoder and reader against each other, and the reader's look-ups on types made by hand."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beespace.btf import (
    Array,
    Btf,
    BtfBuilder,
    DataSection,
    DeclTag,
    Enum,
    Enumerator,
    Float,
    Forward,
    Function,
    FunctionPrototype,
    Int,
    IntEncoding,
    Kind,
    Linkage,
    Member,
    Modifier,
    Parameter,
    Pointer,
    SectionVariable,
    Struct,
    Type,
    Typedef,
    Variable,
    essential_name,
)
from beespace.errors import FormatError

names = st.text("abcXYZ_09é", max_size=12)
some_names = st.text("abcXYZ_09é", min_size=1, max_size=12)
ids = st.integers(0, 0xFFFFFFFF)
u32 = st.integers(0, 0xFFFFFFFF)


def structs(draw: st.DrawFn) -> Struct:
    bitfields = draw(st.booleans())
    offset = st.integers(0, 0xFFFFFF if bitfields else 0xFFFFFFFF)
    size = st.integers(0, 255 if bitfields else 0)
    members = st.lists(st.builds(Member, names, ids, offset, size), max_size=6)
    return Struct(draw(names), draw(u32), tuple(draw(members)), draw(st.booleans()), bitfields)


def enums(draw: st.DrawFn) -> Enum:
    signed, wide = draw(st.booleans()), draw(st.booleans())
    bits = 64 if wide else 32
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    values = st.lists(st.builds(Enumerator, names, st.integers(low, high)), max_size=6)
    return Enum(draw(names), draw(st.sampled_from([1, 2, 4, 8])), tuple(draw(values)), signed, wide)


def tuples(each: st.SearchStrategy[object]) -> st.SearchStrategy[tuple[object, ...]]:
    return st.lists(each, max_size=5).map(tuple)


modifier_kinds = st.sampled_from([Kind.CONST, Kind.VOLATILE, Kind.RESTRICT])
types: st.SearchStrategy[Type] = st.one_of(
    st.builds(Int, names, u32, st.sampled_from(list(IntEncoding)), st.integers(0, 128), st.integers(0, 255)),
    st.builds(Float, names, u32),
    st.builds(Pointer, ids),
    st.builds(Array, ids, ids, u32),
    st.composite(structs)(),
    st.composite(enums)(),
    st.builds(Forward, names, st.booleans()),
    st.builds(Typedef, names, ids),
    st.builds(Modifier, modifier_kinds, ids),
    st.builds(Modifier, st.just(Kind.TYPE_TAG), ids, names, st.booleans()),
    st.builds(Function, names, ids, st.sampled_from(list(Linkage))),
    st.builds(FunctionPrototype, ids, tuples(st.builds(Parameter, names, ids))),
    st.builds(Variable, names, ids, st.sampled_from(list(Linkage))),
    st.builds(DataSection, names, u32, tuples(st.builds(SectionVariable, ids, u32, u32))),
    st.builds(DeclTag, names, ids, st.integers(-1, 100), st.booleans()),
)


@settings(deadline=None)
@given(st.lists(types, max_size=12))
def test_what_is_encoded_is_decoded(given_types: list[Type]) -> None:
    builder = BtfBuilder()
    for each in given_types:
        builder.add(each)
    btf = Btf(builder.bytes())
    assert btf.count == len(given_types) + 1
    assert [btf.type(i) for i in range(1, btf.count)] == given_types
    for type_id, each in enumerate(given_types, 1):
        assert btf.name(type_id) == each.name
        if each.name:
            assert type_id in btf.find_all(each.name)
            assert type_id in btf.candidates(each.name)
            assert (each.name, type_id) in btf.with_prefix(each.name[:2])


@settings(deadline=None)
@given(st.lists(types, max_size=8))
def test_the_other_byte_order_reads_the_same(given_types: list[Type]) -> None:
    builder = BtfBuilder()
    for each in given_types:
        builder.add(each)
    data = builder.bytes()
    header = struct.unpack_from("=HBBIIIII", data)
    words = struct.unpack_from(f"={header[5] // 4}I", data, 24)
    swapped = struct.pack(">HBBIIIII", *header) + struct.pack(f">{len(words)}I", *words) + data[24 + header[5] :]
    other = struct.pack("<HBBIIIII", *header) + struct.pack(f"<{len(words)}I", *words) + data[24 + header[5] :]
    assert [Btf(swapped).type(i) for i in range(1, len(given_types) + 1)] == given_types
    assert [Btf(other).type(i) for i in range(1, len(given_types) + 1)] == given_types


@settings(deadline=None)
@given(st.lists(types, min_size=1, max_size=10), st.integers(0, 10))
def test_a_split_continues_its_base(given_types: list[Type], cut: int) -> None:
    base_builder = BtfBuilder()
    for each in given_types[:cut]:
        base_builder.add(each)
    base = Btf(base_builder.bytes())
    builder = BtfBuilder(first_id=base.count, first_string=base.string_end)
    for each in given_types[cut:]:
        builder.add(each)
    split = Btf(builder.bytes(), base)
    assert [split.type(i) for i in range(1, split.count)] == given_types
    for type_id, each in enumerate(given_types, 1):
        if each.name:
            assert type_id in split.find_all(each.name)
            assert (each.name, type_id) in split.with_prefix(each.name[:1])


def mutated(draw: st.DrawFn) -> bytes:
    builder = BtfBuilder()
    for each in draw(st.lists(types, max_size=8)):
        builder.add(each)
    data = bytearray(builder.bytes())
    for place, value in draw(st.lists(st.tuples(st.integers(0, len(data) - 1), st.integers(0, 255)), max_size=8)):
        data[place] = value
    return bytes(data[: draw(st.integers(0, len(data)))] if draw(st.booleans()) else data)


@settings(max_examples=400, deadline=None)
@given(st.composite(mutated)())
def test_damaged_data_is_refused_or_read_and_never_anything_else(data: bytes) -> None:
    try:
        btf = Btf(data)
    except FormatError:
        return
    for type_id in range(btf.count):
        for ask in (btf.type, btf.name, btf.resolve, btf.describe, btf.size, btf.align, btf.prototype):
            try:
                ask(type_id)
            except (FormatError, TypeError):
                pass
        try:
            btf.member(type_id, "a")
        except (FormatError, TypeError, KeyError):
            pass


# -- look-ups by hand ------------------------------------------------------------------------------------------


@pytest.fixture
def nested() -> tuple[Btf, int]:
    """struct outer { int a; union { long b; struct { int c; unsigned d:3, e:5; }; } ; struct inner f[2]; };"""
    builder = BtfBuilder()
    i32 = builder.int("int", 4, signed=True)
    i64 = builder.int("long int", 8, signed=True)
    inner = builder.struct("inner", 4, [Member("x", i32, 0)])
    anonymous = builder.struct("", 8, [Member("c", i32, 0), Member("d", i32, 32, 3), Member("e", i32, 35, 5)])
    choice = builder.union("", 8, [Member("b", i64, 0), Member("", builder.const(anonymous), 0)])
    outer = builder.struct(
        "outer", 24, [Member("a", i32, 0), Member("", choice, 64), Member("f", builder.array(inner, 2), 128)]
    )
    builder.typedef("outer_t", builder.const(outer))
    return Btf(builder.bytes()), outer


def test_a_member_is_found_through_anonymous_ones(nested: tuple[Btf, int]) -> None:
    btf, outer = nested
    e = btf.member(outer, "e")
    assert (e.indices, e.bit_offset, e.bitfield_size, e.byte_offset) == ((1, 1, 2), 64 + 35, 5, 12)
    assert btf.member(outer, "c").indices == (1, 1, 0)
    assert btf.member(btf.find("outer_t"), "f").byte_offset == 16


def test_a_wrong_member_is_told_with_what_was_meant(nested: tuple[Btf, int]) -> None:
    btf, _ = nested
    builder = BtfBuilder()
    i32 = builder.int("int", 4)
    task = builder.struct("task", 8, [Member("pid", i32, 0), Member("tgid", i32, 32)])
    with pytest.raises(KeyError, match="struct task has no member tgidd; did you mean tgid"):
        Btf(builder.bytes()).member(task, "tgidd")
    with pytest.raises(TypeError, match="int has no members"):
        btf.member(btf.find("int"), "x")
    with pytest.raises(KeyError, match=r"no type outre .* did you mean outer"):
        btf.find("outre")


def test_sizes_and_alignments(nested: tuple[Btf, int]) -> None:
    btf, outer = nested
    assert (btf.size(outer), btf.align(outer)) == (24, 8)
    assert (btf.size(btf.find("outer_t")), btf.size(btf.member(outer, "f").type_id)) == (24, 8)
    assert btf.describe(btf.member(outer, "f").type_id) == "struct inner[2]"
    with pytest.raises(TypeError, match="void has no size"):
        btf.size(0)


def test_a_packed_struct_has_alignment_one() -> None:
    builder = BtfBuilder()
    u64 = builder.int("u64", 8)
    packed = builder.struct("packed", 9, [Member("tag", builder.int("u8", 1), 0), Member("value", u64, 8)])
    assert Btf(builder.bytes()).align(packed) == 1


def test_old_bitfields_are_read_from_their_type() -> None:
    builder = BtfBuilder()
    narrow = builder.add(Int("unsigned int", 4, IntEncoding.NONE, bits=3, bit_offset=4))
    holder = builder.struct("holder", 4, [Member("flag", narrow, 8)])
    path = Btf(builder.bytes()).member(holder, "flag")
    assert (path.bit_offset, path.bitfield_size) == (12, 3)


def test_prototypes() -> None:
    builder = BtfBuilder()
    i32 = builder.int("int", 4, signed=True)
    prototype = builder.prototype(i32, [("", builder.pointer(0)), ("count", i32)])
    function = builder.function("work", prototype)
    typedef = builder.typedef("btf_trace_work", builder.pointer(prototype))
    btf = Btf(builder.bytes())
    assert btf.prototype(function) == btf.prototype(typedef)
    assert [p.name for p in btf.prototype(function).parameters] == ["", "count"]
    assert btf.describe(typedef) == "btf_trace_work"
    assert btf.describe(prototype) == "int (void *, int)"
    with pytest.raises(TypeError, match="int is no function"):
        btf.prototype(i32)


def test_flavours() -> None:
    builder = BtfBuilder()
    plain = builder.struct("sk_buff", 4, [])
    builder.struct("sk_buff_head", 4, [])
    old = builder.struct("sk_buff___old", 4, [])
    older = builder.struct("sk_buff___old___2", 4, [])
    builder.typedef("sk_buff", plain)
    btf = Btf(builder.bytes())
    assert btf.candidates("sk_buff", Kind.STRUCT) == [plain, old]
    assert btf.candidates("sk_buff___new", Kind.STRUCT) == [plain, old]
    assert btf.candidates("sk_buff___old___x", Kind.STRUCT) == [older]
    assert btf.find("sk_buff", Kind.TYPEDEF) == btf.count - 1


@pytest.mark.parametrize(
    ("name", "essential"),
    [
        ("task_struct", "task_struct"),
        ("task_struct___x", "task_struct"),
        ("a___b___c", "a___b"),
        ("___x", "___x"),
        ("a___", "a___"),
        ("a____b", "a____b"),
        ("", ""),
    ],
)
def test_essential_names(name: str, essential: str) -> None:
    assert essential_name(name) == essential


def test_a_definition_goes_before_a_declaration() -> None:
    builder = BtfBuilder()
    forward = builder.forward("sock")
    defined = builder.struct("sock", 8, [])
    btf = Btf(builder.bytes())
    assert btf.find("sock") == defined
    assert btf.find("sock", Kind.FWD) == forward


# -- the kept index --------------------------------------------------------------------------------------------


def test_a_kept_index_is_used_and_a_foreign_or_damaged_one_is_not(nested: tuple[Btf, int]) -> None:
    btf, _ = nested
    index = btf.index()
    again = Btf(btf.data(), index=index)
    assert again.index_was_used
    assert again.find("outer") == btf.find("outer")
    other = bytearray(btf.data())
    other[-2] ^= 1
    assert not Btf(bytes(other), index=index).index_was_used
    for damaged in (index[:-4], index[:-1] + bytes([index[-1] ^ 1]), b"", b"x" * len(index)):
        rebuilt = Btf(btf.data(), index=damaged)
        assert not rebuilt.index_was_used
        assert rebuilt.find("outer") == btf.find("outer")


# -- cycles, bombs, wrong headers ------------------------------------------------------------------------------


def test_cycles_are_refused() -> None:
    builder = BtfBuilder()
    loop = builder.declare()
    const = builder.add(Modifier(Kind.CONST, loop))
    builder.define(loop, Typedef("loop", const))
    itself = builder.declare()
    builder.define(itself, Struct("itself", 4, (Member("", itself, 0),)))
    row = builder.declare()
    builder.define(row, Array(row, row, 2))
    pointer = builder.declare()
    builder.define(pointer, Pointer(pointer))
    btf = Btf(builder.bytes())
    for ask, type_id in ((btf.resolve, loop), (btf.size, row), (btf.align, itself), (btf.describe, pointer)):
        with pytest.raises(FormatError, match="nested without end"):
            ask(type_id)
    with pytest.raises(KeyError, match="has no member x"):
        btf.member(itself, "x")


def test_a_bomb_of_anonymous_structs_takes_no_time() -> None:
    builder = BtfBuilder()
    inner = builder.struct("", 0, [])
    for _ in range(40):  # 2 ** 40 paths
        inner = builder.struct("", 0, [Member("", inner, 0), Member("", inner, 0)])
    btf = Btf(builder.bytes())
    with pytest.raises(KeyError, match="has no member x"):
        btf.member(inner, "x")
    assert btf.align(inner) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: b"", "0 bytes are too few"),
        (lambda d: b"\x7fELF" + d[4:], "not with the magic number 0xeb9f"),
        (lambda d: d[:2] + b"\2" + d[3:], "version 2"),
        (lambda d: d[:4] + b"\xff\xff\xff\xff" + d[8:], "header length"),
        (lambda d: d[:12] + b"\xfc\xff\xff\xff" + d[16:], "type section of"),
        (lambda d: d[:20] + b"\xff\xff\xff\xff" + d[24:], "string section of"),
        (lambda d: d[:-1] + b"x", "does not end with a zero byte"),
        (lambda d: d[:31] + b"\x1f" + d[32:], "kind 31"),
        (lambda d: d[:4] + b"\x20" + d[5:24] + b"\0\0\0\0\xff\0\0\0" + d[24:], "layout section of"),
        (lambda d: d[:28] + b"\xff\xff\0\4" + d[32:], "runs past the end"),
    ],
)
def test_wrong_data_is_told_with_its_offset(change: object, message: str) -> None:
    builder = BtfBuilder()
    builder.int("int", 4)
    with pytest.raises(FormatError, match=message) as caught:
        Btf(change(builder.bytes()))  # type: ignore[operator]
    assert caught.value.offset is not None


def test_a_kind_of_a_newer_kernel_is_skipped_if_its_length_is_told() -> None:
    strings = b"\0int\0new\0"
    words = [5, 25 << 24 | 2, 0, *range(5), 1, 1 << 24, 4, 32]  # 3 words, one more, and two items of two
    types = struct.pack("=12I", *words)
    rows = b"".join(bytes([0, 0, 0, 0]) for _ in range(25)) + bytes([4, 8, 0, 0])
    layout = struct.pack("=II", len(types) + len(strings), len(rows))
    header = struct.pack("=HBBIIIII", 0xEB9F, 1, 0, 32, 0, len(types), len(types), len(strings))
    btf = Btf(header + layout + types + strings + rows)
    assert btf.count == 3
    assert btf.type(btf.find("int")) == Int("int", 4, IntEncoding.NONE, 32)
    assert btf.kind(btf.find("new")) is Kind.UNKNOWN
    with pytest.raises(FormatError, match="kind 25 is not known, in type 1"):
        btf.type(1)


def test_an_unknown_id_is_told() -> None:
    builder = BtfBuilder()
    builder.int("int", 4)
    with pytest.raises(FormatError, match="there is no type 7; ids run from 0 to 1"):
        Btf(builder.bytes()).type(7)


@pytest.mark.parametrize(
    "wrong",
    [
        Struct("s", 8, (Member("far", 0, 1 << 24),), has_bitfields=True),
        Struct("s", 8, (Member("bits", 0, 0, 3),)),
        Enum("e", 4, (Enumerator("big", 1 << 32),)),
        Enum("e", 4, (Enumerator("big", 1 << 31),), is_signed=True),
        DataSection("d", 0, (SectionVariable(0, 0, 0),) * 70000),
    ],
)
def test_the_encoder_refuses_what_does_not_fit(wrong: Type) -> None:
    with pytest.raises(ValueError):
        BtfBuilder().add(wrong)


def test_the_encoder_wants_every_declared_type_defined() -> None:
    builder = BtfBuilder()
    builder.declare()
    with pytest.raises(ValueError, match="type 1 was declared and never defined"):
        builder.bytes()
