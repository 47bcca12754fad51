"""What ends a program early: a failing assert, a while loop without an end.

Invariant: where Python would raise and leave, the program reports why in its log and returns its hook's verdict; a
sub-program tells its caller, which leaves, too.
"""

from __future__ import annotations

import ast

from beespace.compiler import ir, rules
from beespace.compiler.frame import Frame
from beespace.compiler.statements.logs import report
from beespace.compiler.statements.messages import parts_of

__all__ = ["FAILED", "assert_statement", "fail", "propagate"]

FAILED = ".failed"  # a sub-program's last parameter: where it says that it failed
_FLAG = ir.PointerType(ir.Region.STACK)


def fail(frame: Frame, node: ast.AST, message: str) -> ir.Block:
    """Report ``message``, and leave the program."""
    return (*report(frame, node, [message], failed=True), *_leave(frame))


def assert_statement(frame: Frame, node: ast.Assert) -> ir.Block:
    """``assert condition, f"..."``."""
    test = frame.condition(node.test)
    frame.state = test.when_false
    words = parts_of(frame, node.msg) if node.msg is not None else [ast.unparse(node.test)]
    block = (*report(frame, node, ["assertion failed: ", *words], failed=True), *_leave(frame))
    if isinstance(node.test, ast.Tuple):
        raise frame.error(rules.NoEffect, node.test, suggestion="a tuple is always true: `assert condition, message`")
    frame.state = test.when_true
    return (ir.If(test.code, (), block),)


def _leave(frame: Frame) -> ir.Block:
    if frame.attachment is not None:
        return frame.leave()
    frame.raises = True
    return (ir.Store(ir.Local(FAILED, _FLAG), ir.Const(1, ir.U32)), *frame.leave())


def propagate(frame: Frame, call: ir.Call) -> ir.Expression:
    """``call`` of a sub-program that may fail; if it did, this function leaves, too."""
    flag = frame.scope.slot(4)
    failed = ir.Compare(ir.CompareOp.NE, ir.Load(flag, ir.U32), ir.Const(0, ir.U32))
    before: ir.Block = (ir.Store(flag, ir.Const(0, ir.U32)),)
    made = ir.Call(call.function, (*call.arguments, flag), call.type, span=call.span)
    if call.type == ir.VOID:
        return ir.Sequence((*before, ir.Evaluate(made), ir.If(failed, _leave(frame))), ir.Const(0, ir.U64))
    name = frame.scope.fresh()
    body: ir.Block = (*before, ir.Declare(name, made.type, made), ir.If(failed, _leave(frame)))
    return ir.Sequence(body, ir.Local(name, made.type))
