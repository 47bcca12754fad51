"""Bodies that become functions, and guards that become plain code, as text."""

from __future__ import annotations

import pytest

from beespace.compiler import ir, passes
from beespace.compiler.ir import BOOL, I32, I64, U32, U64, Const, Local, PointerType, Region
from beespace.compiler.ir.printer import module_text
from beespace.compiler.ir.verify import verify
from beespace.errors import InternalError

CTX = PointerType(Region.CONTEXT)
YES = Const(1, BOOL)
ONE = Const(1, U64)
DONE = ir.Return(Const(0, I32))
index = ir.Parameter("index", U32)


def module(*body: ir.Statement, slots: tuple[ir.Slot, ...] = ()) -> ir.Module:
    program = ir.Function("f", (ir.Parameter("ctx", CTX),), I32, (*body, DONE), "tc", slots)
    return ir.Module("m", (program,))


def after(*body: ir.Statement, slots: tuple[ir.Slot, ...] = ()) -> str:
    made = module(*body, slots=slots)
    verify(made)
    return module_text(passes.run(made)).split("\n\n", 1)[1]


def each(*body: ir.Statement, result: str | None = None) -> ir.Each:
    return ir.Each(181, "loop", (Const(9, U32),), (index,), body, (Const(0, U64),), result)


def add(name: str, value: ir.Expression = ONE) -> ir.Assign:
    return ir.Assign(name, ir.Binary(ir.BinaryOp.ADD, Local(name, U64), value))


def test_a_body_becomes_a_function() -> None:
    text = after(
        ir.Declare("total", U64),
        ir.Declare("only_inside", U64),
        ir.Declare("rounds", I64),
        each(
            ir.Assign("only_inside", ir.Convert(Local("index", U32), U64)),
            ir.If(ir.Compare(ir.CompareOp.GT, Local("total", U64), Const(7, U64)), (ir.Break(),), (ir.Continue(),)),
            ir.Store(ir.StackSlot("here"), ONE),
            ir.Store(ir.StackSlot("shared"), ONE),
            add("total", Local("only_inside", U64)),
            ir.If(YES, (ir.Return(Const(5, I32)),)),
            result="rounds",
        ),
        ir.Store(ir.StackSlot("shared"), Local("total", U64)),
        slots=(ir.Slot("here", 8), ir.Slot("shared", 8)),
    )
    assert text == OUTLINED


OUTLINED = """\
function f__1(index: u32, .state: *stack) -> i64:
    slot here: 8 bytes @8
    total: u64 = (u64![(.state + 16 bytes)] ^ 11400714819323198485:u64)
    .at.shared: *stack = *stack[(.state + 24 bytes)]
    only_inside: u64
    only_inside = u64(index)
    if (total > 7:u64):
        u32![(.state + 16 bytes)] = u32((total ^ 11400714819323198485:u64))
        u32![(.state + 20 bytes)] = u32(((total ^ 11400714819323198485:u64) >> 32:u64))
        return 1:i64
    else:
        u32![(.state + 16 bytes)] = u32((total ^ 11400714819323198485:u64))
        u32![(.state + 20 bytes)] = u32(((total ^ 11400714819323198485:u64) >> 32:u64))
        return 0:i64
    u64[&here] = 1:u64
    u64[.at.shared] = 1:u64
    total = (total + only_inside)
    if true:
        i32[(.state + 8 bytes)] = 5:i32
        u64[.state] = 1:u64
        u32![(.state + 16 bytes)] = u32((total ^ 11400714819323198485:u64))
        u32![(.state + 20 bytes)] = u32(((total ^ 11400714819323198485:u64) >> 32:u64))
        return 1:i64
    u32![(.state + 16 bytes)] = u32((total ^ 11400714819323198485:u64))
    u32![(.state + 20 bytes)] = u32(((total ^ 11400714819323198485:u64) >> 32:u64))
    return 0:i64

function f(ctx: *ctx) -> i32 section 'tc' else 0:
    slot shared: 8 bytes @8 off stack
    slot .state.f__1: 32 bytes @8 fixed
    total: u64
    rounds: i64
    u64[&.state.f__1] = 0:u64
    u32![(&.state.f__1 + 8 bytes)] = u32((0:u64 ^ 11400714819323198485:u64))
    u32![(&.state.f__1 + 12 bytes)] = u32(((0:u64 ^ 11400714819323198485:u64) >> 32:u64))
    u32![(&.state.f__1 + 16 bytes)] = u32((total ^ 11400714819323198485:u64))
    u32![(&.state.f__1 + 20 bytes)] = u32(((total ^ 11400714819323198485:u64) >> 32:u64))
    *stack[(&.state.f__1 + 24 bytes)] = &shared
    if not ((u64![(&.state.f__1 + 8 bytes)] ^ 11400714819323198485:u64) != 0:u64):
        rounds = i64 loop#181(9:u32, function f__1, &.state.f__1, 0:u64)
    total = (u64![(&.state.f__1 + 16 bytes)] ^ 11400714819323198485:u64)
    if (u64[&.state.f__1] != 0:u64):
        return i32[(&.state.f__1 + 8 bytes)]
    u64[&shared] = total
    return 0:i32
"""


