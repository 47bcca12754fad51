"""``Visits``: what the kernel hands out one by one, as a loop goes through it.

Invariant: how many there are is the kernel's to say; it ends the loop, and so may the body.
"""

from __future__ import annotations

import ast
from collections.abc import Callable

from beespace.compiler import ir
from beespace.compiler.frame import Frame
from beespace.compiler.types import Iteration, Static
from beespace.compiler.values import Value
from beespace.record import dataclass

__all__ = ["Visits", "visits_of"]


@dataclass(frozen=True, slots=True)
class Visits:
    """``begin`` makes a round's first statements, and what its name gets; ``loop`` makes the loop of all statements.

    ``before`` runs once.
    """

    begin: Callable[[Frame], tuple[ir.Block, Value]]
    loop: Callable[[ir.Block], ir.Block]
    before: ir.Block = ()


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
