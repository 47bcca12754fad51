"""The IR by itself: text, checks, going through it, scratch memory."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import pytest

from beespace.compiler import ir, stack
from beespace.compiler.ir import BOOL, I32, U8, U32, U64, VOID, BinaryOp, CompareOp, Const, Local, PointerType, Region
from beespace.compiler.ir.printer import module_text
from beespace.compiler.ir.verify import verify
from beespace.compiler.ir.walk import rewrite, walk
from beespace.errors import InternalError
from beespace.isa import MapType
from beespace.types import text, u32, u64

CTX = PointerType(Region.CONTEXT)
VALUE = PointerType(Region.MAP_VALUE)
TRUSTED = PointerType(Region.KERNEL_TRUSTED)
ctx = Local("ctx", CTX)
ONE = Const(1, U32)
FOUR = Const(4, I32)
YES = Const(1, BOOL)
FLAG = Const(8, U32)
TGID = ir.CoreAccess("task_struct", (ir.CoreMember("tgid", ir.CoreInt(4, True)),))
BIT = ir.CoreAccess("task_struct", (ir.CoreMember("in_execve", ir.CoreInt(4, bits=1)),))

TAKES_POINTER = ir.CorePrototype(None, (ir.CorePointer(),))


def program(*body: ir.Statement, **more: Any) -> ir.Function:
    end = () if body and isinstance(body[-1], ir.Return) else (ir.Return(Const(0, I32)),)
    parameters = (ir.Parameter("ctx", CTX),)
    return ir.Function("f", parameters, I32, (*body, *end), "raw_tp/sys_enter", (ir.Slot("key", 4, 4),), **more)


def helper_function(*body: ir.Statement, result: ir.Type = U32, name: str = "g") -> ir.Function:
    return ir.Function(name, (ir.Parameter("x", U32),), result, body)


def module(*functions: ir.Function, **more: Any) -> ir.Module:
    maps = (ir.MapDefinition("counts", MapType.HASH, text(16), u64, 8),)
    variables = (
        ir.GlobalDefinition("option", u32, ir.Section.RODATA, b"\x07\0\0\0"),
        ir.GlobalDefinition("total", u64, ir.Section.BSS, bytes(8)),
    )
    return ir.Module("m", functions, maps, variables, (ir.Source("m.py", "x"),), **more)


def test_text_of_a_module() -> None:
    value, key = Local("value", VALUE), ir.StackSlot("key")
    argument = ir.Convert(ir.Load(ir.ContextField(ctx, 8), U64), U32)
    found = ir.Helper(1, "map_lookup_elem", (ir.MapAddress("counts"), key), VALUE)
    body = (
        ir.Store(key, argument, span=ir.Span("m.py", 1, 1)),
        ir.Declare("task", TRUSTED, ir.Load(ir.ContextField(ctx, 0), TRUSTED)),
        ir.Declare("value", VALUE, found),
        ir.If(
            ir.And(ir.Convert(value, BOOL), ir.Not(ir.Compare(CompareOp.GT, ir.Load(value, U64), Const(9, U64)))),
            (ir.AtomicAdd(value, Const(1, U64)),),
            (ir.Evaluate(ir.Call("g", (ONE,), U32)), ir.Zero(key, 4, 4)),
        ),
        ir.Loop((ir.If(YES, (ir.Break(),)), ir.Continue()), 8, "i"),
        ir.Copy(ir.GlobalAddress("total"), ir.KernelField(Local("task", TRUSTED), TGID), 4, 4),
        ir.Declare("b", U8, ir.KernelBitfield(Local("task", TRUSTED), BIT, U8)),
        ir.Assign("b", ir.Select(YES, Local("b", U8), Const(2, U8))),
        ir.Declare("old", U32, ir.Atomic(ir.AtomicOp.OR, ir.GlobalAddress("total"), FLAG)),
        ir.Assign("old", ir.Atomic(ir.AtomicOp.COMPARE_EXCHANGE, ir.GlobalAddress("total"), ONE, expected=FLAG)),
        ir.If(
            ir.KernelFunctionExists("k", TAKES_POINTER),
            (ir.Evaluate(ir.KernelFunction("k", (key,), VOID, TAKES_POINTER, weak=True)),),
        ),
        ir.Declare("n", U32, ir.Sequence((ir.Declare("m", U32, ONE),), ir.ByteSwap(Local("m", U32)))),
    )
    made = module(program(*body), helper_function(ir.Return(ir.Binary(BinaryOp.SHL, Local("x", U32), ONE))))
    verify(made)
    assert module_text(made) == GOLDEN


GOLDEN = """\
module m, license GPL
map counts: type 1, text -> u64, 8 entries, flags 0x0
global option: u32 in .rodata = 07000000
global total: u64 in .bss = 0000000000000000

