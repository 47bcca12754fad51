"""``for`` and ``while``: loops with an end that the verifier can see.

Invariant: what is known at the head of a loop holds in every round; a body whose end contradicts
what was assumed at its head is compiled again with what was learnt.
"""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Callable

from beespace.compiler import ir, marks, rules
from beespace.compiler.expressions.sequences import rounds_of
from beespace.compiler.flow import State
from beespace.compiler.frame import Frame, Jumps
from beespace.compiler.kernel.calls import has_helper
from beespace.compiler.maps import Entries, walk
from beespace.compiler.owned import round_of
from beespace.compiler.statements.assignments import assign_local
from beespace.compiler.statements.failing import fail
from beespace.compiler.statements.rounds import MAX_ROUNDS, Item, Rounds
from beespace.compiler.statements.visits import Visits, visits_of
from beespace.compiler.types import MapObject, NoneType, Optional, Poison, Type
from beespace.compiler.values import Value
from beespace.record import dataclass

__all__ = ["MAX_WHILE", "assign_item", "for_loop", "while_loop"]

MAX_WHILE = 1 << 20
MAX_WALKED = 100_000  # rounds that the verifier may walk through where there is no bpf_loop() (before Linux 5.17)
_BPF_LOOP = 181  # enum bpf_func_id (include/uapi/linux/bpf.h)


@dataclass(slots=True)
class _Round:
    """One round, compiled: its statements, how it is left, and what holds at its end and behind the loop."""

    body: ir.Block
    jumps: Jumps
    end: State
    exit: State | None = None  # a while's: its condition was false


def for_loop(frame: Frame, node: ast.For) -> ir.Block:
    """Lower a ``for``."""
    visits = visits_of(frame, node.iter)
    if visits is not None:
        return _visit_loop(frame, node, visits)
    entries = walk(frame, node)
    if entries is not None:
        return _map_loop(frame, node, entries)
    rounds = rounds_of(frame, node.iter)
    frame.scope.release(keep=True)
    index = frame.scope.fresh("index")
    called = rounds.limit > MAX_ROUNDS and (rounds.limit > MAX_WALKED or has_helper(frame.unit.btf, "loop"))

    def compile_round(head: State) -> _Round:
        frame.state = head.copy()
        jumps = Jumps(broken=frame.scope.fresh("broken") if node.orelse or frame.unit.marks else None)
        with frame.scope.apart() if called else contextlib.nullcontext():
            opening, item = rounds.begin(frame, ir.Local(index, ir.U32), node.target)
            opening += assign_item(frame, node.target, item, node.iter)
            return _Round(marks.mark(frame, node) + opening + _inside(frame, node.body, jumps), jumps, frame.state)

    made, head, back = _settled(frame, _assigned(node.target, *node.body), compile_round)
    if called:
        before, count = frame.bind(rounds.count if rounds.count is not None else ir.Const(rounds.limit, ir.U32))
        loops: ir.Block = (*before, _called(count, rounds.limit, index, made.body))
    else:
        loops = (ir.Loop(made.body, rounds.limit, index),)
    return rounds.before + _finished(frame, node, made.jumps, _exhausted(rounds, head, back), loops)


def _map_loop(frame: Frame, node: ast.For, entries: Entries) -> ir.Block:
    """A ``for`` over the entries of a map."""
    frame.scope.release()

    def compile_round(head: State) -> _Round:
        frame.state = head.copy()
        jumps = Jumps(broken=frame.scope.fresh("broken") if node.orelse or frame.unit.marks else None)
        with frame.scope.apart():
            body = marks.mark(frame, node) + entries.opening(frame, node) + _inside(frame, node.body, jumps)
            return _Round(body, jumps, frame.state)

    made, head, back = _settled(frame, _assigned(node.target, *node.body), compile_round)
    exhausted = head.join(back) if back.reachable else head
    return _finished(frame, node, made.jumps, exhausted, (entries.looped(made.body),))


