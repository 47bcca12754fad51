"""``match``: numbers, members of enumerations, texts, None, structs and their fields, several subjects at once.

Invariant: a pattern is the condition that Python would test, so that it narrows what an ``if`` would narrow; cases are
tried in order, the subject is evaluated once.
"""

from __future__ import annotations

import ast

from beespace.compiler import ir, marks, rules
from beespace.compiler.frame import Frame
from beespace.compiler.statements.assignments import assign_local
from beespace.compiler.types import Bool, NoneType, Optional, Static, StructType
from beespace.record import dataclass, field
from beespace.schema import Struct

__all__ = ["match_statement"]


@dataclass(slots=True)
class _Pattern:
    """What must hold (``None``: nothing), and the names that get something when it does."""

    test: ast.expr | None = None
    captures: list[tuple[str, ast.expr]] = field(default_factory=list)

    def add(self, other: _Pattern) -> None:
        """This pattern and the other one."""
        self.captures += other.captures
        if other.test is not None:
            self.test = other.test if self.test is None else ast.BoolOp(ast.And(), [self.test, other.test])


def match_statement(frame: Frame, node: ast.Match) -> ir.Block:
    """Lower a ``match``."""
    parts = node.subject.elts if isinstance(node.subject, ast.Tuple) else [node.subject]
    block: ir.Block = ()
    subjects: list[ast.expr] = []
    for part in parts:
        before, subject = _held(frame, part)
        block += before
        subjects.append(subject)
    return block + _cases(frame, node.cases, subjects, several=isinstance(node.subject, ast.Tuple))


def _held(frame: Frame, node: ast.expr) -> tuple[ir.Block, ast.expr]:
    """A name for the subject: its own if it is a local, so that a case narrows it."""
    if isinstance(node, ast.Name) and node.id in frame.scope.variables:
        return (), node
    name = ast.copy_location(ast.Name(frame.scope.fresh("match"), ast.Store()), node)
    value = frame.value(node)
    if isinstance(value.type, Static):
        raise frame.error(rules.NotSupported, node, what=f"`match` on {value.type}", suggestion="write `if` and `elif`")
    return assign_local(frame, name, value, node), ast.copy_location(ast.Name(name.id, ast.Load()), node)


def _cases(frame: Frame, cases: list[ast.match_case], subjects: list[ast.expr], *, several: bool) -> ir.Block:
    if not cases:
        return ()
    (case, *rest) = cases
    pattern = _several(frame, case.pattern, subjects) if several else _pattern(frame, case.pattern, subjects[0])
    test: ir.Expression | None = None
    entry = frame.state.dead()
    if pattern.test is not None:
        condition = frame.condition(_placed(pattern.test, case.pattern))
        test, frame.state, entry = condition.code, condition.when_true, condition.when_false
    capturing: ir.Block = ()
    for name, value in pattern.captures:
        target = ast.copy_location(ast.Name(name, ast.Store()), case.pattern)
        source = _placed(value, case.pattern)
        capturing += assign_local(frame, target, frame.value(source), source)
    if case.guard is not None:
        guard = frame.condition(case.guard)
        code = ir.Sequence(capturing, guard.code) if capturing else guard.code
        test, capturing = (code if test is None else ir.And(test, code)), ()
        frame.state, entry = guard.when_true, entry.join(guard.when_false)
    if test is None:
        return marks.mark(frame, case.pattern) + capturing + frame.block(case.body)
    frame.state = frame.state.copy()
    then = capturing + frame.block(case.body)
    after = frame.state
    frame.state = entry.copy()
    otherwise = _cases(frame, rest, subjects, several=several)
    frame.state = after.join(frame.state)
    return (*marks.mark(frame, case.pattern), ir.If(test, then, otherwise, span=frame.code_span(case.pattern)))


def _placed(node: ast.expr, place: ast.AST) -> ast.expr:
    """A condition that was made up, at the place of the pattern."""
    return ast.fix_missing_locations(ast.copy_location(node, place))