function f(ctx: *ctx) -> i32 section 'raw_tp/sys_enter' else 0:
    slot key: 4 bytes @4
    u32[&key] = u32(u64[ctx->8])
    task: *kernel = *kernel[ctx->0]
    value: *map value = *map value map_lookup_elem#1(map counts, &key)
    if (bool(value) and not (u64[value] > 9:u64)):
        atomic u64[value] += 1:u64
    else:
        u32 g(1:u32)
        zero 4 bytes @4 &key
    loop at most 8 counting i:
        if true:
            break
        continue
    copy 4 bytes @4 global total <- task->task_struct.tgid
    b: u8 = u8[task->task_struct.in_execve]
    b = (b if true else 2:u8)
    old: u32 = (atomic u32[global total] |= 8:u32)
    old = (atomic u32[global total] = 1:u32 if 8:u32)
    if exists(kernel k):
        void kernel k?(&key)
    n: u32 = { m: u32 = 1:u32; swap(m) }
    return 0:i32

function g(x: u32) -> u32:
    return (x << 1:u32)
"""


def test_a_module_pickles_and_compares() -> None:
    made = module(program(ir.Evaluate(ONE)))
    assert pickle.loads(pickle.dumps(made)) == made


WRONG: dict[str, tuple[str, ir.Module]] = {
    "types of operands": ("is u8, not u32", module(program(ir.Evaluate(ir.Binary(BinaryOp.ADD, ONE, Const(1, U8)))))),
    "mixed signs": ("u32 is compared with i32", module(program(ir.Evaluate(ir.Compare(CompareOp.LT, ONE, FOUR))))),
    "arithmetic on pointers": ("no integer", module(program(ir.Evaluate(ir.Binary(BinaryOp.ADD, ctx, ctx))))),
    "signed division": ("before v4", module(program(ir.Evaluate(ir.Binary(BinaryOp.DIV, FOUR, FOUR))))),
    "an unknown local": ("no local of type u32", module(program(ir.Evaluate(Local("x", U32))))),
    "a local of another block": (
        "no local of type u32",
        module(program(ir.If(YES, (ir.Declare("x", U32),)), ir.Evaluate(Local("x", U32)))),
    ),
    "a local twice": ("declared twice", module(program(ir.Declare("x", U32), ir.Declare("x", U32)))),
    "assignment to a parameter": ("or to a parameter", module(program(ir.Assign("ctx", ctx)))),
    "assignment of another type": (
        "is u8, not u32",
        module(program(ir.Declare("x", U32), ir.Assign("x", Const(1, U8)))),
    ),
    "an unknown slot": ("no such definition", module(program(ir.Evaluate(ir.StackSlot("nowhere"))))),
    "an unknown map": ("no such definition", module(program(ir.Evaluate(ir.MapAddress("nowhere"))))),
    "an unknown variable": ("no such definition", module(program(ir.Evaluate(ir.GlobalAddress("nowhere"))))),
    "an unknown function": ("no sub-program", module(program(ir.Evaluate(ir.Call("nowhere", (), VOID))))),
    "a call of a program": ("no sub-program", module(program(ir.Evaluate(ir.Call("f", (ctx,), I32))))),
    "six arguments": ("more than 5", module(program(ir.Evaluate(ir.Helper(6, "trace_printk", (ONE,) * 6, U64))))),
    "a path without a return": (
        "without a return",
        module(program(), helper_function(ir.If(YES, (ir.Return(ONE),)))),
    ),
    "a loop that may end": (
        "without a return",
        module(program(), helper_function(ir.Loop((ir.If(YES, (ir.Break(),)), ir.Return(ONE))))),
    ),
    "a return of nothing": ("result is u32", module(program(), helper_function(ir.Return()))),
    "a break outside": ("outside a loop", module(program(ir.Break(), ir.Return(Const(0, I32))))),
    "a break out of a sequence": (
        "outside a loop",
        module(program(ir.Loop((ir.Evaluate(ir.Sequence((ir.If(YES, (ir.Break(),)),), ONE)),), 3))),
    ),
    "a context load without a field": ("cannot be read so", module(program(ir.Evaluate(ir.Load(ctx, U32))))),
    "a moved context": ("cannot be moved", module(program(ir.Evaluate(ir.Load(ir.Offset(ctx, 8), U32))))),
    "a context offset out of range": ("outside any", module(program(ir.Evaluate(ir.ContextField(ctx, -4))))),
    "a store to an option": ("cannot be written", module(program(ir.Store(ir.GlobalAddress("option"), ONE)))),
    "a store to an option by a detour": (
        "cannot be written",
        module(program(ir.Store(ir.Offset(ir.GlobalAddress("option"), 2), Const(1, U8)))),
    ),
    "a store to the kernel": (
        "cannot be written",
        module(program(ir.Declare("t", TRUSTED), ir.Store(Local("t", TRUSTED), ONE))),
    ),
    "an atomic of 8 bits": ("32 or 64", module(program(ir.AtomicAdd(ir.GlobalAddress("total"), Const(1, U8))))),
    "an exchange of 16 bits": (
        "32 or 64",
        module(program(ir.Evaluate(ir.Atomic(ir.AtomicOp.EXCHANGE, ir.GlobalAddress("total"), Const(1, ir.U16))))),
    ),
    "an expectation of an exchange": (
        "for COMPARE_EXCHANGE",
        module(program(ir.Evaluate(ir.Atomic(ir.AtomicOp.EXCHANGE, ir.GlobalAddress("total"), ONE, ONE)))),
    ),
    "a kernel function without its argument": (
        "0 arguments for 1 parameters",
        module(program(ir.Evaluate(ir.KernelFunction("k", (), VOID, TAKES_POINTER)))),
    ),
    "a number for a kernel function's pointer": (
        "not what the prototype has",
        module(program(ir.Evaluate(ir.KernelFunction("k", (ONE,), VOID, TAKES_POINTER)))),
    ),
    "a result that a kernel function does not have": (
        "does not give u32",
        module(program(ir.Evaluate(ir.KernelFunction("k", (), U32, ir.CorePrototype(None))))),
    ),
    "a kernel function with two prototypes": ("has two prototypes", module(program(
        ir.Evaluate(ir.KernelFunction("k", (), VOID, ir.CorePrototype(None))),
        ir.Evaluate(ir.KernelFunction("k", (), U32, ir.CorePrototype(ir.CoreInt(4)))),
    ))),
    "a kernel function that may be missing and is called": ("both as weak", module(program(
        ir.Evaluate(ir.KernelFunctionExists("k", ir.CorePrototype(None))),
        ir.Evaluate(ir.KernelFunction("k", (), VOID, ir.CorePrototype(None))),
    ))),
    "an exported program": ("global by themselves", module(program(exported=True))),
    "a constant too large": ("outside its type", module(program(ir.Evaluate(Const(256, U8))))),
    "a signed address": ("does not convert", module(program(ir.Evaluate(ir.Convert(Const(1, I32), VALUE))))),
    "a bit-field's address": (
        "bit-fields have no address",
        module(program(ir.Declare("t", TRUSTED), ir.Evaluate(ir.KernelField(Local("t", TRUSTED), BIT)))),
    ),
    "a field of an integer": (
        "no struct",
        module(program(ir.Evaluate(ir.CoreInfo(
            ir.CoreQuestion.FIELD_EXISTS, replace(TGID, steps=(*TGID.steps, ir.CoreMember("x", ir.CoreInt(4)))),
        )))),
    ),
    "an element beyond the array": (
        "no array so long",
        module(program(ir.Evaluate(ir.CoreInfo(ir.CoreQuestion.FIELD_EXISTS, ir.CoreAccess(
            "task_struct", (ir.CoreMember("comm", ir.CoreArray(ir.CoreInt(1), 16)), ir.CoreElement(16)),
        ))))),
    ),
    "recursion": (
        "in a circle: g -> h -> g",
        module(
            helper_function(ir.Return(ir.Call("h", (ONE,), U32))),
            helper_function(ir.Return(ir.Call("g", (ONE,), U32)), name="h"),
        ),
    ),
    "one name twice": ("defines 'counts' 2 times", module(replace(helper_function(ir.Return(ONE)), name="counts"))),
    "a program with other parameters": (
        "takes one context pointer",
        module(replace(helper_function(ir.Return(ONE)), section="raw_tp/x")),
    ),
    "a source that is not there": (
        "not among the module's sources",
        module(program(ir.Evaluate(replace(ONE, span=ir.Span("other.py", 1, 1))))),
    ),
    "a variable of another size": (
        "starts with 2 bytes, not 8",
        replace(module(program()), globals=(ir.GlobalDefinition("v", u64, ir.Section.DATA, b"ab"),)),
    ),
    "bss that is not zero": (
        "does not start as zero",
        replace(module(program()), globals=(ir.GlobalDefinition("v", u32, ir.Section.BSS, b"abcd"),)),
    ),
    "maps nested twice": ("more than once", replace(module(program()), maps=(
        ir.MapDefinition("o", 13, inner=ir.MapDefinition("", 13, inner=ir.MapDefinition("", 2))),
    ))),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_what_is_not_well_formed_is_refused(what: str) -> None:
    words, wrong = WRONG[what]
    with pytest.raises(InternalError) as caught:
        verify(wrong)
    assert words in str(caught.value)


def test_a_complaint_says_where() -> None:
    wrong = program(ir.Evaluate(replace(Local("x", U32), span=ir.Span("m.py", 7, 3))))
    with pytest.raises(InternalError, match=r"function 'f' at m\.py:7:3"):
        verify(module(wrong))


def test_loops_that_never_end_need_no_return() -> None:
    endless = ir.Loop((ir.If(YES, (ir.Return(ONE),)), ir.Loop((ir.Break(),), 2)))
    verify(module(program(), helper_function(endless)))


def test_walk_sees_everything() -> None:
    body = (ir.If(YES, (ir.Return(ir.Binary(BinaryOp.ADD, ONE, ir.Call("g", (Local("x", U32),), U32))),)),)
    kinds = [type(node).__name__ for node in walk(body)]
    assert kinds == ["If", "Const", "Return", "Binary", "Const", "Call", "Local"]


def test_rewrite_replaces_nodes_and_keeps_the_rest() -> None:
    body = (ir.Evaluate(ir.Binary(BinaryOp.ADD, ONE, Local("x", U32))), ir.Return(Const(0, I32)))
    same = rewrite(body, lambda node: node)
    assert same == body

    def change(node: Any) -> Any:
        if isinstance(node, ir.Local):
            return Const(5, U32)
        return (ir.Evaluate(ONE), node) if isinstance(node, ir.Return) else node

    assert rewrite(body, change) == (
        ir.Evaluate(ir.Binary(BinaryOp.ADD, ONE, Const(5, U32))), ir.Evaluate(ONE), ir.Return(Const(0, I32)),
    )  # fmt: skip


# --- scratch memory ---


def slots(*sizes: int) -> ir.Function:
    made = tuple(ir.Slot(f"s{number}", size) for number, size in enumerate(sizes))
    uses = tuple(ir.Store(ir.StackSlot(slot.name), Const(0, U8)) for slot in made)
    body = (*uses, ir.If(YES, (ir.Return(Const(1, I32)),)), ir.Return(Const(2, I32)))
    return replace(program(*body), slots=made, fallback=9)


def test_what_fits_stays() -> None:
    made = module(slots(100, 200))
    assert stack.spill(made, 400) == (made, ())


def test_the_largest_slots_move() -> None:
    made, spills = stack.spill(module(slots(100, 300, 200), replace(slots(500), name="other")), 320)
    verify(made)
    assert spills == (
        stack.Spill("f", ("s1",), 24 + 304, 0),
        stack.Spill("other", ("s0",), 24 + 504, stack.COPIES),
    )
    scratch = made.maps[-1]
    assert (scratch.type, scratch.max_entries, scratch.value_size) == (MapType.PERCPU_ARRAY, 2 * stack.COPIES, 528)
    assert [slot.name for slot in made.functions[0].slots] == ["s0", "s2", ".entry"]
    text = module_text(made)
    assert "u8[(*stack(.frame) + 24 bytes)] = 0:u8" in text
    assert text.count("atomic i64[.frame] += -1:i64") == 4  # given back at each of the returns
    assert "if (.frame == null):\n        return 9:i32" in text


def test_a_function_without_a_result_gives_its_frame_back() -> None:
    void = ir.Function("g", (), VOID, (ir.Zero(ir.StackSlot("s"), 600, 8),), None, (ir.Slot("s", 600),))
    made, spills = stack.spill(module(program(ir.Evaluate(ir.Call("g", (), VOID))), void), 400)
    verify(made)
    assert [spill.function for spill in spills] == ["g"]
    assert made.functions[1].body[-2:] == (
        ir.AtomicAdd(Local(".frame", VALUE), Const(-1, ir.I64)), ir.Return(),
    )  # fmt: skip


def test_too_much_for_any_memory() -> None:
    with pytest.raises(InternalError, match="more than 32768"):
        stack.spill(module(slots(40_000)), 400)