def _visit_loop(frame: Frame, node: ast.For, visits: Visits) -> ir.Block:
    """A ``for`` over what the kernel hands out one by one."""
    frame.scope.release(keep=True)

    def compile_round(head: State) -> _Round:
        frame.state = head.copy()
        jumps = Jumps(broken=frame.scope.fresh("broken") if node.orelse or frame.unit.marks else None)
        with frame.scope.apart():
            opening, given = visits.begin(frame)
            opening += assign_item(frame, node.target, given, node.iter)
            return _Round(marks.mark(frame, node) + opening + _inside(frame, node.body, jumps), jumps, frame.state)

    made, head, back = _settled(frame, _assigned(node.target, *node.body), compile_round)
    exhausted = head.join(back) if back.reachable else head
    return visits.before + _finished(frame, node, made.jumps, exhausted, visits.loop(made.body))


def while_loop(frame: Frame, node: ast.While) -> ir.Block:
    """Lower a ``while``: bpf_loop() calls its body (Linux 5.17); the program fails if it would run for ever."""
    frame.scope.release(keep=True)
    index, ended = frame.scope.fresh("index"), frame.scope.fresh("ended")
    endless = isinstance(node.test, ast.Constant) and bool(node.test.value)

    def compile_round(head: State) -> _Round:
        frame.state = head.copy()
        jumps = Jumps(broken=frame.scope.fresh("broken"))
        with frame.scope.apart():
            if endless:
                body = marks.mark(frame, node) + _inside(frame, node.body, jumps)
                return _Round(body, jumps, frame.state, head.dead())
            test = frame.condition(node.test)
            frame.scope.release(keep=True)
            frame.state = test.when_true
            over = (ir.Assign(ended, ir.Const(1, ir.BOOL)), ir.Break())
            body = _inside(frame, node.body, jumps)
            begin = (*marks.mark(frame, node), ir.If(test.code, (), over))
            return _Round((*begin, *body), jumps, frame.state, test.when_false)

    made, _, _ = _settled(frame, _assigned(*node.body, node.test), compile_round)
    assert made.jumps.broken is not None and made.exit is not None
    loop = _called(ir.Const(MAX_WHILE, ir.U32), MAX_WHILE, index, made.body)
    came_to_end = ir.Or(ir.Local(ended, ir.BOOL), ir.Local(made.jumps.broken, ir.BOOL))
    too_long = fail(frame, node.test, f"a while loop was still running after {MAX_WHILE} rounds")
    declared = (ir.Declare(ended, ir.BOOL), ir.Declare(made.jumps.broken, ir.BOOL))
    if endless and not made.jumps.breaks:
        frame.state = made.exit
        return (*declared, loop, *too_long)
    code: ir.Block = (*declared, loop, ir.If(ir.Not(came_to_end), too_long))
    frame.state = made.exit
    if node.orelse and made.exit.reachable:
        code += (ir.If(ir.Local(ended, ir.BOOL), frame.block(node.orelse)),)
    elif node.orelse:
        raise frame.error(rules.Unreachable, node.orelse[0])
    for state in made.jumps.breaks:
        frame.state = frame.state.join(state)
    return code


def assign_item(frame: Frame, target: ast.expr, item: Item, node: ast.expr) -> ir.Block:
    """Give what one round brings to the loop's names."""
    if isinstance(target, ast.Tuple | ast.List):
        if isinstance(item, Value) or len(item) != len(target.elts):
            found = "one value" if isinstance(item, Value) else f"{len(item)} values"
            raise frame.error(rules.Unpacking, target, expected=len(target.elts), found=found)
        block: ir.Block = ()
        for part, value in zip(target.elts, item, strict=True):
            block += assign_item(frame, part, value, node)
        return block
    if not isinstance(target, ast.Name):
        raise frame.error(rules.AssignTarget, target, what="this", suggestion="a loop assigns to names")
    if not isinstance(item, Value):
        raise frame.error(rules.Unpacking, target, expected=1, found=f"{len(item)} values")
    assert not isinstance(item.type, MapObject)
    return assign_local(frame, target, item, node)


