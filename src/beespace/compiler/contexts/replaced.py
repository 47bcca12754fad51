"""Parameters of a function that takes the place of another BPF program's (``freplace``).

Invariant: they are those of the replaced function, in its order; the kernel compares both prototypes when the program
is loaded, so that a wrong annotation is refused there.
"""

from __future__ import annotations

import ast

from beespace import hooks
from beespace.compiler import ir, rules
from beespace.compiler.frame import Frame
from beespace.compiler.names import annotation
from beespace.compiler.scope import Variable
from beespace.compiler.types import Context, Int, Type

__all__ = ["enter_replacement"]

_CONTEXT = ir.PointerType(ir.Region.CONTEXT)


def enter_replacement(frame: Frame, plain: list[ast.arg], hook: str) -> tuple[ir.Parameter, ...]:
    """Make the parameters locals; ``hook`` is whose context a parameter ``ctx`` is."""
    parameters: list[ir.Parameter] = []
    for parameter in plain:
        if parameter.arg == "ctx" and parameter.annotation is None:
            type_, code, target = _context(frame, parameter, hook), _CONTEXT, hooks.by_name(hook).context_type
            parameters.append(ir.Parameter(parameter.arg, code, target))
            frame.scope.add(Variable(parameter.arg, parameter.arg, type_, code, parameter=True))
        else:
            type_ = _number(frame, parameter)
            parameters.append(ir.Parameter(parameter.arg, type_.code))
            frame.scope.add(Variable(parameter.arg, parameter.arg, type_, type_.code, parameter=True))
        frame.state.assign(parameter.arg, type_)
    return tuple(parameters)


def _context(frame: Frame, parameter: ast.arg, hook: str) -> Type:
    found = hooks.by_name(hook) if hook else None
    if found is None or found.context is not hooks.Context.STRUCT:
        raise frame.error(
            rules.ParameterShape, parameter, problem="nothing says which context the replaced function has",
            suggestion='name the hook of the replaced program: @freplace("function", context="xdp")',
        )  # fmt: skip
    return Context(found.context, found.context_type, program=found.program_type)


def _number(frame: Frame, parameter: ast.arg) -> Int:
    type_ = annotation(frame, parameter.annotation) if parameter.annotation is not None else None
    if not isinstance(type_, Int):
        raise frame.error(
            rules.ParameterShape, parameter, problem=f"nothing says which integer {parameter.arg} is",
            suggestion="annotate it as the replaced function has it: an integer, as i32",
        )  # fmt: skip
    return type_
