"""Rounds: what a loop goes through, whatever it is.

Invariant: there is a number of rounds that is never exceeded, and it is known while compiling.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import TypeAlias

from beespace.compiler import ir
from beespace.compiler.frame import Frame
from beespace.compiler.values import Value
from beespace.record import dataclass

__all__ = ["MAX_CALLED", "MAX_ROUNDS", "Item", "Rounds"]

MAX_ROUNDS = 4096  # of a loop whose rounds the verifier walks through; longer ones are bpf_loop()'s (Linux 5.17)
MAX_CALLED = 1 << 23  # BPF_MAX_LOOPS (kernel/bpf/verifier.c)

# What one round gives: a value, or several that are unpacked.
Item: TypeAlias = "Value | tuple[Item, ...]"


@dataclass(frozen=True, slots=True)
class Rounds:
    """At most ``limit`` rounds, or exactly as many if ``certain``.

    ``begin`` is called with the frame, the round's number (a u32, from 0) and the loop's target; its block ends the
    loop with a break where nothing is left.  ``before`` runs once; ``count``, if it is known, is the number of
    rounds as a u32.
    """

    limit: int
    begin: Callable[[Frame, ir.Expression, ast.expr], tuple[ir.Block, Item]]
    before: ir.Block = ()
    count: ir.Expression | None = None
    certain: bool = True
