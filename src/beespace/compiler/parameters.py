"""Parameters of functions and the arguments of their calls.

Invariant: arguments are evaluated in the order in which they are written, defaults are what Python evaluated where the
function was defined.  The kernel's calls have five registers: numbers that find none travel in memory.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

from beespace.compiler import ir, rules
from beespace.compiler.frame import Frame
from beespace.compiler.source import FunctionSource
from beespace.compiler.values import Value, offset

__all__ = ["PACKED", "REGISTERS", "packed", "parameters_of", "split", "unpacked", "written"]

REGISTERS = 5
PACKED = ".more"  # a sub-program's parameter: where the numbers are that found no register
_WORD = 8


def parameters_of(frame: Frame) -> list[ast.arg]:
    """The parameters, without self; a mistake if there are any that the kernel has no place for."""
    node = frame.source.node
    signature = node.args
    plain = signature.posonlyargs + signature.args
    named = [] if frame.attachment is not None else signature.kwonlyargs
    odd = next(filter(None, (signature.vararg, signature.kwarg)), None)
    odd = odd or next(iter(signature.kwonlyargs if frame.attachment is not None else []), None)
    if odd is not None:
        raise frame.error(
            rules.ParameterShape, odd, problem="a compiled function takes plain parameters",
            suggestion="name each parameter; *args and **kwargs have no place in the kernel",
        )  # fmt: skip
    if not frame.free and (not plain or isinstance(frame.source.function, staticmethod | classmethod)):
        raise frame.error(
            rules.ParameterShape,
            node,
            problem=f"{node.name}() has no self",
            suggestion=f"write def {node.name}(self, ...)",
        )
    if frame.attachment is not None and signature.defaults:
        raise frame.error(
            rules.ParameterShape, signature.defaults[0], problem="what the kernel hands in has no default",
            suggestion="leave the default out",
        )  # fmt: skip
    return [*(plain if frame.free else plain[1:]), *named]


def _defaults(source: FunctionSource) -> dict[str, Any]:
    """The values that Python has for parameters that a call leaves out."""
    function = source.function
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    values = function.__defaults__ or ()
    return {**dict(zip(names[len(names) - len(values) :], values, strict=True)), **(function.__kwdefaults__ or {})}


def written(
    frame: Frame, name: str, source: FunctionSource, parameters: list[ast.arg], node: ast.Call
) -> list[tuple[int, ast.expr | None, Any]]:
    """Each parameter's number with its argument, in the order of the call; without one: with its default."""
    starred = next((argument for argument in node.args if isinstance(argument, ast.Starred)), None)
    if starred is not None:
        raise frame.error(rules.NotSupported, starred, what="`*` in a call", suggestion="write the arguments out")
    spread = next((keyword for keyword in node.keywords if keyword.arg is None), None)
    if spread is not None:
        raise frame.error(rules.NotSupported, spread, what="`**` in a call", suggestion="write the arguments out")
    numbers = {parameter.arg: number for number, parameter in enumerate(parameters)}
    only_named = {parameter.arg for parameter in source.node.args.kwonlyargs}
    by_place = [parameter for parameter in parameters if parameter.arg not in only_named]
    found: dict[str, ast.expr] = {}
    for parameter, argument in zip(by_place, node.args, strict=False):
        found[parameter.arg] = argument
    for keyword in node.keywords:
        assert keyword.arg is not None
        if keyword.arg in {parameter.arg for parameter in source.node.args.posonlyargs}:
            problem = f"takes {keyword.arg} by its place, not by its name"
            raise frame.error(rules.ArgumentNames, keyword, function=f"{name}()", problem=problem)
        if keyword.arg in found or keyword.arg not in numbers:
            problem = f"has no parameter {keyword.arg}" if keyword.arg not in found else f"gets {keyword.arg} twice"
            raise frame.error(rules.ArgumentNames, keyword, function=f"{name}()", problem=problem)
        found[keyword.arg] = keyword.value
    defaults = _defaults(source)
    missing = [parameter.arg for parameter in parameters if parameter.arg not in found]
    if len(node.args) > len(by_place) or any(each not in defaults for each in missing):
        least = len(parameters) - len(defaults)
        count = str(len(parameters)) if not defaults else f"{least} to {len(parameters)}"
        raise frame.error(
            rules.ArgumentCount, node, function=f"{name}()",
            expected=f"{count} argument{'' if count == '1' else 's'}", found=len(node.args) + len(node.keywords),
        )  # fmt: skip
    given: list[tuple[int, ast.expr | None, Any]] = [
        (numbers[each], argument, None) for each, argument in found.items()
    ]
    return given + [(numbers[each], None, defaults[each]) for each in missing]


# --- more than the registers hold ----------------------------------------------------------------


def split(frame: Frame, parameters: list[ast.arg], values: Sequence[Value], *, taken: int) -> tuple[int, ...]:
    """Which parameters travel in memory: the last numbers, as many as must; ``taken``: registers for something else."""
    room = REGISTERS - taken
    if len(values) <= room:
        return ()
    numbers = [at for at, value in enumerate(values) if isinstance(value.expression.type, (ir.IntType, ir.BoolType))]
    moved = numbers[-(len(values) - room + 1) :]
    if len(values) - len(moved) + 1 > room:
        raise frame.error(
            rules.ParameterShape, parameters[REGISTERS - 1],
            problem=f"a function takes at most {room} parameters that are no numbers",
            suggestion="put some of them into a Struct, and pass that",
        )  # fmt: skip
    return tuple(moved)


def packed(
    frame: Frame, codes: Sequence[ir.Expression], moved: tuple[int, ...]
) -> tuple[ir.Block, list[ir.Expression]]:
    """The arguments as the registers hold them; those that are moved are stored before."""
    if not moved:
        return (), list(codes)
    slot = frame.scope.slot(_WORD * len(moved))
    block: ir.Block = ()
    bound: list[ir.Expression] = []
    for code in codes:
        before, kept = frame.bind(code)
        block += before
        bound.append(kept)
    for place, at in enumerate(moved):
        value = bound[at] if isinstance(bound[at].type, ir.IntType) else ir.Convert(bound[at], ir.U8)
        block += (ir.Store(offset(slot, _WORD * place), value),)
    return block, [*(code for at, code in enumerate(bound) if at not in moved), slot]


def unpacked(type_: ir.Type, place: int) -> ir.Expression:
    """A parameter that came in memory."""
    pointer = offset(ir.Local(PACKED, ir.PointerType(ir.Region.STACK)), _WORD * place)
    if isinstance(type_, ir.IntType):
        return ir.Load(pointer, type_)
    return ir.Convert(ir.Load(pointer, ir.U8), ir.BOOL)
