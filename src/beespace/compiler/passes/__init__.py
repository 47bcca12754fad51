"""Passes over the IR, between the front half and LLVM: functions from a module to one that means the same.

May import: the IR and its walkers, ``btf``, ``isa``, ``schema``, ``errors``.  Invariant: the IR is verified after every
pass, so a pass that breaks a rule is named, and nothing of it reaches LLVM.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TypeAlias

from beespace.compiler import ir
from beespace.compiler.ir.verify import verify
from beespace.compiler.passes.certain_entries import certain_entries
from beespace.compiler.passes.checked_packets import checked_packets
from beespace.compiler.passes.common_ends import common_ends
from beespace.compiler.passes.guards import guards
from beespace.compiler.passes.joined_bounds import joined_bounds
from beespace.compiler.passes.late_values import late_values
from beespace.compiler.passes.maybe_none import maybe_none
from beespace.compiler.passes.off_stack import off_stack
from beespace.compiler.passes.one_caller import one_caller
from beespace.compiler.passes.outline import outline
from beespace.compiler.passes.packet_ends import packet_ends
from beespace.compiler.passes.short_loops import short_loops
from beespace.errors import InternalError

__all__ = ["PASSES", "PASSES_FOR_LITTLE_STACK", "Pass", "run"]

Pass: TypeAlias = Callable[[ir.Module], ir.Module]

#: What every module goes through, in this order.
PASSES: tuple[Pass, ...] = (
    short_loops,
    certain_entries,
    late_values,
    checked_packets,
    maybe_none,
    off_stack,
    common_ends,
    outline,
    guards,
    packet_ends,
    joined_bounds,
    one_caller,
)

#: The same for modules that need more than the stack has.
PASSES_FOR_LITTLE_STACK: tuple[Pass, ...] = tuple(
    partial(outline, little_stack=True) if each is outline else each for each in PASSES
)


def run(module: ir.Module, passes: Iterable[Pass] = PASSES) -> ir.Module:
    """``module`` after ``passes``; :class:`InternalError` names the pass that broke it."""
    for each in passes:
        before, module = module, each(module)
        if module == before:
            continue
        try:
            verify(module)
        except InternalError as error:
            raise InternalError(f"after the pass {_name(each)}: {str(error).partition(chr(10))[0]}") from error
    return module


def _name(each: Pass) -> str:
    return str(getattr(getattr(each, "func", each), "__name__", each))
