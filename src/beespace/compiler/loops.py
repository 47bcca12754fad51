"""``for name in range(...)``: loops with an end that the verifier can see.

Invariant: what is known at the head of a loop holds in every round; a body whose end contradicts
what was assumed at its head is compiled again with what was learnt.
"""

from __future__ import annotations

import ast

from beespace.compiler import ir, rules
from beespace.compiler.assignments import assign_local
from beespace.compiler.flow import State
from beespace.compiler.frame import Frame, Jumps
from beespace.compiler.maps import Entries, walk
from beespace.compiler.numbers import fit, known
from beespace.compiler.types import Int, Literal, Range, Type
from beespace.compiler.values import Bounds, Value, number
from beespace.compiler.visit_loops import visit_loop, visits_of
from beespace.record import dataclass

__all__ = ["MAX_CALLED", "MAX_ROUNDS", "for_loop"]

MAX_ROUNDS = 4096  # of a loop whose rounds the verifier walks through; longer ones are bpf_loop()'s (Linux 5.17)
MAX_CALLED = 1 << 23  # BPF_MAX_LOOPS (kernel/bpf/verifier.c)
_BPF_LOOP = 181  # enum bpf_func_id (include/uapi/linux/bpf.h)


@dataclass(frozen=True, slots=True)
class _Rounds:
    """A counted loop: ``start + index * step`` for at most ``limit`` rounds, while below ``stop`` if there is one."""

    start: int
    step: int
    limit: int
    type: Int
    bounds: Bounds
    before: ir.Block = ()
    stop: ir.Expression | None = None


def for_loop(frame: Frame, node: ast.For) -> ir.Block:
    """Lower a ``for``."""
    visits = visits_of(frame, node.iter)
    if visits is not None:
        return visit_loop(frame, node, visits)
    rounds: _Rounds | Entries = walk(frame, node) or _rounds(frame, node)
    if isinstance(rounds, _Rounds) and not isinstance(node.target, ast.Name):
        raise frame.error(rules.AssignTarget, node.target, what="this", suggestion="a loop over range() has one name")
    frame.scope.release()
    assigned = {
        found.id for part in (node.target, *node.body) for found in ast.walk(part)
        if isinstance(found, ast.Name) and isinstance(found.ctx, ast.Store)
    }  # fmt: skip
    head = frame.state.copy()
    head.forget_bounds(assigned)
    while True:
        saved, mark, seen = frame.scope.save(), frame.unit.diagnostics.mark(), len(frame.returns)
        compiled = set(frame.unit.subprograms)
        body, jumps, end = _body(frame, node, rounds, head)
        back = end
        for state in jumps.continues:
            back = back.join(state)
        again = head.join(_known_before(back, head)) if back.reachable else head
        again.forget_bounds(assigned)
        if again.names == head.names:
            break
        # A round ends with less than it was begun with: begin it with that.
        head = again
        frame.scope.restore(saved)
        frame.unit.diagnostics.forget(mark)
        for name in set(frame.unit.subprograms) - compiled:
            del frame.unit.subprograms[name]
        del frame.returns[seen:]
    before = rounds.before if isinstance(rounds, _Rounds) else ()
    return before + _finished(frame, node, rounds, head, back, jumps, body)


def _known_before(back: State, head: State) -> State:
    """What the end of a round says of the locals that its beginning knew."""
    result = back.copy()
    result.names = {name: type for name, type in back.names.items() if name in head.names}
    return result


