"""Integer expressions of the IR: what the kernel computes is what the IR's definition says."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pace import examples

from beespace.compiler import ir
from beespace.compiler.ir import (
    BOOL,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    And,
    Binary,
    BinaryOp,
    ByteSwap,
    Compare,
    CompareOp,
    Const,
    Convert,
    Expression,
    IntType,
    Load,
    Not,
    Or,
    Select,
)  # fmt: skip
from beespace.compiler.worker import Worker
from beespace.elf import read
from beespace.kernel import load
from beespace.types import i64, u64

pytestmark = pytest.mark.kernel

INTS = (U8, U16, U32, U64, I8, I16, I32, I64)
INPUTS = 4
CONTEXT = ir.PointerType(ir.Region.CONTEXT)


def wrap(value: int, type: ir.Type) -> int:
    if not isinstance(type, IntType):
        return int(bool(value))
    value &= (1 << type.bits) - 1
    return value - (1 << type.bits) if type.signed and value >> (type.bits - 1) else value


def meaning(node: Expression, inputs: list[int]) -> int:
    """The definition of the IR, on Python's integers."""

    def of(part: Expression) -> int:
        return meaning(part, inputs)

    match node:
        case Const():
            return node.value
        case Load(ir.GlobalAddress(name)):
            return wrap(inputs[int(name[1:])], node.type)
        case Binary(op, left, right):
            a, b, bits = of(left), of(right), node.type.size * 8
            match op:
                case BinaryOp.ADD:
                    return wrap(a + b, node.type)
                case BinaryOp.SUB:
                    return wrap(a - b, node.type)
                case BinaryOp.MUL:
                    return wrap(a * b, node.type)
                case BinaryOp.DIV:
                    return a // b if b else 0
                case BinaryOp.MOD:
                    return a % b if b else a
                case BinaryOp.AND:
                    return a & b
                case BinaryOp.OR:
                    return a | b
                case BinaryOp.XOR:
                    return a ^ b
                case BinaryOp.SHL:
                    return wrap(a << (b % bits), node.type)
                case BinaryOp.SHR:
                    return a >> (b % bits)
        case Compare(op, left, right):
            a, b = of(left), of(right)
            table = {"==": a == b, "!=": a != b, "<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}
            return int(table[op.value])
        case Not(operand):
            return 1 - of(operand)
        case And(left, right):
            return of(left) and of(right)
        case Or(left, right):
            return of(left) or of(right)
        case Select(condition, then, otherwise):
            return of(then) if of(condition) else of(otherwise)
        case Convert(operand, type):
            return wrap(of(operand), type)
        case ByteSwap(operand):
            size = node.type.size
            data = (of(operand) % (1 << size * 8)).to_bytes(size, "little")
            return wrap(int.from_bytes(data, "big"), node.type)
    raise AssertionError(node)


def integer(type: IntType, depth: int) -> st.SearchStrategy[Expression]:
    low, high = (-(1 << type.bits - 1), (1 << type.bits - 1) - 1) if type.signed else (0, (1 << type.bits) - 1)
    edges = st.sampled_from([low, high, 0, 1, min(high, 127), high // 2])
    # Inputs are read as the width that the expression has: no folding, and loads of every size.
    leaf = st.one_of(
        (edges | st.integers(low, high)).map(lambda value: Const(value, type)),
        st.integers(0, INPUTS - 1).map(lambda number: Load(ir.GlobalAddress(f"g{number}"), type)),
    )
    if not depth:
        return leaf
    same = st.deferred(lambda: integer(type, depth - 1))
    ops = [op for op in BinaryOp if not type.signed or op not in (BinaryOp.DIV, BinaryOp.MOD)]
    other = st.sampled_from([each for each in INTS if each != type])
    choices = [
        leaf,
        st.builds(Binary, st.sampled_from(ops), same, same),
        st.builds(Select, truth(depth - 1), same, same),
        other.flatmap(lambda found: integer(found, depth - 1)).map(lambda operand: Convert(operand, type)),
        truth(depth - 1).map(lambda operand: Convert(operand, type)),
    ]
    if type.bits > 8:
        choices.append(st.builds(ByteSwap, same))
    return st.one_of(choices)


def truth(depth: int) -> st.SearchStrategy[Expression]:
    inner = max(0, depth - 1)
    comparison = st.sampled_from(INTS).flatmap(
        lambda type: st.builds(Compare, st.sampled_from(CompareOp), integer(type, inner), integer(type, inner))
    )
    if not depth:
        return comparison
    part = st.deferred(lambda: truth(inner))
    converted = st.sampled_from(INTS).flatmap(lambda type: integer(type, inner)).map(lambda it: Convert(it, BOOL))
    return st.one_of(comparison, converted, st.builds(Not, part), st.builds(And, part, part), st.builds(Or, part, part))


def module_of(expressions: list[Expression]) -> ir.Module:
    def name(number: int) -> str:
        return f"r{number}"

    body: list[ir.Statement] = []
    for number, node in enumerate(expressions):
        wide = node if node.type == I64 else Convert(node, I64)
        body.append(ir.Store(ir.GlobalAddress(name(number)), wide))
    inputs = [ir.GlobalDefinition(f"g{number}", u64, ir.Section.BSS, bytes(8)) for number in range(INPUTS)]
    results = [ir.GlobalDefinition(name(n), i64, ir.Section.BSS, bytes(8)) for n in range(len(expressions))]
    program = ir.Function(
        "f", (ir.Parameter("ctx", CONTEXT),), I32, (*body, ir.Return(Const(1, I32))), "cgroup_skb/egress"
    )
    return ir.Module("arithmetic", (program,), globals=(*inputs, *results))


def outcome(worker: Worker, expressions: list[Expression], runs: list[list[int]]) -> list[list[int]]:
    spec = read(worker.build(module_of(expressions)).object, "arithmetic")
    found = []
    with load(spec) as loaded:
        for inputs in runs:
            for number, value in enumerate(inputs):
                loaded.variables[f"g{number}"].set(value)
            loaded.programs["f"].test_run(data_in=bytes(64))
            values = [loaded.variables[f"r{number}"].get() for number in range(len(expressions))]
            found.append([value for value in values if isinstance(value, int)])
    return found


@settings(max_examples=examples(60), deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(st.sampled_from(INTS).flatmap(lambda type: integer(type, 3)), min_size=1, max_size=12),
    st.lists(
        st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 70), min_size=INPUTS, max_size=INPUTS),
        min_size=3,
        max_size=3,
    ),
)
def test_expressions(worker: Worker, expressions: list[Expression], runs: list[list[int]]) -> None:
    assert outcome(worker, expressions, runs) == [
        [wrap(meaning(node, inputs), I64) for node in expressions] for inputs in runs
    ]


@pytest.mark.parametrize("type", INTS, ids=lambda type: f"{'i' if type.signed else 'u'}{type.bits}")
def test_every_operator_at_the_edges(worker: Worker, type: IntType) -> None:
    """Shifts by the width and more, division by zero, wrap-around: all defined."""
    left, right = Load(ir.GlobalAddress("g0"), type), Load(ir.GlobalAddress("g1"), type)
    ops = [op for op in BinaryOp if not type.signed or op not in (BinaryOp.DIV, BinaryOp.MOD)]
    expressions: list[Expression] = [Binary(op, left, right) for op in ops]
    expressions += [Convert(Compare(op, left, right), U8) for op in CompareOp]
    edges = [0, 1, 7, type.bits - 1, type.bits, type.bits + 1, 1 << type.bits - 1, (1 << type.bits) - 1]
    runs = [[a, b, 0, 0] for a in edges for b in edges]
    assert outcome(worker, expressions, runs) == [
        [wrap(meaning(node, inputs), I64) for node in expressions] for inputs in runs
    ]


def test_constant_divisors(worker: Worker) -> None:
    left = Load(ir.GlobalAddress("g0"), U32)
    expressions: list[Expression] = [
        Binary(op, left, Const(divisor, U32)) for op in (BinaryOp.DIV, BinaryOp.MOD) for divisor in (0, 1, 7, 2**32 - 1)
    ]
    runs = [[value, 0, 0, 0] for value in (0, 6, 7, 2**32 - 1)]
    assert outcome(worker, expressions, runs) == [[meaning(node, inputs) for node in expressions] for inputs in runs]
