"""Putting a program and its sub-programs together."""

from __future__ import annotations

import struct

import pytest

from beespace.btf import BtfBuilder
from beespace.btf.types import Linkage
from beespace.errors import FormatError
from beespace.record import replace
from beespace.reloc.image import assemble
from beespace.spec import FunctionInfo, FunctionSpec, LineInfo, ObjectSpec, SymbolKind, SymbolReloc

EXIT = bytes.fromhex("9500000000000000")
CALL = bytes.fromhex("8500000000000000")
LOAD = bytes.fromhex("1801000000000000 0000000000000000")  # ld_imm64 r1


def line(index: int, number: int = 1) -> LineInfo:
    return LineInfo(index, "a.py", f"  line {number}", number, 3, 10, 20)


def function(name: str, code: bytes, *symbols: SymbolReloc, lines: tuple[LineInfo, ...] = ()) -> FunctionSpec:
    return FunctionSpec(name, code, symbols, functions=(FunctionInfo(0, 7),), lines=lines)


def call(index: int, name: str) -> SymbolReloc:
    return SymbolReloc(index, SymbolKind.CALL, name)


def spec(*subprograms: FunctionSpec) -> ObjectSpec:
    return ObjectSpec("o", "GPL", {}, {each.name: each for each in subprograms})


def instruction(code: bytes, index: int) -> tuple[int, int, int]:
    opcode, registers, _, immediate = struct.unpack_from("=BBhi", code, 8 * index)
    return opcode, registers >> 4, immediate


def test_only_what_is_reached_is_taken_once_and_in_order() -> None:
    entry = function("entry", CALL + CALL + CALL + EXIT, call(0, "b"), call(1, "a"), call(2, "b"))
    a = function("a", CALL + EXIT, call(0, "c"))
    b = function("b", EXIT)
    c = function("c", EXIT + EXIT)
    image = assemble(spec(function("unused", EXIT), a, b, c), entry)
    assert [(each.function.name, each.start) for each in image.placed] == [("entry", 0), ("b", 4), ("a", 5), ("c", 7)]
    assert len(image.code) == 8 * 9
    # BPF_PSEUDO_CALL; the distance counts from the instruction after the call.
    assert [instruction(image.code, index) for index in (0, 1, 2, 5)] == [
        (0x85, 1, 3),
        (0x85, 1, 3),
        (0x85, 1, 1),
        (0x85, 1, 1),
    ]


def test_a_function_may_call_itself_and_back() -> None:
    entry = function("entry", CALL + EXIT, call(0, "even"))
    even = function("even", CALL + EXIT, call(0, "odd"))
    odd = function("odd", CALL + EXIT, call(0, "even"))
    image = assemble(spec(even, odd), entry)
    assert [instruction(image.code, index)[2] for index in (0, 2, 4)] == [1, 1, -3]


def test_the_address_of_a_function_keeps_the_register() -> None:
    entry = function("entry", LOAD + EXIT, SymbolReloc(0, SymbolKind.FUNCTION, "back"))
    image = assemble(spec(function("back", EXIT)), entry)
    assert image.code[:8].hex() == "1841000002000000"  # BPF_PSEUDO_FUNC, r1, 2 instructions on


def test_an_exception_callback_comes_along_though_nothing_calls_it() -> None:
    builder = BtfBuilder()
    number = builder.function("entry", builder.prototype(0, []), Linkage.GLOBAL)
    builder.decl_tag("exception_callback:caught", number)
    made = replace(spec(function("caught", EXIT)), btf=builder.bytes())
    assert [each.function.name for each in assemble(made, function("entry", EXIT)).placed] == ["entry", "caught"]
    assert [each.function.name for each in assemble(made, function("other", EXIT)).placed] == ["other"]
    with pytest.raises(FormatError, match="'caught'"):
        assemble(replace(spec(), btf=builder.bytes()), function("entry", EXIT))

    builder.decl_tag("exception_callback:other", number)  # two: the kernel is asked, and says so
    made = replace(made, btf=builder.bytes())
    assert [each.function.name for each in assemble(made, function("entry", EXIT)).placed] == ["entry"]


def test_other_references_move_with_their_function() -> None:
    entry = function("entry", CALL + EXIT, call(0, "sub"))
    sub = function("sub", EXIT + LOAD, SymbolReloc(1, SymbolKind.MAP_VALUE, "m", addend=12))
    image = assemble(spec(sub), entry)
    assert image.symbols == (SymbolReloc(3, SymbolKind.MAP_VALUE, "m", addend=12),)


def test_a_missing_sub_program_is_named() -> None:
    with pytest.raises(FormatError, match="entry calls 'gone'"):
        assemble(spec(), function("entry", CALL + EXIT, call(0, "gone")))


def test_function_and_line_records_move() -> None:
    entry = function("entry", CALL + EXIT, call(0, "sub"), lines=(line(0, 5), line(1, 6)))
    sub = function("sub", EXIT + EXIT, lines=(line(1, 9),))
    image = assemble(spec(sub), entry)
    assert struct.unpack("=4I", image.func_info) == (0, 7, 2, 7)
    records = list(struct.iter_unpack("=4I", image.line_info))
    # The kernel wants a line at the start of each function, and one an instruction.
    assert [(index, position >> 10, position & 1023) for index, _, _, position in records] == [
        (0, 5, 3),
        (1, 6, 3),
        (2, 9, 3),
    ]
    assert records[0][1:3] == (10, 20)


def test_lines_are_sorted_and_unique() -> None:
    entry = function("entry", EXIT * 3, lines=(line(2, 3), line(0, 1), line(2, 4)))
    image = assemble(spec(), entry)
    assert [(each.index, each.line) for each in image.lines] == [(0, 1), (2, 3)]


@pytest.mark.parametrize("column", [1023, 1024, 5000])
def test_a_column_too_far_right_stays_inside_its_field(column: int) -> None:
    lines = (LineInfo(0, "f", "t", 77, column),)
    image = assemble(spec(), function("entry", EXIT, lines=lines))
    position = struct.unpack("=4I", image.line_info)[3]
    assert (position >> 10, position & 1023) == (77, 1023)


def test_records_that_not_all_functions_have_are_left_out() -> None:
    entry = function("entry", CALL + EXIT, call(0, "sub"), lines=(line(0),))
    bare = FunctionSpec("sub", EXIT)
    image = assemble(spec(bare), entry)
    assert image.func_info == b""
    assert image.line_info == b""


def test_places_are_found_again() -> None:
    entry = function("entry", CALL + EXIT, call(0, "sub"), lines=(line(0, 5),))
    sub = FunctionSpec("sub", EXIT * 3, lines=(line(1, 8), line(2, 9)))
    last = FunctionSpec("last", EXIT)
    image = assemble(spec(sub, last), entry)
    assert image.locate(4)[0].name == "sub"
    assert image.locate(4)[1] == 2
    assert image.source(1) == "a.py:5: line 5"
    assert image.source(2) == "a.py:8: line 8"
    assert image.source(4) == "a.py:9: line 9"


def test_a_function_without_lines_has_no_source() -> None:
    entry = function("entry", CALL + EXIT, call(0, "sub"), lines=(line(0, 5),))
    image = assemble(spec(FunctionSpec("sub", EXIT)), entry)
    assert image.source(1) == "a.py:5: line 5"
    assert image.source(2) is None