def test_numbers_travel_off_the_stack_where_there_is_little() -> None:
    made = module(ir.Declare("total", U64, ONE), ir.Declare("n", U64, ONE), each(add("total", Local("n", U64))))
    text = module_text(passes.run(made, passes.PASSES_FOR_LITTLE_STACK))
    assert "    slot .state.f__1: 24 bytes @8 fixed\n    slot .numbers.f__1: 16 bytes @8 off stack\n" in text
    assert "    .at..numbers.f__1: *stack = *stack[(.state + 16 bytes)]\n" in text
    assert "    total = (total + n)\n    u64[(.at..numbers.f__1 + " in text
    assert "u64![" not in text


def test_bodies_inside_bodies() -> None:
    inner = ir.Each(181, "loop", (Const(2, U32),), (ir.Parameter("second", U32),), (add("total"),), (Const(0, U64),))
    text = after(ir.Declare("total", U64), each(inner), ir.Evaluate(Local("total", U64)))
    assert [line for line in text.split("\n") if line.startswith("function")] == [
        "function f__1(second: u32, .state: *stack) -> i64:",
        "function f__2(index: u32, .state: *stack) -> i64:",
        "function f(ctx: *ctx) -> i32 section 'tc' else 0:",
    ]
    total = "    total: u64 = (u64![(.state + 16 bytes)] ^ 11400714819323198485:u64)\n"
    assert f"    slot .state.f__1: 24 bytes @8 fixed\n{total}" in text


def test_guards_end_on_every_way_out() -> None:
    def end(number: int) -> tuple[ir.Statement, ...]:
        return (ir.Assign("total", Const(number, U64)),)

    text = after(
        ir.Declare("total", U64),
        ir.Loop((
            ir.Guard((
                ir.Guard((
                    ir.If(YES, (ir.Break(),)),
                    ir.If(YES, (ir.Return(ir.Convert(Local("total", U64), I32)),)),
                    ir.Loop((ir.If(YES, (ir.Continue(),)), ir.Break()), 3),
                ), end(1)),
            ), end(2), early=end(3)),
        ), 8),
    )  # fmt: skip
    assert text == GUARDED


GUARDED = """\
function f(ctx: *ctx) -> i32 section 'tc' else 0:
    total: u64
    loop at most 8:
        if true:
            total = 1:u64
            total = 3:u64
            break
        if true:
            .given0: i32 = i32(total)
            total = 1:u64
            total = 3:u64
            return .given0
        loop at most 3:
            if true:
                continue
            break
        total = 1:u64
        total = 2:u64
    return 0:i32
"""


@pytest.mark.parametrize(
    ("words", "body"),
    [
        ("neither leaves nor declares", ir.Guard((), (DONE,))),
        ("neither leaves nor declares", ir.Guard((), (ir.Declare("x", U32),))),
        ("outside a loop", ir.Loop((ir.Guard((), (ir.Break(),)),), 2)),
        ("more than 5", ir.Each(1, "x", (ONE, ONE), (), (), (ONE, ONE))),
        ("i64 local", each(result="nowhere")),
        ("or to a parameter", each(ir.Assign("index", Const(1, U32)))),
    ],
)
def test_what_is_not_well_formed_is_refused(words: str, body: ir.Statement) -> None:
    with pytest.raises(InternalError, match=words):
        verify(module(body))