def _assigned(*parts: ast.AST) -> set[str]:
    """The names that a round may assign."""
    return {
        found.id for part in parts for found in ast.walk(part)
        if isinstance(found, ast.Name) and isinstance(found.ctx, ast.Store)
    }  # fmt: skip


def _inside(frame: Frame, body: list[ast.stmt], jumps: Jumps) -> ir.Block:
    frame.loops.append(jumps)
    try:
        return round_of(frame, body)
    finally:
        frame.loops.pop()


def _settled(frame: Frame, assigned: set[str], compile_round: Callable[[State], _Round]) -> tuple[_Round, State, State]:
    """A round that holds for every round, with what is known at the loop's head and after a round."""
    head = frame.state.copy()
    head.forget_bounds(assigned)
    while True:
        saved, mark, seen = frame.scope.save(), frame.unit.diagnostics.mark(), len(frame.returns)
        compiled = set(frame.unit.subprograms)
        made = compile_round(head)
        back = made.end
        for state in made.jumps.continues:
            back = back.join(state)
        again = head.join(_known_before(frame, back, head)) if back.reachable else head
        again.forget_bounds(assigned)
        if again.names == head.names and again.holding == head.holding:
            return made, head, back
        # A round ends with less than it was begun with: begin it with that.
        head = again
        frame.scope.restore(saved)
        frame.unit.diagnostics.forget(mark)
        for name in set(frame.unit.subprograms) - compiled:
            del frame.unit.subprograms[name]
        del frame.returns[seen:]


def _known_before(frame: Frame, back: State, head: State) -> State:
    """What the end of a round says of the locals that its beginning knew."""
    result = back.copy()
    names = {name: type for name, type in back.names.items() if name in head.names}
    result.names = {name: _learnt(frame, name, type, head) for name, type in names.items()}
    return result


def _learnt(frame: Frame, name: str, type: Type, head: State) -> Type:
    """The type of a local at the end of a round.

    A mistake may have left it unknown.  The round that is compiled again must find the mistake again, unless it was
    that the local had been None only: it is not any more.
    """
    if not isinstance(type, Poison):
        return type
    variable = frame.scope.variables.get(name)  # none if the mistake was its first assignment
    if variable is not None and isinstance(head.names[name], NoneType) and variable.code_type is not None:
        return Optional(variable.type, variable.box)
    return head.names[name]


def _called(count: ir.Expression, limit: int, index: str, body: ir.Block) -> ir.Statement:
    """The rounds as calls of the body by bpf_loop(), which the verifier looks at once."""
    # The kernel keeps to the count; the comparison tells the verifier so.
    past = ir.Compare(ir.CompareOp.GE, ir.Local(index, ir.U32), ir.Const(limit, ir.U32))
    check = ir.If(past, (ir.Break(),))
    none = ir.Const(0, ir.U64)
    each = ir.Each(_BPF_LOOP, "loop", (count,), (ir.Parameter(index, ir.U32),), (check, *body), (none,))
    if isinstance(count, ir.Const):
        return each
    # Where the verifier knows that there are no rounds, it forgets the body, and trips over its address.
    return ir.If(ir.Compare(ir.CompareOp.NE, count, ir.Const(0, ir.U32)), (each,))


def _exhausted(rounds: Rounds, head: State, back: State) -> State:
    """What holds when every round has run."""
    if rounds.certain and rounds.limit > 0:
        return back
    return head.join(back) if back.reachable else head


def _finished(frame: Frame, node: ast.For, jumps: Jumps, exhausted: State, loop: ir.Block) -> ir.Block:
    """What holds after the loop, and its else."""
    frame.state = exhausted
    if not node.orelse and not frame.unit.marks:
        for state in jumps.breaks:
            frame.state = frame.state.join(state)
        return loop
    assert jumps.broken is not None
    otherwise = marks.mark(frame, node) + frame.block(node.orelse)
    for state in jumps.breaks:
        frame.state = frame.state.join(state)
    flag = ir.Local(jumps.broken, ir.BOOL)
    return (ir.Declare(jumps.broken, ir.BOOL), *loop, ir.If(ir.Not(flag), otherwise))
