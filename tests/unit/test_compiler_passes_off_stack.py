"""What the verifier must not know: memory off the stack, locals that may be None, addresses with two origins."""

from __future__ import annotations

import pytest

from beespace.compiler import ir, passes
from beespace.compiler.ir import BOOL, I32, I64, U32, U64, Const, Local, PointerType, Region, StackSlot
from beespace.compiler.ir.printer import module_text
from beespace.compiler.ir.verify import verify
from beespace.compiler.passes.followed import refused
from beespace.compiler.passes.maybe_none import maybe_none
from beespace.compiler.passes.off_stack import off_stack
from beespace.compiler.requirements import requirements_of

CTX, STACK, VALUE = PointerType(Region.CONTEXT), PointerType(Region.STACK), PointerType(Region.MAP_VALUE)
KERNEL = PointerType(Region.KERNEL_TRUSTED)
ZERO, ONE = Const(0, U64), Const(1, U64)
DONE = ir.Return(Const(0, I32))
NUMBER = ir.Helper(7, "get_prandom_u32", (), U32)


def each(*body: ir.Statement) -> ir.Each:
    return ir.Each(181, "loop", (Const(9, U32),), (), body, (ZERO,), span=ir.Span("f", 1, 1))


def store(name: str, offset: int | ir.Expression = 0) -> ir.Store:
    return ir.Store(ir.Offset(StackSlot(name), offset), ONE)


def load(name: str) -> ir.Evaluate:
    return ir.Evaluate(ir.Load(StackSlot(name), U64))


def module(*body: ir.Statement, others: tuple[ir.Function, ...] = ()) -> ir.Module:
    slots = (ir.Slot("a", 64), ir.Slot("b", 64))
    program = ir.Function("f", (ir.Parameter("ctx", CTX),), I32, (*body, DONE), "tc", slots)
    made = ir.Module("m", (*others, program), sources=(ir.Source("f", ""),))
    verify(made)
    return made


def moved(*body: ir.Statement, others: tuple[ir.Function, ...] = ()) -> set[str]:
    """The slots of a program with this body that go off the stack."""
    return {slot.name for slot in off_stack(module(*body, others=others)).functions[-1].slots if slot.off_stack}


def helper(name: str, number: int, *arguments: ir.Expression) -> ir.Evaluate:
    return ir.Evaluate(ir.Helper(number, name, arguments, I64))


COPY = helper("probe_read_kernel", 113, StackSlot("a"), Const(8, U64), StackSlot("b"))
COMPARED = helper("strncmp", 182, StackSlot("a"), Const(8, U32), StackSlot("b"))
RANDOM = ir.Convert(ir.Binary(ir.BinaryOp.AND, NUMBER, Const(7, U32)), U64)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ((store("a"), load("a")), ""),
        ((each(store("a"), load("a")), load("b")), ""),  # each round has its own
        ((store("a"), each(load("a"))), ""),
        ((each(store("a")), load("a")), "a"),
        ((store("a"), each(store("a"))), "a"),
        ((each(each(store("a")), load("a")),), "a"),
        ((each(each(store("a"), load("a"))),), ""),
        ((store("a"), each(COPY)), "a"),
        ((store("a"), store("b"), each(COMPARED)), ""),
        ((ir.Declare("p", STACK, ir.Offset(StackSlot("a"), 8)), each(ir.Store(Local("p", STACK), ONE))), "a"),
        (
            (ir.Declare("p", STACK), each(ir.Assign("p", StackSlot("a")), store("a")), ir.Assign("p", StackSlot("b"))),
            "a",
        ),
        ((store("a", RANDOM),), "a"),
        ((ir.Evaluate(ir.Load(ir.Offset(StackSlot("a"), RANDOM), U64)),), "a"),
        ((ir.Loop((store("a", Local("i", U32)),), 8, "i"),), ""),  # known in each round
        (
            (
                ir.Declare("n", U64, RANDOM),
                ir.Loop((store("a", ir.Binary(ir.BinaryOp.ADD, Local("n", U64), ONE)),), 8, "i"),
            ),
            "a",
        ),
        ((ir.Store(StackSlot("b"), StackSlot("a")), each(ir.Continue())), "a"),
    ],
)
def test_what_goes_off_the_stack(body: tuple[ir.Statement, ...], expected: str) -> None:
    assert moved(*body) == set(expected)


