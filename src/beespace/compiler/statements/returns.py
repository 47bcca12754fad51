"""``return``: a program's verdict, a sub-program's result.

Invariant: what a program returns is a number that its hook takes; a return without a value, and the
end of a program, mean the hook's verdict that lets things pass.
"""

from __future__ import annotations

import ast

from beespace.compiler import interfaces, ir, rules
from beespace.compiler.contexts.fields import allowed_results
from beespace.compiler.contexts.verdicts import check_verdicts, names_verdict
from beespace.compiler.diagnostics import Failure
from beespace.compiler.expressions.numbers import fit, literal_type, present
from beespace.compiler.frame import Frame
from beespace.compiler.owned import LENT, OBJECT
from beespace.compiler.results import give, give_several, returns_copy
from beespace.compiler.statements.assignments import with_type
from beespace.compiler.syntax import nodes
from beespace.compiler.types import (
    I32,
    U32,
    VOID,
    Bool,
    Int,
    KernelPointer,
    Literal,
    NoneType,
    Optional,
    Poison,
    Socket,
    StructType,
    Type,
    Void,
)
from beespace.compiler.values import Value
from beespace.hooks.results import written_range
from beespace.isa.constants import ProgramType

__all__ = ["return_statement"]


def return_statement(frame: Frame, node: ast.Return) -> ir.Block:
    """Lower a return."""
    block = _program(frame, node) if frame.attachment is not None else _subprogram(frame, node)
    frame.state = frame.state.dead()
    return block


def _is_none(node: ast.Return) -> bool:
    return node.value is None or (isinstance(node.value, ast.Constant) and node.value.value is None)


def _program(frame: Frame, node: ast.Return) -> ir.Block:
    assert frame.attachment is not None
    if frame.result is not None:
        return _method(frame, node, frame.result)
    if _is_none(node):
        return (ir.Return(ir.Const(frame.verdict, ir.I32)),)
    assert node.value is not None
    hook = frame.attachment.hook
    check_verdicts(frame, node.value, hook)
    value = present(frame, frame.value(node.value, I32), node.value)
    allowed = written_range(hook) if isinstance(value.type, Literal) or value.literal else allowed_results(hook)
    if isinstance(value.type, Bool):
        known = int(value.code.value) if isinstance(value.code, ir.Const) else None
        low, high = (0, 1) if known is None else (known, known)
        _check(frame, node.value, hook.name, allowed, low, high, "True or False" if known is None else str(bool(known)))
        return (ir.Return(ir.Convert(value.expression, ir.I32)),)
    if not isinstance(value.type, (Int, Literal)):
        raise frame.error(
            rules.ReturnMismatch, node.value, name=frame.source.node.name, expected="a number or bool", found=value.type
        )
    low, high = value.range.low, value.range.high
    found = str(low) if low == high else f"a {value.type} from {low} to {high}"
    _check(frame, node.value, hook.name, allowed, low, high, found)
    if isinstance(value.type, Literal):
        return (ir.Return(fit(frame, value, I32, node.value, "the result")),)
    named = isinstance(value.type, Int) and value.type.enum is not None  # a member: it fits the result
    # How many bytes a socket is to keep is an unsigned number: `return ctx.len`.
    unsigned = hook.program_type == ProgramType.SOCKET_FILTER and low >= 0 and high <= U32.maximum
    if allowed is None and not named and not unsigned and not (I32.minimum <= low and high <= I32.maximum):
        return (ir.Return(fit(frame, value, I32, node.value, "the result")),)
    code = value.expression
    return (ir.Return(code if code.type == ir.I32 else ir.Convert(code, ir.I32)),)


def _method(frame: Frame, node: ast.Return, result: Type) -> ir.Block:
    """From a function of a kernel interface: what its prototype says, in the register that programs have for it."""
    code = interfaces.code_of(result)
    if isinstance(result, Void) or node.value is None:
        if (node.value is not None and not _is_none(node)) or not isinstance(result, Void):
            found = "nothing" if node.value is None else f"`{ast.unparse(node.value)}`"
            raise frame.error(
                rules.ReturnMismatch, node, name=frame.source.node.name, expected=result, found=found,
                suggestion="return nothing" if isinstance(result, Void) else f"return a {result}",
            )  # fmt: skip
        return (ir.Return(ir.Const(0, code)),)
    assert isinstance(result, (Int, Bool))
    value = frame.value(node.value, result if isinstance(result, Int) else None)
    if isinstance(value.type, Poison):
        raise Failure(None)
    number = _number(frame, value, result, node.value)
    return (ir.Return(number if number.type == code else ir.Convert(number, code)),)


