"""Unions, enumerations, nested arrays: layout, bytes and back; and words of a command line."""

from __future__ import annotations

import ctypes
from enum import IntEnum, IntFlag

import pytest

from beespace.errors import UsageError
from beespace.lang import Hash
from beespace.lang.maps.declaration import plain
from beespace.schema import Event, Struct, Union
from beespace.schema.codec import pack, unpack
from beespace.schema.kinds import as_kind
from beespace.schema.parse import parse
from beespace.types import Address, Raw, Text, array, be32, boolean, i32, raw, stored, text, u8, u16, u32, u64


class State(IntEnum):
    OPEN = 1
    CLOSED = 2


class Access(IntFlag):
    READ = 1
    WRITE = 4


class Wide(IntFlag):
    FAR = 1 << 40


class Signed(IntEnum):
    LOW = -5


class Pair(Struct):
    low: u16
    high: u64


class Where(Union):
    v4: be32
    pair: Pair
    v6: Raw = raw(18)


class Whole(Struct):
    first: u8
    where: Where
    state: State
    tiny: State = stored(State, u8)
    pairs: list[Pair] = array(Pair, 2)
    grid: list[list[u16]] = array(array(u16, 3), 2)


class CPair(ctypes.Structure):
    _fields_ = [("low", ctypes.c_uint16), ("high", ctypes.c_uint64)]


class CWhere(ctypes.Union):
    _fields_ = [("v4", ctypes.c_uint32), ("pair", CPair), ("v6", ctypes.c_ubyte * 18)]


class CWhole(ctypes.Structure):
    _fields_ = [
        ("first", ctypes.c_uint8), ("where", CWhere), ("state", ctypes.c_uint32), ("tiny", ctypes.c_uint8),
        ("pairs", CPair * 2), ("grid", (ctypes.c_uint16 * 3) * 2),
    ]  # fmt: skip


@pytest.mark.parametrize(("ours", "theirs"), [(Pair, CPair), (Where, CWhere), (Whole, CWhole)])
def test_layout_is_that_of_c(ours: type[Struct], theirs: type) -> None:
    assert ours.layout.size == ctypes.sizeof(theirs)
    assert ours.layout.align == ctypes.alignment(theirs)
    for field in ours.layout.fields:
        assert field.offset == getattr(theirs, field.name).offset
        assert field.size == getattr(theirs, field.name).size


def test_a_union_is_its_bytes() -> None:
    where = Where(v4=0x01020304)
    assert where.v6 == b"\1\2\3\4" + bytes(14)
    assert where.pair.low == 0x0201
    where.pair = Pair(low=0xFFFF, high=1)
    assert (where.v4, where.pair) == (0xFFFF0000, Pair(low=0xFFFF, high=1))
    assert where == unpack(Where, pack(Where, where))
    assert where != Where()
    assert len({where, Where(pair=Pair(low=0xFFFF, high=1)), Where()}) == 2
    with pytest.raises(TypeError, match="made of one field"):
        Where(v4=1, pair=Pair())
    with pytest.raises(TypeError, match="no field 'v5'"):
        Where(v5=1)


def test_members_come_back() -> None:
    whole = Whole(state=State.CLOSED, tiny=State.OPEN, where=Where(v4=9))
    again = unpack(Whole, pack(Whole, whole))
    assert again == whole
    assert (type(again.state), type(again.tiny)) == (State, State)
    assert unpack(as_kind(State), b"\x09\0\0\0") == 9  # which no member has
    assert unpack(as_kind(Access), b"\x05\0\0\0") is Access.READ | Access.WRITE


def test_sizes_of_enumerations() -> None:
    sizes = {enum: (as_kind(enum).bits, as_kind(enum).signed) for enum in (State, Access, Wide, Signed)}
    assert sizes == {State: (32, False), Access: (32, False), Wide: (64, False), Signed: (32, True)}
    with pytest.raises(ValueError, match=r"Wide.FAR is 1099511627776, which does not fit u8"):
        stored(Wide, u8)
    with pytest.raises(TypeError):
        stored(int, u8)


def test_arrays_of_structs_are_not_shared() -> None:
    whole = Whole()
    whole.pairs[0].low = 1
    whole.grid[0][0] = 1
    assert (whole.pairs[1].low, whole.grid[1][0]) == (0, 0)


