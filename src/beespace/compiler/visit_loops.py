"""``for`` over what the kernel hands out: a loop that ends when there is nothing more.

Invariant: as in :mod:`beespace.compiler.loops`: what is known at the head of a loop holds in every round.
"""

from __future__ import annotations

import ast

from beespace.compiler import ir, rules
from beespace.compiler.assignments import assign_local
from beespace.compiler.flow import State
from beespace.compiler.frame import Frame, Jumps
from beespace.compiler.types import Iteration, Static
from beespace.compiler.visits import Visits

__all__ = ["visit_loop", "visits_of"]


def visits_of(frame: Frame, node: ast.expr) -> Visits | None:
    """What a loop over ``node`` visits; ``None`` if that is nothing of the kernel's."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return None
    word = isinstance(node.func.value, ast.Name) and isinstance(frame.value(node.func.value).type, Static)
    if not word and node.func.attr != "records":
        return None
    value = frame.value(node)
    if not isinstance(value.type, Iteration):
        return None
    visits: Visits = value.type.visits
    return visits


def visit_loop(frame: Frame, node: ast.For, visits: Visits) -> ir.Block:
    """Lower the loop."""
    frame.scope.release(keep=True)
    assigned = {
        found.id for part in (node.target, *node.body) for found in ast.walk(part)
        if isinstance(found, ast.Name) and isinstance(found.ctx, ast.Store)
    }  # fmt: skip
    head = frame.state.copy()
    head.forget_bounds(assigned)
    while True:
        saved, mark, seen = frame.scope.save(), frame.unit.diagnostics.mark(), len(frame.returns)
        compiled = set(frame.unit.subprograms)
        body, jumps, back = _round(frame, node, visits, head)
        for state in jumps.continues:
            back = back.join(state)
        again = head.join(_known_before(back, head)) if back.reachable else head
        again.forget_bounds(assigned)
        if again.names == head.names:
            break
        head = again
        frame.scope.restore(saved)
        frame.unit.diagnostics.forget(mark)
        for name in set(frame.unit.subprograms) - compiled:
            del frame.unit.subprograms[name]
        del frame.returns[seen:]
    frame.state = head.join(back) if back.reachable else head
    loop = (*visits.before, *visits.loop(body))
    if jumps.broken is not None:
        otherwise = frame.block(node.orelse)
        loop = (ir.Declare(jumps.broken, ir.BOOL), *loop, ir.If(ir.Not(ir.Local(jumps.broken, ir.BOOL)), otherwise))
    for state in jumps.breaks:
        frame.state = frame.state.join(state)
    return loop


def _known_before(back: State, head: State) -> State:
    result = back.copy()
    result.names = {name: type for name, type in back.names.items() if name in head.names}
    return result


def _round(frame: Frame, node: ast.For, visits: Visits, head: State) -> tuple[ir.Block, Jumps, State]:
    frame.state = head.copy()
    jumps = Jumps(broken=frame.scope.fresh("broken") if node.orelse else None)
    opening, given = visits.begin(frame)
    if not isinstance(node.target, ast.Name):
        raise frame.error(rules.Unpacking, node.target, expected=1, found="one value")
    opening += assign_local(frame, node.target, given, node.iter)
    frame.loops.append(jumps)
    try:
        body = frame.block(node.body)
    finally:
        frame.loops.pop()
    return opening + body, jumps, frame.state
