"""What is read out of an object before it is loaded: options, the struct of a ring, its columns."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from types import MappingProxyType
from typing import Any

import pytest

from beespace.btf import Btf, BtfBuilder, Member
from beespace.btf.codec import codec
from beespace.errors import UsageError
from beespace.isa import Insn, encode
from beespace.isa.constants import MapType
from beespace.session.columns import layout_from
from beespace.session.event_types import choose, put_sizes
from beespace.session.object_options import options_of
from beespace.session.records import Events
from beespace.spec import FunctionSpec, MapSpec, ObjectSpec, ProgramSpec, SymbolKind, SymbolReloc, VariableSpec
from beespace.stream import decode


class Types:
    """A BTF with what the tests want, by name."""

    def __init__(self) -> None:
        self.builder = build = BtfBuilder()
        self.u8 = build.int("unsigned char", 1)
        self.u32 = build.int("unsigned int", 4)
        self.s64 = build.int("long long", 8, signed=True)
        self.char = build.int("char", 1, signed=True)
        self.bool = build.int("_Bool", 1, boolean=True)
        inner = build.struct("inner", 8, [Member("a", self.u32, 0), Member("b", self.u32, 32)])
        union = build.union("", 4, [Member("x", self.u32), Member("y", self.u8)])
        self.event = build.struct("event", 64, [
            Member("number", self.s64, 0),
            Member("pid", self.u32, 64),
            Member("ok", self.bool, 96),
            Member("mac", build.array(self.u8, 6), 104),
            Member("comm", build.array(self.char, 16), 152),
            Member("inner", inner, 288),
            Member("list", build.array(self.u32, 3), 352),
            Member("", union, 448),
            Member("bits", self.u32, 480, 3),
        ])  # fmt: skip
        self.other = build.struct("other", 12, [Member("data", build.array(self.u32, 3))])


def function(*insns: Insn, maps: dict[int, str] | None = None) -> FunctionSpec:
    symbols = tuple(SymbolReloc(index, SymbolKind.MAP, name) for index, name in (maps or {}).items())
    return FunctionSpec("f", encode(insns), symbols)


def reserve(ring: str, size: int) -> FunctionSpec:
    return function(
        Insn(0x18, 1), Insn(0), Insn(0xB7, 2, imm=size), Insn(0xB7, 3), Insn(0x85, imm=131), Insn(0x95), maps={0: ring}
    )


def spec(types: Types, *functions: FunctionSpec, **more: Any) -> ObjectSpec:
    rings = {name: MapSpec(name, MapType.RINGBUF, 0, 0, 4096) for name in ("ring", "events")}
    programs = {f"p{place}": ProgramSpec(f"p{place}", "socket", each) for place, each in enumerate(functions)}
    return ObjectSpec("o", "GPL", programs, maps={**rings, **more.pop("maps", {})}, btf=types.builder.bytes(), **more)


def test_lengths_that_are_put_in() -> None:
    output = function(
        Insn(0x18, 2),
        Insn(0),
        Insn(0xBF, 1, 6),
        Insn(0xB7, 5, imm=24),
        Insn(0x85, imm=25),
        Insn(0x95),
        maps={0: "array"},
    )
    unknown = function(Insn(0x18, 1), Insn(0), Insn(0x61, 2, 6), Insn(0x85, imm=131), Insn(0x95), maps={0: "ring"})
    after_a_call = function(
        Insn(0xB7, 2, imm=8),
        Insn(0x85, imm=5),
        Insn(0x18, 1),
        Insn(0),
        Insn(0x85, imm=131),
        Insn(0x95),
        maps={2: "ring"},
    )
    found = put_sizes(spec(Types(), reserve("ring", 16), reserve("ring", 32), output, unknown, after_a_call))
    assert found == {"ring": {16, 32}, "array": {24}}


def test_the_struct_of_the_rings_name_comes_first() -> None:
    types = Types()
    object_spec = spec(types, reserve("events", 12))
    choice = choose(object_spec, Btf(object_spec.btf), "events")
    assert (choice.name, choice.why) == ("event", "it bears the ring's name")


def test_the_length_tells_two_apart() -> None:
    types = Types()
    for size, name in ((12, "other"), (64, "event"), (8, "inner"), (13, "")):
        object_spec = spec(types, reserve("ring", size))
        assert choose(object_spec, Btf(object_spec.btf), "ring").name == name
    object_spec = spec(types)
    assert "may be any of event, inner, other" in choose(object_spec, Btf(object_spec.btf), "ring").why


def test_what_belongs_to_a_map_is_no_candidate() -> None:
    types = Types()
    pair = {"pairs": MapSpec("pairs", MapType.HASH, 12, 64, 1, key_type=types.other, value_type=types.event)}
    object_spec = spec(types, maps=pair)
    assert choose(object_spec, Btf(object_spec.btf), "ring").name == "inner"


def test_a_struct_that_is_not_there() -> None:
    object_spec = spec(Types())
    with pytest.raises(UsageError, match="did you mean event"):
        choose(object_spec, Btf(object_spec.btf), "ring", "evnt")
    assert choose(object_spec, Btf(object_spec.btf), "ring", "struct other").type_id


def test_columns_say_what_the_codec_says() -> None:
    types = Types()
    btf = Btf(types.builder.bytes())
    data = struct.pack("=qI?6s16sxIIIIIII", -5, 7, True, b"abcdef", b"bash", 1, 2, 3, 4, 5, 6, 5)
    assert len(data) == 64
    [row] = decode(layout_from(btf, types.event), data).to_pylist()
    record = codec(btf, types.event).decode(data)
    for name in ("number", "pid", "ok", "mac", "comm"):
        assert row[name] == record[name]
    assert row["inner"] == record.inner._asdict()
    assert tuple(row["list"]) == record.list
    assert row["anonymous_56"] == data[56:60]  # a union is left as it is
    assert row["bits"] == data[60:61]
    with pytest.raises(UsageError, match="no struct"):
        layout_from(btf, types.u32)


def test_options_are_read_only_globals() -> None:
    types = Types()
    limit = types.builder.variable("limit", types.u32)
    label = types.builder.variable("the_label", types.builder.array(types.char, 8))
    loud = types.builder.variable("loud", types.bool)
    count = types.builder.variable("count", types.u32)
    variables = {
        "limit": VariableSpec("limit", ".rodata", 0, 4, limit),
        "the_label": VariableSpec("the_label", ".rodata", 4, 8, label),
        "loud": VariableSpec("loud", ".rodata", 12, 1, loud),
        "count": VariableSpec("count", ".bss", 0, 4, count),
    }
    object_spec = spec(types, variables=variables, data={".rodata": struct.pack("=I8s", 9, b"name")})
    options = options_of(object_spec)
    assert {name: option.default for name, option in options.items()} == {
        "limit": 9,
        "the_label": "name",
        "loud": False,
    }
    assert options["the_label"].flag == "the-label"
    assert options["limit"].value("0x10") == 16
    assert options["loud"].value("yes") is True
    assert options["the_label"].value("text") == "text"
    for name, text in (("limit", "ten"), ("loud", "2")):
        with pytest.raises(UsageError, match=f"--{name}"):
            options[name].value(text)


class Records:
    """A reader of given records."""

    name, lost = "ring", 0

    def __init__(self, *records: bytes) -> None:
        self.records = list(records)
        self.closed = False

    def fileno(self) -> int:
        return -1

    def poll(self, timeout: float | None = None) -> bool:
        return bool(self.records)

    def __iter__(self) -> Iterator[bytes]:
        while self.records:
            yield self.records.pop(0)

    def close(self) -> None:
        self.closed = True


def test_events_are_decoded_and_short_ones_counted() -> None:
    types = Types()
    btf = Btf(types.builder.bytes())
    whole = struct.pack("=III", 1, 2, 3)
    reader = Records(whole, whole[:4], whole + b"more")
    events = Events(reader, codec(btf, types.other), layout_from(btf, types.other), "other", "")
    assert [event if isinstance(event, bytes) else event.data for event in events.until(0)] == [
        (1, 2, 3), whole[:4], (1, 2, 3),
    ]  # fmt: skip
    assert events.malformed == 1
    reader.records = [whole, whole[:4]]
    [batch] = events.batches(0)
    assert batch.records.to_pylist() == [{"data": [1, 2, 3]}]
    assert batch.lost == MappingProxyType({"malformed": 1})
    reader.records = [whole] * 5
    assert len(events.read(3, timeout=0)) == 3
    assert len(events.read(3, timeout=0)) == 2
    with events:
        pass
    assert reader.closed


def test_events_without_a_struct_are_bytes() -> None:
    events = Events(Records(b"abc"), None, None, "", "nothing says what they are")
    assert list(events.available()) == [b"abc"]
    with pytest.raises(UsageError, match="name the struct"):
        next(events.batches(0))
