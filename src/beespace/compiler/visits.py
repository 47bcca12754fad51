"""``Visits``: what the kernel hands out one by one, as a loop goes through it.

Invariant: how many there are is the kernel's to say; it ends the loop, and so may the body.
"""

from __future__ import annotations

from collections.abc import Callable

from beespace.compiler import ir
from beespace.compiler.frame import Frame
from beespace.compiler.values import Value
from beespace.record import dataclass

__all__ = ["Visits"]


@dataclass(frozen=True, slots=True)
class Visits:
    """``begin`` makes a round's first statements, and what its name gets; ``loop`` makes the loop of all statements.

    ``before`` runs once.
    """

    begin: Callable[[Frame], tuple[ir.Block, Value]]
    loop: Callable[[ir.Block], ir.Block]
    before: ir.Block = ()