def _body(frame: Frame, node: ast.For, rounds: _Rounds | Entries, head: State) -> tuple[ir.Block, Jumps, State]:
    """One round: count, then the author's statements."""
    frame.state = head.copy()
    jumps = Jumps(broken=frame.scope.fresh("broken") if node.orelse else None)
    if isinstance(rounds, Entries):
        body = rounds.opening(frame, node) + _statements(frame, node, jumps)
        return (rounds.looped(body),), jumps, frame.state
    assert isinstance(node.target, ast.Name)
    index = frame.scope.fresh("index")
    counted = _counted(rounds, index)
    opening: ir.Block = ()
    if rounds.stop is not None:
        name = frame.scope.fresh()
        opening = (ir.Declare(name, rounds.type.code, counted),)
        counted = ir.Local(name, rounds.type.code)
        past = ir.CompareOp.GE if rounds.step > 0 else ir.CompareOp.LE
        opening += (ir.If(ir.Compare(past, counted, rounds.stop), (ir.Break(),)),)
    variable = frame.scope.variables.get(node.target.id)
    type_ = _counter_type(rounds.bounds, variable.type if variable is not None else None)
    code = counted if type_.code == counted.type else ir.Convert(counted, type_.code)
    opening += assign_local(frame, node.target, Value(type_, code, rounds.bounds), node.iter)
    body = _statements(frame, node, jumps)
    if rounds.limit > MAX_ROUNDS:
        return (_called(rounds, index, opening + body),), jumps, frame.state
    return (ir.Loop(opening + body, rounds.limit, index),), jumps, frame.state


def _statements(frame: Frame, node: ast.For, jumps: Jumps) -> ir.Block:
    """What the author wrote inside."""
    frame.loops.append(jumps)
    try:
        return frame.block(node.body)
    finally:
        frame.loops.pop()


def _called(rounds: _Rounds, index: str, body: ir.Block) -> ir.Each:
    """The rounds as calls of the body by bpf_loop(), which the verifier looks at once."""
    count: ir.Expression = ir.Const(rounds.limit, ir.U32)
    if rounds.stop is not None and rounds.step == 1:
        start = number(rounds.start, rounds.type)
        left = ir.Convert(ir.Binary(ir.BinaryOp.SUB, rounds.stop, start), ir.U32)
        count = ir.Select(ir.Compare(ir.CompareOp.GT, rounds.stop, start), left, ir.Const(0, ir.U32))
    # The kernel keeps to the count; the comparison tells the verifier so.
    past = ir.Compare(ir.CompareOp.GE, ir.Local(index, ir.U32), ir.Const(rounds.limit, ir.U32))
    check = ir.If(past, (ir.Break(),))
    return ir.Each(_BPF_LOOP, "loop", (count,), (ir.Parameter(index, ir.U32),), (check, *body), (ir.Const(0, ir.U64),))


def _counter_type(bounds: Bounds, declared: Type | None) -> Int:
    """What the loop's name is: what it was before if the numbers fit, else u32, or i32 for negative ones."""
    signed = bounds.low < 0
    for type_ in (declared, Int(32, signed), Int(64, signed)):
        if isinstance(type_, Int) and type_.minimum <= bounds.low and bounds.high <= type_.maximum:
            return type_
    return Int(64, signed)


def _counted(rounds: _Rounds, index: str) -> ir.Expression:
    """The number of this round."""
    code: ir.Expression = ir.Local(index, ir.U32)
    if rounds.type.code != ir.U32:
        code = ir.Convert(code, rounds.type.code)
    if rounds.step != 1:
        code = ir.Binary(ir.BinaryOp.MUL, code, number(rounds.step, rounds.type))
    if rounds.start != 0:
        code = ir.Binary(ir.BinaryOp.ADD, code, number(rounds.start, rounds.type))
    return code


def _finished(
    frame: Frame, node: ast.For, rounds: _Rounds | Entries, head: State, back: State, jumps: Jumps, loop: ir.Block
) -> ir.Block:
    """What holds after the loop, and its else."""
    certain = isinstance(rounds, _Rounds) and rounds.limit > 0 and rounds.stop is None
    exhausted = back if certain else head.join(back) if back.reachable else head
    if certain and not back.reachable:
        exhausted = back
    if not node.orelse:
        frame.state = exhausted
        for state in jumps.breaks:
            frame.state = frame.state.join(state)
        return loop
    assert jumps.broken is not None
    frame.state = exhausted
    otherwise = frame.block(node.orelse)
    for state in jumps.breaks:
        frame.state = frame.state.join(state)
    flag = ir.Local(jumps.broken, ir.BOOL)
    return (ir.Declare(jumps.broken, ir.BOOL), *loop, ir.If(ir.Not(flag), otherwise))