def taking(name: str, *body: ir.Statement) -> ir.Function:
    return ir.Function(name, (ir.Parameter("n", U64), ir.Parameter("p", STACK)), ir.VOID, body)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (ir.Store(Local("p", STACK), ONE), ""),
        (each(ir.Evaluate(ir.Load(Local("p", STACK), U64))), ""),
        (each(ir.Store(Local("p", STACK), ONE)), "a"),
        (ir.Store(ir.Offset(Local("p", STACK), RANDOM), ONE), "a"),
    ],
)
def test_memory_that_functions_are_given(body: ir.Statement, expected: str) -> None:
    inner = taking("inner", body)
    passing = ir.Evaluate(ir.Call("inner", (ZERO, Local("p", STACK)), ir.VOID))
    outer = taking("outer", passing)
    called = ir.Evaluate(ir.Call("outer", (ONE, StackSlot("a")), ir.VOID))
    assert moved(store("a"), load("b"), called, others=(inner, outer)) == set(expected)


def test_a_local_that_may_be_none_is_a_number() -> None:
    null = Const(0, STACK)
    there = ir.Compare(ir.CompareOp.NE, Local("p", STACK), null)
    body = (
        ir.Declare("p", STACK),
        ir.Assign("p", null),
        each(ir.If(there, (ir.Evaluate(ir.Load(Local("p", STACK), U64)),), (ir.Assign("p", StackSlot("a")),))),
        ir.If(ir.Compare(ir.CompareOp.EQ, Local("p", STACK), null), (ir.Return(Const(1, I32)),)),
    )
    text = module_text(maybe_none(module(*body)))
    assert "    .has.p: bool\n    .has.p = false\n" in text
    assert "if .has.p:\n            u64[&a]\n        else:\n            .has.p = true\n" in text
    assert "if not .has.p:\n" in text


def test_a_local_that_no_called_body_assigns_stays_an_address() -> None:
    made = module(ir.Declare("p", STACK), each(ir.Continue()), ir.Assign("p", StackSlot("a")))
    assert maybe_none(made) == made


def test_what_never_comes_to_be_is_asked_anew_each_time() -> None:
    """LLVM would else make one branch of two: no call where there is a second origin."""
    text = module_text(addresses(VALUE, ir.Convert(ir.Convert(NUMBER, U64), VALUE)))
    assert (
        text.count("if ((u64![(&.state.f__1 + 8 bytes)] ^ ")
        == text.count("if not ((u64![(&.state.f__1 + 8 bytes)] ^ ")
        == 1
    )


def addresses(type_: PointerType, value: ir.Expression) -> ir.Module:
    asked = ir.Compare(ir.CompareOp.EQ, Local("p", type_), Const(0, type_))
    body = each(ir.If(asked, (ir.Assign("p", value),)))
    return passes.run(module(ir.Declare("p", type_), body, ir.If(asked, (ir.Return(Const(1, I32)),))))


def test_an_address_of_a_map_has_two_origins_where_one_round_is_followed() -> None:
    made = addresses(VALUE, ir.Convert(ir.Convert(NUMBER, U64), VALUE))
    text = module_text(made)
    assert [each.name for each in made.maps] == ["nowhere_at_all"] and not [*refused(made)]
    assert "            p = *map value map_lookup_elem#1(map nowhere_at_all, &.nowhere)\n" in text


def test_another_address_is_refused_where_one_round_is_followed() -> None:
    made = addresses(KERNEL, ir.Convert(ir.Convert(NUMBER, U64), KERNEL))
    assert [*refused(made)] == [("p", ir.Span("f", 1, 1))] and not made.maps
    needs = {each.since: each.what for each in requirements_of(made)}
    assert needs["6.7"] == "a verifier that follows p from round to round of a loop"


def test_where_there_is_nothing_to_hide_nothing_changes() -> None:
    made = module(store("a"), ir.Declare("flag", BOOL), load("b"))
    assert off_stack(made) is made
