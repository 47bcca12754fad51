"""Passes that make one thing of several: checks of headers, ends of branches, rounds of a loop."""

from __future__ import annotations

import pytest
from ir_modules import CONTEXT, LEAVE, NULL, PACKET, VALUE, after, missing, module, packet

from beespace.compiler import ir
from beespace.compiler.ir import (
    U16,
    U32,
    U64,
    Assign,
    AtomicAdd,
    Binary,
    BinaryOp,
    Compare,
    CompareOp,
    Const,
    Declare,
    Evaluate,
    Function,
    Helper,
    If,
    Load,
    Local,
    Loop,
    MapAddress,
    Module,
    Offset,
    Or,
    Parameter,
    Return,
    Select,
    Sequence,
    Slot,
    StackSlot,
    Store,
)
from beespace.compiler.ir.verify import verify
from beespace.compiler.ir.walk import walk
from beespace.compiler.passes.checked_packets import checked_packets
from beespace.compiler.passes.common_ends import common_ends
from beespace.compiler.passes.joined_bounds import joined_bounds
from beespace.compiler.passes.one_caller import one_caller
from beespace.compiler.passes.packet_ends import packet_ends
from beespace.compiler.passes.short_loops import short_loops

# --- joined_bounds ---

SHORT = Compare(CompareOp.NE, Load(Local("a", PACKET), ir.U8), Const(4, ir.U8))
OTHER = (Return(Const(1, ir.I32)),)
COUNT = Evaluate(Helper(7, "get_prandom_u32", (), U64))


def headers(*between: ir.Statement, first: ir.Expression | None = None, second: tuple[Return, ...] = LEAVE) -> Module:
    """14 bytes are asked for, then 34."""
    question = missing("a") if first is None else Or(missing("a"), first)
    made = module(
        Declare("a", PACKET, packet(14)), If(question, LEAVE), *between,
        Declare("b", PACKET, packet(34)), If(missing("b"), second),
    )  # fmt: skip
    return packet_ends(checked_packets(made))


def bounds(made: Module) -> list[int]:
    return [
        node.left.bytes
        for node in walk(made.functions[0].body)
        if isinstance(node, Compare) and isinstance(node.left, Offset) and isinstance(node.left.bytes, int)
    ]


def test_two_headers_are_checked_at_once() -> None:
    lines = after(joined_bounds, headers(first=SHORT))
    assert [line for line in lines if line.startswith("if")] == [
        "if (not ((d14 + 34 bytes) <= e14) or (u8[a] != 4:u8)):"
    ]


def test_what_is_asked_of_the_second_header_is_still_asked() -> None:
    made = module(
        Declare("a", PACKET, packet(14)), If(missing("a"), LEAVE),
        Declare("b", PACKET, packet(34)), If(Or(Or(missing("b"), SHORT), SHORT), LEAVE),
    )  # fmt: skip
    lines = after(joined_bounds, packet_ends(checked_packets(made)))
    assert [line for line in lines if line.startswith("if")] == [
        "if not ((d14 + 34 bytes) <= e14):",
        "if ((u8[a] != 4:u8) or (u8[a] != 4:u8)):",
    ]


@pytest.mark.parametrize(
    "made",
    [
        headers(second=OTHER),
        headers(COUNT),
        headers(If(SHORT, OTHER)),
        headers(first=Compare(CompareOp.NE, Helper(7, "get_prandom_u32", (), U64), Const(0, U64))),
    ],
    ids=["another result", "something happens", "another way out", "something is asked"],
)
def test_headers_that_differ_keep_their_checks(made: Module) -> None:
    assert bounds(made) == bounds(joined_bounds(made)) == [14, 34]


# --- common_ends ---


def counting(name: str, index: int, *more: ir.Statement) -> tuple[ir.Statement, ...]:
    there = Compare(CompareOp.NE, Local(name, VALUE), NULL)
    lookup = Helper(1, "map_lookup_elem", (MapAddress("counts"), StackSlot("k")), VALUE)
    return (
        *more,
        Store(StackSlot("k"), Const(index, U32)),
        Declare(name, VALUE, lookup),
        If(there, (AtomicAdd(Local(name, VALUE), Const(1, U64)),)),
    )


def branches(then: tuple[ir.Statement, ...], otherwise: tuple[ir.Statement, ...]) -> Module:
    condition = Compare(CompareOp.EQ, Local("n", U64), Const(3, U64))
    number = Declare("n", U64, Helper(7, "get_prandom_u32", (), U64))
    return module(number, If(condition, then, otherwise), slots=(Slot("k", 4, 4),))


def test_what_both_branches_end_with_stands_behind_them() -> None:
    lines = after(common_ends, branches(counting("t", 0), counting("u", 1)))
    assert lines[1:8] == [
        "if (n == 3:u64):", "u32[&k] = 0:u32", "else:", "u32[&k] = 1:u32",
        "t: *map value = *map value map_lookup_elem#1(map counts, &k)",
        "if (t != null):", "atomic u64[t] += 1:u64",
    ]  # fmt: skip