def _check(
    frame: Frame, node: ast.expr, hook: str, allowed: tuple[int, int] | None, low: int, high: int, found: str
) -> None:
    if allowed is None or (allowed[0] <= low and high <= allowed[1]):
        return
    range_text = f"{allowed[0]} to {allowed[1]}" if allowed[0] != allowed[1] else f"only {allowed[0]}"
    suggestion = "return True or False" if allowed == (0, 1) else f"keep it within {range_text}"
    if allowed[0] < 0 and allowed[1] == 0:
        suggestion = "0 allows, a negative error number forbids, as -13 (EACCES)"
    if allowed[0] == allowed[1]:
        suggestion = "return nothing"
    raise frame.error(
        rules.VerdictRange, node, hook=f"@{hook.replace('/', ' ')}", allowed=range_text, found=found,
        suggestion=suggestion,
    )  # fmt: skip


def _subprogram(frame: Frame, node: ast.Return) -> ir.Block:
    if _is_none(node):
        frame.returns.append(node)
        if frame.result is None and node.value is None and not _returns_values(frame):
            frame.result = VOID
        return (ir.Return(),)
    assert node.value is not None
    if isinstance(node.value, ast.Tuple):
        return give_several(frame, node.value)
    if frame.result is None and names_verdict(frame, node.value):
        frame.result = I32  # what programs return
    value = frame.value(node.value, frame.result if isinstance(frame.result, Int) else None)
    if isinstance(value.type, Poison):
        raise Failure(None)
    if isinstance(value.type, NoneType):
        frame.returns.append(node)
        return (ir.Return(),)
    if returns_copy(frame, value):
        return give(frame, value, node.value)
    if frame.result is None:
        frame.result = literal_type(value.type) if isinstance(value.type, Literal) else value.type
    if isinstance(frame.result, Void):
        raise frame.error(
            rules.ReturnMismatch, node.value, name=frame.source.node.name, expected="nothing", found=value.type,
            suggestion="annotate what it returns, or leave the value out",
        )  # fmt: skip
    if isinstance(frame.result, (Int, Bool)):
        return (ir.Return(_number(frame, value, frame.result, node.value)),)
    return _reference(frame, value, node.value)


def _returns_values(frame: Frame) -> bool:
    return any(isinstance(found, ast.Return) and not _is_none(found) for found in nodes(frame.source.node))


def _number(frame: Frame, value: Value, result: Int | Bool, node: ast.expr) -> ir.Expression:
    present(frame, value, node)
    fits = isinstance(value.type, Bool) == isinstance(result, Bool) and isinstance(value.type, (Int, Bool, Literal))
    if fits and isinstance(value.type, Int) and isinstance(result, Int):
        fits = value.type.signed == result.signed and value.type.bits <= result.bits
    if not fits:
        raise _mismatch(frame, result, value.type, node, f"annotate the widest: `-> {value.type}`")
    return fit(frame, value, result, node, "the result")


def _mismatch(frame: Frame, expected: Type, found: Type, node: ast.expr, suggestion: str = "") -> Failure:
    if not isinstance(found, Int):
        suggestion = ""
    return frame.error(
        rules.ReturnMismatch, node, name=frame.source.node.name, expected=expected, found=found, suggestion=suggestion
    )


def _reference(frame: Frame, value: Value, node: ast.expr) -> ir.Block:
    """A struct in a map, a kernel pointer, a socket; not what lives on this function's stack."""
    inner = value.type.inner if isinstance(value.type, Optional) else value.type
    if not isinstance(inner, (StructType, KernelPointer, Socket)):
        raise frame.error(rules.ReturnMismatch, node, name=frame.source.node.name,
                          expected="a number, a bool, a text, a struct, a reference into a map or a kernel pointer",
                          found=value.type)  # fmt: skip
    if value.recipe is None and value.expression.type in (OBJECT, LENT):
        raise frame.error(rules.ObjectEscapes, node)
    if value.recipe is not None or value.expression.type == ir.PointerType(ir.Region.STACK):
        raise frame.error(rules.StackEscapes, node, found=inner)
    assert frame.result is not None
    wanted = frame.result.inner if isinstance(frame.result, Optional) else frame.result
    if wanted != inner or frame.result_code not in (None, value.expression.type):
        raise _mismatch(frame, frame.result, value.type, node)
    if isinstance(value.type, Optional) and not isinstance(frame.result, Optional):
        if frame.source.node.returns is not None:
            raise _mismatch(frame, frame.result, value.type, node)
        frame.result = value.type
    else:
        with_type(frame, value, Optional(wanted), node, "the result")
    frame.result_code = value.expression.type
    return (ir.Return(value.expression),)
