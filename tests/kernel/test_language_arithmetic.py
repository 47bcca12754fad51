"""Random expressions of the language: what the kernel computes is what Python computes, wrapped to the type.

The same text is compiled and evaluated: once by the kernel (``BPF_PROG_TEST_RUN``), once here by
Python's own operators on its own integers, with each result wrapped to the width of the type.
"""

from __future__ import annotations

import ast
import linecache
import operator
import random
from collections.abc import Callable

import pytest

from beespace import lang
from beespace import types as kinds
from beespace.lang import Program
from beespace.schema import IntKind

pytestmark = pytest.mark.kernel

EXPRESSIONS = 24  # of one type in one program
ROUNDS = 12
VARIABLES = "abcd"
NAMES = ("u8", "u16", "u32", "u64", "i8", "i16", "i32", "i64")

OPERATORS: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.BitXor: operator.xor,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
}
COMPARISONS: dict[type[ast.cmpop], Callable[[int, int], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


class Writer:
    """Writes random expressions of one type."""

    def __init__(self, kind: IntKind, seed: int) -> None:
        self.kind = kind
        self.random = random.Random(seed)

    def literal(self) -> str:
        high = min(self.kind.maximum, 1 << self.random.randrange(1, self.kind.bits))
        return str(self.random.choice((0, 1, 2, 3, 7, high, self.kind.maximum, self.random.randint(0, high))))

    def number(self, depth: int) -> str:
        if depth == 0 or self.random.random() < 0.1:
            return self.random.choice(VARIABLES) if self.random.random() < 0.8 else self.literal()
        choice = self.random.randrange(14)
        one, two = self.variable_side(depth), self.number(depth - 1)
        if choice < 5:
            return f"({one} {self.random.choice(('+', '-', '*', '&', '|', '^'))} {two})"
        if choice < 7:
            return f"({one} {self.random.choice(('//', '%'))} {self.divisor(depth)})"
        if choice < 9:
            return f"({one} {self.random.choice(('<<', '>>'))} {self.count(depth)})"
        if choice == 9:
            return f"({self.random.choice('-~+')}{one})"
        if choice == 10:
            return f"{self.random.choice(('min', 'max'))}({one}, {two})"
        if choice == 11:
            return f"abs({one})" if not self.kind.signed else f"({one} if {self.truth(depth - 1)} else {two})"
        if choice == 12:
            return f"({one} {self.random.choice(('and', 'or'))} {two})"
        return f"({one} if {self.truth(depth - 1)} else {two})"

    def variable_side(self, depth: int) -> str:
        """Never a bare literal: two of those would be folded in Python's unbounded numbers."""
        text = self.number(depth - 1)
        return self.random.choice(VARIABLES) if text.isdigit() else text

    def divisor(self, depth: int) -> str:
        if self.random.random() < 0.5:
            return str(self.random.choice((1, 2, 3, 5, 7, 10, 16, 100, self.kind.maximum)))
        text = self.random.choice(VARIABLES)
        return f"(({text} & 15) + 1)" if self.kind.signed else f"({text} | 1)"

    def count(self, depth: int) -> str:
        if self.random.random() < 0.5:
            return str(self.random.randrange(self.kind.bits + 3))
        return f"({self.random.choice(VARIABLES)} & {self.random.choice((7, 15, 63, 127))})"

    def truth(self, depth: int) -> str:
        choice = self.random.randrange(6)
        one, two = self.variable_side(max(depth, 1)), self.number(max(depth, 1) - 1)
        symbol = self.random.choice(("==", "!=", "<", "<=", ">", ">="))
        if choice < 3 or depth <= 0:
            return f"({one} {symbol} {two})"
        if choice == 3:
            return f"({one} {symbol} {two} {self.random.choice(('<', '<=', '!='))} {self.random.choice(VARIABLES)})"
        if choice == 4:
            return f"(not {self.truth(depth - 1)})"
        return f"({self.truth(depth - 1)} {self.random.choice(('and', 'or'))} {self.truth(depth - 1)})"


class Machine(ast.NodeVisitor):
    """Python's operators, with the machine's width."""

    def __init__(self, kind: IntKind, values: dict[str, int]) -> None:
        self.kind = kind
        self.values = values

    def visit_Expression(self, node: ast.Expression) -> int:
        return self.visit(node.body)

    def visit_Constant(self, node: ast.Constant) -> int:
        return node.value

    def visit_Name(self, node: ast.Name) -> int:
        return self.values[node.id]

    def visit_BinOp(self, node: ast.BinOp) -> int:
        return self.kind(OPERATORS[type(node.op)](self.visit(node.left), self.visit(node.right)))

    def visit_UnaryOp(self, node: ast.UnaryOp) -> int:
        value = self.visit(node.operand)
        if isinstance(node.op, ast.Not):
            return not value
        return self.kind(
            {ast.USub: operator.neg, ast.UAdd: operator.pos, ast.Invert: operator.inv}[type(node.op)](value)
        )

    def visit_Call(self, node: ast.Call) -> int:
        return self.kind({"min": min, "max": max, "abs": abs}[node.func.id](*map(self.visit, node.args)))

    def visit_IfExp(self, node: ast.IfExp) -> int:
        return self.visit(node.body if self.visit(node.test) else node.orelse)

    def visit_BoolOp(self, node: ast.BoolOp) -> int:
        value = self.visit(node.values[0])
        for operand in node.values[1:]:
            if bool(value) != isinstance(node.op, ast.And):
                return value
            value = self.visit(operand)
        return value

    def visit_Compare(self, node: ast.Compare) -> bool:
        left = self.visit(node.left)
        for op, right_node in zip(node.ops, node.comparators, strict=True):
            right = self.visit(right_node)
            if not COMPARISONS[type(op)](left, right):
                return False
            left = right
        return True


def make_program(kind: IntKind, expressions: list[str], kinds_of: dict[str, IntKind] | None = None) -> type[Program]:
    """A program that computes ``expressions`` over inputs in a map, as text, the way a notebook has it."""
    body = "\n".join(f"        self.results[{number}] = {text}" for number, text in enumerate(expressions))
    converted = {name: f"{(kinds_of or {}).get(name, kind).name}(self.inputs[{i}])" for i, name in enumerate(VARIABLES)}
    inputs = "\n".join(f"        {name} = {text}" for name, text in converted.items())
    text = f"""\
class Arithmetic(Program):
    inputs = Array({kind.name}, {len(VARIABLES)})
    results = Array({kind.name}, {len(expressions)})

    @raw_tracepoint("sched_process_exit")
    def compute(self, ctx):
{inputs}
{body}
"""
    file = f"<arithmetic {kind.name} {hash(text)}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    scope = {**{name: getattr(lang, name) for name in lang.__all__}, **vars(kinds), "__name__": __name__}
    exec(compile(text, file, "exec"), scope)
    return scope["Arithmetic"]


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("name", NAMES)
def test_expressions(name: str, seed: int, loaded_probe) -> None:
    kind: IntKind = getattr(kinds, name)
    writer = Writer(kind, hash_of(name, seed))
    expressions = [writer.number(3) for _ in range(EXPRESSIONS)]
    expressions = [text if not text.isdigit() else f"(a + {text})" for text in expressions]
    probe = loaded_probe(make_program(kind, expressions))
    interesting = (kind.minimum, kind.maximum, 0, 1, kind(-1), kind.maximum - 1, 2, 7, 100)
    for _ in range(ROUNDS):
        values = {}
        for number, variable in enumerate(VARIABLES):
            choice = writer.random.choice
            values[variable] = choice((choice(interesting), writer.random.randint(kind.minimum, kind.maximum)))
            probe.inputs[number] = values[variable]
        probe.loaded.programs["compute"].test_run(ctx_in=bytes(8 * 4))
        for number, text in enumerate(expressions):
            expected = Machine(kind, values).visit(ast.parse(text, mode="eval"))
            assert probe.results[number] == expected, f"{text} with {values}"


def hash_of(name: str, seed: int) -> int:
    return int.from_bytes(f"{name}{seed}".encode(), "big")


class MixedMachine(ast.NodeVisitor):
    """The same where each variable has a width of its own: a result has the wider of its operands' widths.

    Every visit gives a value and its kind; a literal's kind is None.
    """

    def __init__(self, kinds_of: dict[str, IntKind], values: dict[str, int]) -> None:
        self.kinds_of = kinds_of
        self.values = values

    def number(self, node: ast.expr) -> tuple[int, IntKind | None]:
        return self.visit(node)

    @staticmethod
    def wider(left: IntKind | None, right: IntKind | None) -> IntKind | None:
        known = [kind for kind in (left, right) if kind is not None]
        return max(known, key=lambda kind: kind.bits) if known else None

    def visit_Constant(self, node: ast.Constant):
        return node.value, None

    def visit_Name(self, node: ast.Name):
        return self.values[node.id], self.kinds_of[node.id]

    def visit_BinOp(self, node: ast.BinOp):
        (left, left_kind), (right, right_kind) = self.visit(node.left), self.visit(node.right)
        shift = isinstance(node.op, ast.LShift | ast.RShift)
        kind = left_kind if shift else self.wider(left_kind, right_kind)
        value = OPERATORS[type(node.op)](left, right)
        return (value if kind is None else kind(value)), kind

    def visit_UnaryOp(self, node: ast.UnaryOp):
        value, kind = self.visit(node.operand)
        if isinstance(node.op, ast.Not):
            return not value, None
        result = {ast.USub: operator.neg, ast.UAdd: operator.pos, ast.Invert: operator.inv}[type(node.op)](value)
        return kind(result), kind

    def visit_Call(self, node: ast.Call):
        values = [self.visit(argument) for argument in node.args]
        kind = self.wider(values[0][1], values[-1][1])
        return kind({"min": min, "max": max, "abs": abs}[node.func.id](*(value for value, _ in values))), kind

    def visit_IfExp(self, node: ast.IfExp):
        then, otherwise = self.visit(node.body), self.visit(node.orelse)
        return (then if self.visit(node.test)[0] else otherwise)[0], self.wider(then[1], otherwise[1])

    def visit_BoolOp(self, node: ast.BoolOp):
        (left, left_kind), (right, right_kind) = (self.visit(operand) for operand in node.values)
        takes_right = bool(left) == isinstance(node.op, ast.And)
        return (right if takes_right else left), self.wider(left_kind, right_kind)

    def visit_Compare(self, node: ast.Compare):
        left = self.visit(node.left)[0]
        for op, right_node in zip(node.ops, node.comparators, strict=True):
            right = self.visit(right_node)[0]
            if not COMPARISONS[type(op)](left, right):
                return False, None
            left = right
        return True, None


class MixedWriter(Writer):
    """Literals are small enough for the narrowest variable, and never stand where they would have no type."""

    def literal(self) -> str:
        return str(self.random.randint(0, 100))

    def number(self, depth: int) -> str:
        text = super().number(depth)
        return self.random.choice(VARIABLES) if text.isdigit() and depth > 0 else text

    def divisor(self, depth: int) -> str:
        if self.random.random() < 0.5:
            return str(self.random.choice((1, 2, 3, 5, 7, 10, 16, 100)))
        text = self.random.choice(VARIABLES)
        return f"(({text} & 15) + 1)" if self.kind.signed else f"({text} | 1)"


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("signed", [False, True])
def test_mixed_widths(signed: bool, seed: int, loaded_probe) -> None:
    letter = "i" if signed else "u"
    kinds_of = {name: getattr(kinds, f"{letter}{8 << number}") for number, name in enumerate(VARIABLES)}
    widest = kinds_of["d"]
    writer = MixedWriter(widest, hash_of(letter, seed))
    expressions = [f"{widest.name}({writer.variable_side(3)})" for _ in range(EXPRESSIONS)]
    probe = loaded_probe(make_program(widest, expressions, kinds_of))
    for _ in range(ROUNDS):
        values = {}
        for number, (variable, kind) in enumerate(kinds_of.items()):
            few = (kind.minimum, kind.maximum, 0, 1, kind(-1), 7)
            values[variable] = writer.random.choice((*few, writer.random.randint(kind.minimum, kind.maximum)))
            probe.inputs[number] = values[variable]
        probe.loaded.programs["compute"].test_run(ctx_in=bytes(8 * 4))
        for number, text in enumerate(expressions):
            inside = ast.parse(text, mode="eval").body.args[0]
            expected = MixedMachine(kinds_of, values).visit(inside)[0]
            assert probe.results[number] == expected, f"{text} with {values}"
