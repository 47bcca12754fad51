"""A header that is checked at once: one branch, and no null pointer in between.

``bpf.packet()`` gives the header or None, and its author asks which.  Where the question follows at once and its
answer leaves the function, the bounds check itself is the question, and what is known afterwards is a plain pointer.
"""

from __future__ import annotations

from collections import Counter

from beespace.compiler import ir
from beespace.compiler.ir.walk import walk
from beespace.compiler.passes.blocks import each_block, each_function
from beespace.record import dataclass, replace

__all__ = ["checked_packets"]

_PACKET = ir.PointerType(ir.Region.PACKET)


@dataclass(frozen=True, slots=True)
class _Header:
    """``body`` leads to ``pointer``, which is used only if ``there``."""

    body: ir.Block
    there: ir.Expression
    pointer: ir.Expression


def checked_packets(module: ir.Module) -> ir.Module:
    """See the module."""
    return each_function(module, _function)


def _function(function: ir.Function) -> ir.Function:
    nodes = tuple(walk(function.body))
    if not any(isinstance(node, ir.Sequence) and node.type == _PACKET for node in nodes):
        return function
    uses = Counter(node.name for node in nodes if isinstance(node, ir.Local))
    return each_block(function, lambda block: _block(block, uses))


def _block(block: ir.Block, uses: Counter[str]) -> ir.Block:
    found: list[ir.Statement] = []
    waiting = list(block)
    while waiting:
        statement = waiting.pop(0)
        after = waiting[0] if waiting else None
        if isinstance(statement, ir.If) and (header := _asked_in_place(statement)) is not None:
            found += _placed(header.body, statement)
            found.append(replace(statement, condition=_first(statement.condition, ir.Not(header.there))))
            continue
        header = _header_of(statement)
        if header is None or not isinstance(after, ir.If):
            found.append(statement)
            continue
        assert isinstance(statement, (ir.Assign, ir.Declare))
        answer = _answer(after, statement.name, uses, header)
        if answer is None:
            found.append(statement)
            continue
        found += _placed(header.body, statement)
        found.append(replace(statement, value=header.pointer))
        waiting[0] = replace(after, condition=answer)
    return tuple(found)


def _placed(body: ir.Block, statement: ir.Statement) -> ir.Block:
    """``body``, which stood inside of ``statement``, beside it."""
    return tuple(replace(each, span=each.span or statement.span) for each in body)


def _header_of(statement: ir.Statement) -> _Header | None:
    """``name = packet(...)``, before anything is known of it."""
    if not isinstance(statement, (ir.Assign, ir.Declare)) or statement.value is None:
        return None
    return _header(statement.value)


def _header(value: ir.Expression) -> _Header | None:
    if not isinstance(value, ir.Sequence) or value.type != _PACKET:
        return None
    chosen = value.value
    if not isinstance(chosen, ir.Select) or not _is_null(chosen.otherwise):
        return None
    if not all(isinstance(each, ir.Declare) for each in value.body):
        return None
    return _Header(value.body, chosen.condition, chosen.then)


def _is_null(value: ir.Expression) -> bool:
    return isinstance(value, ir.Const) and isinstance(value.type, ir.PointerType)


def _asked_in_place(check: ir.If) -> _Header | None:
    """``if packet(...) is None: return``."""
    question = check.condition
    while isinstance(question, ir.Or):
        question = question.left
    if isinstance(question, ir.Compare) and question.op is ir.CompareOp.EQ and _is_null(question.right):
        return _header(question.left)
    return None


def _answer(check: ir.If, name: str, uses: Counter[str], header: _Header) -> ir.Expression | None:
    """The condition of ``check``, with the bounds in place of the question whether ``name`` is None."""
    if check.then and isinstance(check.then[-1], ir.Return) and not check.otherwise and _asks(check.condition, name):
        return _first(check.condition, ir.Not(header.there))
    question = check.condition
    there = isinstance(question, ir.Not) and _asks(question.operand, name)
    inside = sum(1 for node in walk(check.then) if isinstance(node, ir.Local) and node.name == name)
    if there and uses[name] == inside + 1:
        return header.there
    return None


def _asks(condition: ir.Expression, name: str) -> bool:
    """Whether the first thing that a condition asks is ``name is None``."""
    while isinstance(condition, ir.Or):
        condition = condition.left
    return (
        isinstance(condition, ir.Compare)
        and condition.op is ir.CompareOp.EQ
        and isinstance(condition.left, ir.Local)
        and condition.left.name == name
        and _is_null(condition.right)
    )


def _first(condition: ir.Expression, question: ir.Expression) -> ir.Expression:
    """``condition`` with ``question`` in place of the first thing that it asks."""
    if isinstance(condition, ir.Or):
        return replace(condition, left=_first(condition.left, question))
    return question