def test_ends_that_differ_stay() -> None:
    twice = (AtomicAdd(Local("t", VALUE), Const(2, U64)),)
    condition = Compare(CompareOp.NE, Local("t", VALUE), NULL)
    for made in (
        branches((*counting("t", 0)[:-1], If(condition, twice)), counting("u", 1)),
        branches(counting("t", 0), (Store(StackSlot("k"), Const(1, U32)),)),
        branches((Store(StackSlot("k"), Const(1, U32)),), (Store(StackSlot("k"), Const(1, U32)),)),
    ):
        assert common_ends(made) == made


def test_a_local_of_one_branch_is_not_that_of_the_other() -> None:
    def adding(name: str, map_name: str) -> tuple[ir.Statement, ...]:
        lookup = Helper(1, "map_lookup_elem", (MapAddress(map_name), StackSlot("k")), VALUE)
        there = Compare(CompareOp.NE, Local(name, VALUE), NULL)
        return Declare(name, VALUE, lookup), COUNT, If(there, (AtomicAdd(Local(name, VALUE), Local("n", U64)),))

    made = branches(adding("v", "counts"), adding("w", "table"))
    assert common_ends(made) == made


# --- short_loops ---


def element(index: ir.Expression) -> ir.Expression:
    """The u16 of that index behind the packet pointer ``a``, as the front half reads it."""
    at, most = Local("at", U32), Const(18, U32)
    hidden = (
        Store(StackSlot("k"), Binary(BinaryOp.MUL, index, Const(2, U32))),
        Declare("at", U32, Load(StackSlot("k"), U32, volatile=True)),
    )
    within = Select(Compare(CompareOp.LE, at, most), at, Const(0, U32))
    return Load(Offset(Local("a", PACKET), Sequence(hidden, within)), U16)


def looping(limit: int, *more: ir.Statement) -> Module:
    body = (Assign("n", Local("i", U32)), Assign("last", element(Local("n", U32))), *more)
    return module(
        Declare("a", PACKET, packet(34)), If(missing("a"), LEAVE), Declare("n", U32), Declare("last", U16),
        Loop(body, limit, "i"), slots=(Slot("k", 4, 4),),
    )  # fmt: skip


def test_the_rounds_of_a_short_loop_know_their_elements() -> None:
    lines = after(short_loops, looping(3))
    assert [line for line in lines if line.startswith(("last =", "n =", "loop"))] == [
        "n = 0:u32", "last = u16[(a + 0 bytes)]", "n = 1:u32", "last = u16[(a + 2 bytes)]",
        "n = 2:u32", "last = u16[(a + 4 bytes)]",
    ]  # fmt: skip


def test_locals_of_a_round_have_names_of_their_own() -> None:
    lines = after(short_loops, looping(2, Declare("x", U16, Local("last", U16))))
    assert [line for line in lines if line.startswith("x")] == ["x.of0: u16 = last", "x.of1: u16 = last"]


def test_other_loops_stay_loops() -> None:
    leaves = If(Compare(CompareOp.EQ, Local("last", U16), Const(9, U16)), (ir.Break(),))
    plain = module(Declare("n", U32), Loop((Assign("n", Local("i", U32)),), 3, "i"))
    for made in (looping(17), looping(3, leaves), plain):
        assert short_loops(made) == made


# --- one_caller ---


def calling(*times: int, size: int = 8, exported: bool = False) -> Module:
    """A program for each of ``times``, which calls the function ``g`` as often; its frame has ``size`` bytes."""
    callee = Function("g", (), U64, (Return(Const(1, U64)),), None, (Slot("s", size, 8),), exported=exported)
    programs = [
        Function(
            f"f{number}",
            (Parameter("ctx", CONTEXT),),
            ir.I32,
            (*(Evaluate(ir.Call("g", (), U64)) for _ in range(often)), Return(Const(2, ir.I32))),
            "xdp",
            (Slot("own", 128, 8),),
        )
        for number, often in enumerate(times)
    ]
    return Module("m", (callee, *programs))


def becomes_part(made: Module) -> bool:
    changed = one_caller(made)
    verify(changed)
    return changed.functions[0].inlined


def test_a_function_with_one_caller_becomes_part_of_it() -> None:
    assert becomes_part(calling(1))
    assert becomes_part(calling(1, 1))  # each program has its own copy anyway


def test_functions_that_stay() -> None:
    assert not becomes_part(calling(2))
    assert not becomes_part(calling(1, 2))
    assert not becomes_part(calling(1, size=200))  # of 512 bytes in all frames of a chain
    assert not becomes_part(calling(1, exported=True))
    address = Function("h", (), U64, (Evaluate(ir.FunctionAddress("g")), Return(Const(1, U64))), None)
    made = calling(1)
    assert not one_caller(Module("m", (*made.functions, address))).functions[0].inlined
