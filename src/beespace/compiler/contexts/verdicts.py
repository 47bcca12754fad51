"""Verdicts by name: that a program returns those of its own hook.

A number says nothing of what its author meant: ``TC_ACT_SHOT`` is the number of ``XDP_PASS``.
"""

from __future__ import annotations

import ast
from enum import IntEnum

from beespace import hooks
from beespace.compiler import rules
from beespace.compiler.frame import Frame
from beespace.compiler.names import constant_of
from beespace.lang import verdicts

__all__ = ["check_verdicts", "names_verdict"]

# Program types -> what the names of beespace.lang.verdicts mean there.
_FAMILIES: dict[type[IntEnum], tuple[int, ...]] = {
    verdicts.XdpVerdict: (6,),
    verdicts.TcVerdict: (3, 4),
    verdicts.TcxVerdict: (3, 4),
    verdicts.NetkitVerdict: (3, 4),
    verdicts.SocketVerdict: (14, 16, 21, 30),
    verdicts.NetfilterVerdict: (32,),
    verdicts.RouteVerdict: (3, 4, 10, 11, 12, 19, 22),
    verdicts.CgroupVerdict: (8, 9, 13, 15, 18, 23, 25, 29),
}


def check_verdicts(frame: Frame, node: ast.expr, hook: hooks.Hook) -> None:
    """A mistake if a verdict of another hook is returned by name: its number would mean something else."""
    if isinstance(node, ast.IfExp):
        check_verdicts(frame, node.body, hook)
        check_verdicts(frame, node.orelse, hook)
        return
    if hook.context is hooks.Context.REPLACED:
        return  # whatever the replaced function gives
    found = constant_of(frame, node)
    programs = _FAMILIES.get(type(found)) if isinstance(found, IntEnum) else None
    if programs is not None and hook.program_type not in programs:
        family = next((each for each, types in _FAMILIES.items() if hook.program_type in types), None)
        known = ", ".join(family.__members__) if family is not None else "numbers"
        raise frame.error(
            rules.VerdictRange, node, hook=f"@{hook.name.replace('/', ' ')}", allowed=known, found=ast.unparse(node),
            suggestion=f"{ast.unparse(node)} is a verdict of another hook; return one of {known}",
        )  # fmt: skip


def names_verdict(frame: Frame, node: ast.expr) -> bool:
    """Whether an expression is a verdict by name, or one of two."""
    if isinstance(node, ast.IfExp):
        return names_verdict(frame, node.body) or names_verdict(frame, node.orelse)
    return type(constant_of(frame, node)) in _FAMILIES