def _several(frame: Frame, pattern: ast.pattern, subjects: list[ast.expr]) -> _Pattern:
    """A pattern of a tuple that is written out: ``match a, b:``."""
    if isinstance(pattern, ast.MatchAs) and pattern.pattern is None and pattern.name is None:
        return _Pattern()
    if isinstance(pattern, ast.MatchOr):
        return _either(frame, [_several(frame, inner, subjects) for inner in pattern.patterns], pattern)
    inner = pattern.patterns if isinstance(pattern, ast.MatchSequence) else []
    if len(inner) != len(subjects) or any(isinstance(part, ast.MatchStar) for part in inner):
        raise frame.error(
            rules.NotSupported, pattern, what="this pattern",
            suggestion=f"write {len(subjects)} patterns: `case {', '.join('_' * len(subjects))}:`",
        )  # fmt: skip
    result = _Pattern()
    for part, subject in zip(inner, subjects, strict=True):
        result.add(_pattern(frame, part, subject))
    return result


def _pattern(frame: Frame, pattern: ast.pattern, subject: ast.expr) -> _Pattern:
    match pattern:
        case ast.MatchValue(value):
            return _Pattern(ast.Compare(subject, [ast.Eq()], [value]))
        case ast.MatchSingleton(None):
            return _Pattern(ast.Compare(subject, [ast.Is()], [ast.Constant(None)]))
        case ast.MatchSingleton(value) if isinstance(frame.value(_placed(subject, pattern)).type, Bool):
            return _Pattern(ast.Compare(subject, [ast.Eq()], [ast.Constant(value)]))
        case ast.MatchOr(patterns):
            return _either(frame, [_pattern(frame, inner, subject) for inner in patterns], pattern)
        case ast.MatchAs(inner, name):
            result = _pattern(frame, inner, subject) if inner is not None else _Pattern()
            if name is not None:
                result.captures.append((name, subject))
            return result
        case ast.MatchClass():
            return _struct(frame, pattern, subject)
    raise frame.error(
        rules.NotSupported, pattern, what="this pattern",
        suggestion="a case is a value, `A | B`, None, a struct with fields (`Key(port=80)`), a name, or `_`",
    )  # fmt: skip


def _either(frame: Frame, patterns: list[_Pattern], node: ast.pattern) -> _Pattern:
    if any(pattern.captures for pattern in patterns):
        raise frame.error(
            rules.NotSupported, node, what="a name inside of `|`", suggestion="write a case for each of the patterns"
        )
    tests = [pattern.test for pattern in patterns if pattern.test is not None]
    return _Pattern() if len(tests) < len(patterns) else _Pattern(ast.BoolOp(ast.Or(), tests))


def _struct(frame: Frame, pattern: ast.MatchClass, subject: ast.expr) -> _Pattern:
    """``Key(port=80, name=name)``."""
    found = frame.value(_placed(subject, pattern)).type
    wanted = frame.value(pattern.cls).type
    inner = found.inner if isinstance(found, Optional) else found
    result = _Pattern()
    if isinstance(found, (Optional, NoneType)):
        result.test = ast.Compare(subject, [ast.IsNot()], [ast.Constant(None)])
    if not isinstance(inner, StructType) or not isinstance(wanted, Static) or inner.cls is not wanted.value:
        if not isinstance(wanted, Static) or not (isinstance(wanted.value, type) and issubclass(wanted.value, Struct)):
            raise frame.error(
                rules.NotSupported, pattern, what=f"{ast.unparse(pattern.cls)}() as a pattern",
                suggestion="types are known while compiling: write a name, or `_`",
            )  # fmt: skip
        raise frame.error(
            rules.TypeMismatch, pattern.cls, place="what is matched", expected=ast.unparse(pattern.cls), found=found
        )
    if pattern.patterns:
        raise frame.error(
            rules.NotSupported, pattern.patterns[0], what="a field without its name",
            suggestion=f"write {ast.unparse(pattern.cls)}(name=...)",
        )  # fmt: skip
    for name, part in zip(pattern.kwd_attrs, pattern.kwd_patterns, strict=True):
        result.add(_pattern(frame, part, ast.Attribute(subject, name, ast.Load())))
    return result