# --- range ---------------------------------------------------------------------------------------


def _rounds(frame: Frame, node: ast.For) -> _Rounds:
    call = node.iter
    is_range = isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "range"
    if not is_range or not isinstance(frame.value(call).type, Range):
        raise frame.error(
            rules.NotSupported, node.iter, what="a `for` over anything but range() and maps",
            suggestion="write `for i in range(n):` and take the element by its index",
        )  # fmt: skip
    assert isinstance(call, ast.Call)
    if call.keywords or not 1 <= len(call.args) <= 3:
        raise frame.error(
            rules.ArgumentCount, call, function="range()", expected="1 to 3 numbers", found=len(call.args)
        )
    values = [known(frame, frame.value(argument), argument, "range()") for argument in call.args]
    start = Value(Literal(0)) if len(values) == 1 else values[0]
    stop = values[0] if len(values) == 1 else values[1]
    stop_node = call.args[0] if len(values) == 1 else call.args[1]
    step = values[2] if len(values) == 3 else Value(Literal(1))
    for value, what in ((start, "the start"), (step, "the step")):
        if not isinstance(value.type, Literal):
            raise frame.error(
                rules.NotConstant, call.args[0] if value is start else call.args[2], what=what,
                suggestion="count from 0 by 1, and work the number out inside: `start + i * step`",
            )  # fmt: skip
    assert isinstance(start.type, Literal) and isinstance(step.type, Literal)
    if step.type.value == 0:
        raise frame.error(rules.LoopUnbounded, call.args[2], what="a range with a step of 0", suggestion="")
    first, by = start.type.value, step.type.value
    if isinstance(stop.type, Literal):
        return _constant(frame, call, first, stop.type.value, by)
    return _dynamic(frame, call, first, stop, stop_node, by)


def _count(first: int, stop: int, by: int) -> int:
    """How many numbers ``range(first, stop, by)`` has, however many."""
    return max(0, -(-(stop - first) // by))


def _constant(frame: Frame, call: ast.Call, first: int, stop: int, by: int) -> _Rounds:
    count = _count(first, stop, by)
    if count > MAX_CALLED:
        raise frame.error(
            rules.LoopTooLong, call, count=count, limit=MAX_CALLED,
            suggestion="split the work over several events, or count in user space",
        )  # fmt: skip
    ends = [first, first + (count - 1) * by] if count else [0, 0]
    low, high = min(ends), max(ends)
    bounds = Bounds(low, high)
    return _Rounds(first, by, count, _counter_type(bounds, None), bounds)


def _dynamic(frame: Frame, call: ast.Call, first: int, stop: Value, node: ast.expr, by: int) -> _Rounds:
    assert isinstance(stop.type, Int)
    most = stop.range.high if by > 0 else stop.range.low
    limit = _count(first, most, by)
    if limit > MAX_CALLED or by < 0:
        text = ast.unparse(node)
        raise frame.error(
            rules.LoopUnbounded, node, what=f"`range({text})`", suggestion=f"give it one: `range(min({text}, 64))`"
        )
    # Counting is done in a type that holds the start and the last number without wrapping.
    type_ = stop.type if stop.type.bits >= 32 else Int(32, stop.type.signed)
    if first < 0 and not type_.signed:
        raise frame.error(rules.MixedSigns, call, left=Int(64, signed=True), right=type_)
    before, code = frame.bind(fit(frame, stop, type_, node, "range()"))
    return _Rounds(first, by, limit, type_, Bounds(first, max(first, most - 1)), before, code)
