"""Specs that no compiler has made: what the writer writes, the reader reads back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from beespace import elf
from beespace.btf import Btf, BtfBuilder, Kind, Linkage, Member
from beespace.elf.order import turn_spec
from beespace.errors import FormatError
from beespace.isa import Insn, MapType, decode, encode
from beespace.isa.constants import MapFlag
from beespace.spec import (
    CoreReloc,
    FunctionInfo,
    FunctionSpec,
    KconfigSpec,
    LineInfo,
    MapSpec,
    ObjectSpec,
    Pinning,
    ProgramSpec,
    StructOpsSpec,
    SymbolKind,
    SymbolReloc,
    VariableSpec,
)

EXIT = Insn(0x95, 0, 0, 0, 0)
ZERO = Insn(0xB7, 0, 0, 0, 0)


def load(source: int) -> tuple[Insn, Insn]:
    """r1 = a placeholder of 64 bits."""
    return Insn(0x18, 1, source, 0, 0), Insn(0, 0, 0, 0, 0)


def function(name: str, *insns: Insn, **parts: object) -> FunctionSpec:
    return FunctionSpec(name, encode(insns), **parts)  # type: ignore[arg-type]


def program(entry: FunctionSpec, section: str = "socket") -> ProgramSpec:
    return ProgramSpec(entry.name, section, entry)


def object_of(*programs: ProgramSpec, **parts: object) -> ObjectSpec:
    named = {each.name: each for each in programs}
    return ObjectSpec("hand", "GPL", named, **parts)  # type: ignore[arg-type]


def round_trip(spec: ObjectSpec) -> ObjectSpec:
    return elf.read(elf.write(spec), spec.name)


def whole() -> ObjectSpec:
    """A spec with something of everything, and BTF that knows of it."""
    types = BtfBuilder()
    integer = types.int("int", 4, signed=True)
    prototype = types.prototype(integer, [("ctx", types.pointer(0))])
    main = types.function("main", prototype, Linkage.GLOBAL)
    shared = types.function("shared", prototype, Linkage.GLOBAL)
    own = types.function("own", prototype, Linkage.STATIC)
    counter = types.variable("counter", integer)
    types.section(".bss", 8, [(counter, 4, 4)])
    kfunc = types.function("bpf_do", prototype, Linkage.EXTERN)
    variable = types.variable("jiffies_somewhere", integer, Linkage.EXTERN)
    address = types.variable("somewhere_else", types.const(0), Linkage.EXTERN)
    types.section(".ksyms", 0, [(kfunc, 0, 0), (variable, 0, 4), (address, 0, 0)])
    version = types.variable("LINUX_KERNEL_VERSION", integer, Linkage.EXTERN)
    types.section(".kconfig", 4, [(version, 0, 4)])
    methods = types.struct("methods", 16, [Member("flags", integer, 0), Member("do", types.pointer(prototype), 64)])
    method = types.function("method", prototype, Linkage.GLOBAL)
    types.section("?.struct_ops.link", 16, [(types.variable("mine", methods), 0, 16)])
    types.section(".addr_space.1", 8, [(types.variable("deep", integer), 4, 4)])
    for text in (".text", "struct_ops/do", "socket", "0:1", "a.py", "return 0"):
        types.string(text)
    file, line = types.string("a.py"), types.string("return 0")
    call, kcall = Insn(0x85, 0, 1, 0, 0), Insn(0x85, 0, 2, 0, 0)
    entry = function(
        "main",
        *load(1), *load(2), *load(4), *load(3), *load(2), call, call, kcall, *load(0), *load(2), EXIT,
        symbols=(
            SymbolReloc(0, SymbolKind.MAP, "hash"),
            SymbolReloc(2, SymbolKind.MAP_VALUE, ".bss", 4),
            SymbolReloc(4, SymbolKind.FUNCTION, "own"),
            SymbolReloc(6, SymbolKind.KSYM, "jiffies_somewhere", weak=True),
            SymbolReloc(8, SymbolKind.MAP_VALUE, ".kconfig"),
            SymbolReloc(10, SymbolKind.CALL, "own"),
            SymbolReloc(11, SymbolKind.CALL, "shared"),
            SymbolReloc(12, SymbolKind.KFUNC, "bpf_do"),
            SymbolReloc(13, SymbolKind.ADDRESS, "somewhere_else"),
            SymbolReloc(15, SymbolKind.MAP_VALUE, "arena", 4),
        ),
        core=(CoreReloc(17, integer, "0:1", 0),),
        functions=(FunctionInfo(0, main),),
        lines=(LineInfo(0, "a.py", "return 0", 7, 3, file, line), LineInfo(17, "a.py", "return 0", 9, 1, file, line)),
    )  # fmt: skip
    helper = function("shared", ZERO, EXIT, functions=(FunctionInfo(0, shared),))
    static = function(
        "own", call, EXIT, symbols=(SymbolReloc(0, SymbolKind.CALL, "shared"),), functions=(FunctionInfo(0, own),)
    )
    callback = function("method", ZERO, EXIT, functions=(FunctionInfo(0, method),))
    btf = types.bytes()
    section = Btf(btf).find(".bss", Kind.DATASEC)
    kconfig = Btf(btf).find(".kconfig", Kind.DATASEC)
    flags = int(MapFlag.MMAPABLE)
    bss = MapSpec(".bss", MapType.ARRAY, 4, 8, 1, flags, value_type=section)
    arena = MapSpec("arena", MapType.ARENA, 0, 0, 1, flags)
    config = MapSpec(".kconfig", MapType.ARRAY, 4, 4, 1, flags | MapFlag.RDONLY_PROG, value_type=kconfig)
    return object_of(
        program(entry),
        replace(program(callback, "struct_ops/do"), autoload=False),
        subprograms={"shared": helper, "own": static},
        maps={
            "hash": MapSpec("hash", MapType.HASH, 4, 4, 100, key_type=integer),
            "arena": arena, ".bss": bss, ".kconfig": config,
        },
        variables={
            "counter": VariableSpec("counter", ".bss", 4, 4, integer),
            "deep": VariableSpec("deep", "arena", 4, 4, integer),
            "LINUX_KERNEL_VERSION": VariableSpec("LINUX_KERNEL_VERSION", ".kconfig", 0, 4, integer),
        },
        data={".bss": bytes(8), ".kconfig": bytes(4), "arena": bytes(4) + b"deep"},
        btf=btf,
        kconfig=(KconfigSpec("LINUX_KERNEL_VERSION", 0, 4, integer, weak=True),),
        struct_ops={
            "mine": StructOpsSpec("mine", methods, b"\7" + bytes(15), {8: "method"}, link=True, optional=True),
        },
    )  # fmt: skip


def test_everything_survives() -> None:
    spec = whole()
    got = round_trip(spec)
    # The BTF had no definition of the map; the file has.
    assert got.btf != spec.btf
    assert replace(got, btf=spec.btf) == spec
    assert round_trip(got) == got
    assert elf.write(got) == elf.write(got)


def test_the_other_byte_order() -> None:
    """Code and types are turned round, data are as they were; nothing else depends on the order."""
    spec = whole()
    turned = replace(turn_spec(spec, "little"), byteorder="big")
    data = elf.write(turned)
    assert data[5] == 2
    got = elf.read(data, "hand")
    assert got.byteorder == "big"
    assert replace(got, btf=b"") == replace(turned, btf=b"")
    assert int.from_bytes(got.btf[:2], "big") == 0xEB9F
    assert replace(turn_spec(got, "big"), byteorder="little") == round_trip(spec)
    insns = decode(got.programs["main"].entry.code, "big")
    assert insns == decode(spec.programs["main"].entry.code)
    assert encode(insns, "big") == got.programs["main"].entry.code
    names = [Btf(got.btf).name(number) for number in range(Btf(got.btf).count)]
    assert names == [Btf(round_trip(spec).btf).name(number) for number in range(len(names))]


def test_ids_of_types_stay_when_maps_are_defined_anew() -> None:
    spec = round_trip(whole())
    larger = replace(spec, maps={**spec.maps, "hash": replace(spec.maps["hash"], max_entries=1 << 20)})
    got = round_trip(larger)
    assert got.maps["hash"].max_entries == 1 << 20
    old, new = Btf(spec.btf), Btf(got.btf)
    names = [(old.kind(number), old.name(number)) for number in range(old.count)]
    assert names == [(new.kind(number), new.name(number)) for number in range(old.count)]
    assert replace(got, btf=b"") == replace(larger, btf=b"")


def test_no_type_information_at_all() -> None:
    spec = object_of(program(function("main", ZERO, EXIT)), subprograms={"f": function("f", EXIT)})
    assert round_trip(spec) == spec
    assert b".BTF" not in elf.write(spec)


INNER = MapSpec("outer.inner", MapType.ARRAY, 4, 8, 1)
MAPS = [
    MapSpec("a", MapType.HASH, 16, 40, 10_240, flags=1, numa_node=3),
    MapSpec("b", MapType.RINGBUF, 0, 0, 1 << 20, pinning=Pinning.BY_NAME),
    MapSpec("c", MapType.BLOOM_FILTER, 0, 8, 64, map_extra=5),
    MapSpec("d", MapType.BLOOM_FILTER, 0, 8, 64, map_extra=(5 << 32) + 1),
    MapSpec("outer", MapType.ARRAY_OF_MAPS, 4, 4, 9, inner=INNER, contents=((bytes([7, 0, 0, 0]), "inside"),)),
    MapSpec("inside", MapType.ARRAY, 4, 8, 1),
    MapSpec("jumps", MapType.PROG_ARRAY, 4, 4, 2, contents=((bytes([1, 0, 0, 0]), "main"),)),
    MapSpec("empty", MapType.PROG_ARRAY, 4, 4, 2),
]


def test_maps_without_any_type_information() -> None:
    spec = object_of(program(function("main", ZERO, EXIT)), maps={each.name: each for each in MAPS})
    got = round_trip(spec)
    assert dict(got.maps) == dict(spec.maps)
    assert replace(got, btf=b"") == spec


def test_maps_that_are_gone_leave_no_empty_section() -> None:
    spec = round_trip(object_of(program(function("main", ZERO, EXIT)), maps={"a": MAPS[0]}))
    assert round_trip(replace(spec, maps={})).maps == {}
    left = Btf(round_trip(replace(spec, maps={})).btf)
    assert not list(left.ids(Kind.DATASEC))
    assert left.count == Btf(spec.btf).count


def test_lines_of_another_string_table_find_their_text() -> None:
    spec = whole()
    entry = spec.programs["main"].entry
    line = LineInfo(0, "b.py", "return 1", 1, 1, file_offset=3, text_offset=999_999)
    changed = replace(spec, programs={**spec.programs, "main": program(replace(entry, lines=(line,)))})
    got = round_trip(changed)
    (found,) = got.programs["main"].entry.lines
    assert (found.file, found.text, found.line) == ("b.py", "return 1", 1)


CALLED_PROGRAM = function("main", Insn(0x85, 0, 1, 0, 0), EXIT, symbols=(SymbolReloc(0, SymbolKind.CALL, "other"),))
NO_MAP = function("main", *load(1), EXIT, symbols=(SymbolReloc(0, SymbolKind.MAP, "nowhere"),))
NO_KERNEL = function("main", *load(3), EXIT, symbols=(SymbolReloc(0, SymbolKind.KSYM, "jiffies"),))
BEYOND = function("main", EXIT, symbols=(SymbolReloc(9, SymbolKind.MAP, "a"),))
PRIVATE = MapSpec(".data", MapType.ARRAY, 4, 1, 1)
F = function("f", EXIT)
BSS = replace(PRIVATE, name=".bss")
BYTES = MapSpec("a", MapType.ARRAY, 4, 1, 1, contents=((bytes(4), b"x"),))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (object_of(program(CALLED_PROGRAM), program(function("other", EXIT))), "sub-program 'other', which the object"),
        (object_of(program(NO_MAP)), "map 'nowhere', which the object has not"),
        (object_of(program(NO_KERNEL)), "'jiffies' of the kernel, which the BTF does not declare"),
        (object_of(program(BEYOND), maps={"a": MAPS[0]}), "at 9, beyond its end"),
        (object_of(program(function("main", EXIT), ".text")), "section .text, which is for sub-programs"),
        (object_of(maps={"a": BYTES}), "initial contents of bytes"),
        (object_of(maps={".bss": BSS}, data={".bss": b"\1"}), "initial values other than zero"),
        (object_of(maps={".data": replace(PRIVATE, flags=1)}, data={".data": b"\1"}), "cannot express map '.data'"),
        (object_of(variables={"v": VariableSpec("v", ".data", 0, 4)}), "'.data', which the object has not"),
        (object_of(maps={"a": replace(MAPS[0], key_type=77)}), "type 77, which its BTF has not"),
        (object_of(program(F), subprograms={"f": F}), "two functions are called 'f'"),
    ],
)
def test_what_a_file_cannot_say_is_refused(spec: ObjectSpec, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        elf.write(spec)
    assert message in str(caught.value)
