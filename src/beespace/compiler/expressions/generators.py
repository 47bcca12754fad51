"""``any(... for x in values)`` and its kin: sums, extremes and questions over what a loop can go through.

Invariant: the loop stops where Python's would; a sum is a u64 (an i64 of signed numbers), whatever is added.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from beespace.compiler import ir, rules
from beespace.compiler.expressions.conditions import truth
from beespace.compiler.expressions.numbers import fit, known, present, unify
from beespace.compiler.expressions.sequences import rounds_of
from beespace.compiler.frame import Frame
from beespace.compiler.statements.loops import assign_item
from beespace.compiler.statements.rounds import MAX_ROUNDS, Rounds
from beespace.compiler.types import BOOL, I64, U64, Bool, Int, Literal, Type
from beespace.compiler.values import Value, number
from beespace.record import dataclass

__all__ = ["all_of", "any_of", "extreme_of", "sum_of"]

# What is done with each element: its value, with the node for messages.
_Step = Callable[[Value, ast.expr], ir.Block]


@dataclass(frozen=True, slots=True)
class _Source:
    """A sequence, and what is taken of each of its elements: the element itself, or an expression of it."""

    rounds: Rounds
    target: ast.expr
    element: ast.expr
    conditions: list[ast.expr]


def _source(frame: Frame, node: ast.expr) -> _Source:
    if not isinstance(node, ast.GeneratorExp):
        name = frame.scope.fresh("item")
        target = ast.copy_location(ast.Name(name, ast.Store()), node)
        element = ast.copy_location(ast.Name(name, ast.Load()), node)
        return _Source(rounds_of(frame, node), target, element, [])
    if len(node.generators) != 1 or node.generators[0].is_async:
        raise frame.error(rules.NotSupported, node, what="a generator with several `for`",
                          suggestion="write the inner one as a `for`, or as a function")  # fmt: skip
    (part,) = node.generators
    rounds = rounds_of(frame, part.iter)  # before its names are known, as in Python
    names = {found.id for found in ast.walk(part.target) if isinstance(found, ast.Name)}
    renamed = _Renamed({name: frame.scope.fresh(name) for name in names})
    for found in ast.walk(node):
        if isinstance(found, ast.NamedExpr):
            raise frame.error(rules.NotSupported, found, what="`:=` in a generator", suggestion="write a `for`")
    conditions = [renamed.copy(each) for each in part.ifs]
    return _Source(rounds, renamed.copy(part.target), renamed.copy(node.elt), conditions)


class _Renamed:
    """The names of a generator are its own."""

    def __init__(self, names: dict[str, str]) -> None:
        self.names = names

    def copy(self, node: ast.expr) -> ast.expr:
        """``node`` with the new names, at the same places."""
        fields: dict[str, Any] = {name: self._copied(value) for name, value in ast.iter_fields(node)}
        if isinstance(node, ast.Name) and node.id in self.names:
            fields["id"] = self.names[node.id]
        return ast.copy_location(type(node)(**fields), node)

    def _copied(self, value: object) -> object:
        if isinstance(value, list):
            return [self._copied(each) for each in value]
        if isinstance(value, ast.expr):
            return self.copy(value)
        if isinstance(value, ast.keyword):
            return ast.copy_location(ast.keyword(value.arg, self.copy(value.value)), value)
        return value


def _loop(frame: Frame, node: ast.expr, source: _Source, step: _Step) -> ir.Block:
    """Go through the source; what is learnt inside holds inside."""
    if source.rounds.limit > MAX_ROUNDS:
        raise frame.error(
            rules.LoopTooLong, node, count=source.rounds.limit, limit=MAX_ROUNDS,
            suggestion="write it as a `for`, which may be longer",
        )  # fmt: skip
    before = frame.state.copy()
    index = frame.scope.fresh("index")
    opening, item = source.rounds.begin(frame, ir.Local(index, ir.U32), source.target)
    opening += assign_item(frame, source.target, item, node)
    tests: list[ir.Expression] = []
    for condition in source.conditions:
        test = frame.condition(condition)
        frame.state = test.when_true
        tests.append(test.code)
    body = step(present(frame, frame.value(source.element), source.element), source.element)
    for test_code in reversed(tests):
        body = (ir.If(test_code, body),)
    frame.state = before
    return (*source.rounds.before, ir.Loop(opening + body, source.rounds.limit, index))


def any_of(frame: Frame, node: ast.Call, argument: ast.expr) -> Value:
    """``any(...)``."""
    return _asked(frame, argument, stop_at=True)


def all_of(frame: Frame, node: ast.Call, argument: ast.expr) -> Value:
    """``all(...)``."""
    return _asked(frame, argument, stop_at=False)


def _asked(frame: Frame, argument: ast.expr, *, stop_at: bool) -> Value:
    source = _source(frame, argument)
    name = frame.scope.fresh("found")

    def step(value: Value, node: ast.expr) -> ir.Block:
        test = truth(frame, value, node).code
        stop: ir.Block = (ir.Assign(name, ir.Const(int(stop_at), ir.BOOL)), ir.Break())
        return (ir.If(test if stop_at else ir.Not(test), stop),)

    loop = _loop(frame, argument, source, step)
    start = ir.Declare(name, ir.BOOL, ir.Const(int(not stop_at), ir.BOOL))
    return Value(BOOL, ir.Sequence((start, *loop), ir.Local(name, ir.BOOL)))


def sum_of(frame: Frame, node: ast.Call, argument: ast.expr) -> Value:
    """``sum(...)``."""
    source = _source(frame, argument)
    name, types = frame.scope.fresh("sum"), []

    def step(value: Value, element: ast.expr) -> ir.Block:
        code = value.expression if isinstance(value.type, Bool) else None
        type_ = I64 if isinstance(value.type, Int) and value.type.signed else U64
        if code is None:
            value = known(frame, value, element, "sum()")
            if isinstance(value.type, Literal) and value.type.value < 0:
                type_ = I64
            code = fit(frame, value, type_, element, "sum()")
        else:
            code = ir.Convert(code, ir.U64)
        types.append(type_)
        return (ir.Assign(name, ir.Binary(ir.BinaryOp.ADD, ir.Local(name, type_.code), code)),)

    loop = _loop(frame, argument, source, step)
    type_ = types[0]
    return Value(type_, ir.Sequence((ir.Declare(name, type_.code), *loop), ir.Local(name, type_.code)))


def extreme_of(
    frame: Frame, node: ast.Call, argument: ast.expr, default: ast.expr | None, compare: ir.CompareOp,
    expected: Type | None,
) -> Value:  # fmt: skip
    """``min(...)`` and ``max(...)`` of one sequence."""
    source = _source(frame, argument)
    name, seen = frame.scope.fresh("best"), frame.scope.fresh("seen")
    if default is None and (source.conditions or not source.rounds.certain or source.rounds.limit == 0):
        raise frame.error(rules.MayBeEmpty, argument, function=ast.unparse(node.func))
    types: list[Int] = []

    def step(value: Value, element: ast.expr) -> ir.Block:
        value = known(frame, value, element, f"{ast.unparse(node.func)}()")
        *_, type_ = unify(frame, value, value, element, expected)
        types.append(type_)
        before, code = frame.bind(fit(frame, value, type_, element, ""))
        better = ir.Compare(compare, code, ir.Local(name, type_.code))
        first = ir.Not(ir.Local(seen, ir.BOOL))
        take: ir.Block = (ir.Assign(name, code), ir.Assign(seen, ir.Const(1, ir.BOOL)))
        return (*before, ir.If(ir.Or(first, better), take))

    loop = _loop(frame, argument, source, step)
    type_ = types[0]
    block: ir.Block = (ir.Declare(name, type_.code, number(0, type_)), ir.Declare(seen, ir.BOOL), *loop)
    best = ir.Local(name, type_.code)
    if default is None:
        return Value(type_, ir.Sequence(block, best))
    other = known(frame, frame.value(default, type_), default, "the default")
    found, instead, type_ = unify(frame, Value(type_, best), other, default, expected)
    return Value(type_, ir.Sequence(block, ir.Select(ir.Local(seen, ir.BOOL), found, instead)))