@pytest.mark.parametrize(
    ("kind", "word", "value"),
    [
        (u32, "0x10", 16),
        (i32, "-3", -3),
        (u64, "1_000", 1000),
        (boolean, "yes", True),
        (bool, "FALSE", False),
        (State, "closed", State.CLOSED),
        (State, "1", State.OPEN),
        (Access, "READ|write", Access.READ | Access.WRITE),
        (text(8), "name", "name"),
        (raw(3), "0a:1B:2c", b"\x0a\x1b\x2c"),
        (Address, "10.0.0.1", "10.0.0.1"),
        (array(u16, 3), "1, 2", [1, 2, 0]),
        (array(State, 2), "OPEN", [State.OPEN, 0]),
    ],
)
def test_words(kind, word: str, value: object) -> None:
    found = parse(as_kind(kind), word)
    assert found == value
    assert pack(as_kind(kind), found)


@pytest.mark.parametrize(
    ("kind", "word", "message"),
    [
        (u8, "256", "does not fit a u8"),
        (u8, "some", "'some' is no number"),
        (bool, "2", "neither true nor false"),
        (State, "HALF", "'HALF' is no State"),
        (text(2), "long", "4 bytes long"),
        (raw(2), "0g", "no hexadecimal digits"),
        (Address, "1.2.3", "no IPv4 or IPv6 address"),
        (array(u8, 1), "1,2", "2 values, more than the 1"),
        (Pair, "1", "can not be written"),
    ],
)
def test_words_that_do_not_fit(kind, word: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse(as_kind(kind), word)


@pytest.mark.parametrize(("kind", "value"), [(u32, 1.5), (u32, "7"), (raw(4), 4), (text(4), 4)])
def test_values_of_another_kind(kind, value: object) -> None:
    with pytest.raises(UsageError):
        pack(kind, value)


def test_values_as_json_has_them() -> None:
    whole = Whole(state=State.CLOSED, where=Where(v4=1))
    shown = plain(whole)
    assert (shown["state"], shown["tiny"], shown["pairs"]) == ("CLOSED", 0, [{"low": 0, "high": 0}] * 2)
    assert shown["where"] == {"v4": 1, "pair": {"low": 0, "high": 0}, "v6": "00000001" + "00" * 14}
    assert [plain(value) for value in (Access.READ | Access.WRITE, Access(0))] == ["READ|WRITE", 0]


class Said(Event):
    number: u32
    data: Raw = raw(6, variable=True)


class SaidText(Event):
    line: Text = text(5, variable=True)


def test_the_last_field_of_an_event_may_vary_in_length() -> None:
    assert Said.layout.size == 4 + 4 + 8
    assert Said.layout.variable == Said.layout.field("data")
    assert pack(Said, Said(number=1, data=b"ab")) == b"\1\0\0\0\2\0\0\0ab" + bytes(6)
    assert unpack(Said, b"\1\0\0\0\2\0\0\0ab") == Said(number=1, data=b"ab")
    assert unpack(SaidText, pack(SaidText, SaidText(line="grün"))) == SaidText(line="grün")
    assert (Said().data, SaidText().line) == (b"", "")
    with pytest.raises(UsageError, match="more than the 6"):
        pack(Said, Said(data=bytes(7)))


def test_what_varies_in_length_stands_at_the_end_of_events_alone() -> None:
    with pytest.raises(TypeError, match=r"Early\.name is of variable length, which only the last field of an Event"):

        class Early(Event):
            name: Text = text(8, variable=True)
            number: u32

    with pytest.raises(TypeError, match=r"Plain\.name is of variable length, which only the last field of an Event"):

        class Plain(Struct):
            name: Text = text(8, variable=True)

    with pytest.raises(TypeError, match=r"Nested\.said is a Said, whose length varies"):

        class Nested(Event):
            said: Said

    for declare in (lambda: Hash(key=u32, value=Said), lambda: Hash(key=text(8, variable=True), value=u32)):
        with pytest.raises(TypeError, match="goes into a Ring or PerfEvents"):
            declare()
    with pytest.raises(TypeError, match="the length of text varies"):
        array(text(8, variable=True), 2)
