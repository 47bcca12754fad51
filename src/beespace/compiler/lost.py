"""Counting what is lost: one per-CPU array for the whole program, one counter for each map.

Invariant: every insertion and every event that the kernel refuses adds one to its map's counter.

The array is named ``beespace_lost``: key u32, value u64 on each CPU.  The key of a map is its
position in the program's declaration (:func:`lost_index`), that of the log the one after; what user
space shows as ``lost`` is the sum over all CPUs.
"""

from __future__ import annotations

from beespace.compiler import ir
from beespace.compiler.frame import Frame
from beespace.compiler.kernel.calls import call
from beespace.compiler.values import not_null
from beespace.lang import Declaration
from beespace.schema import IntKind

__all__ = ["LOG_MAP", "LOST_MAP", "count_lost", "lost_index", "lost_map"]

LOST_MAP = "beespace_lost"
LOG_MAP = "beespace_log"  # see :mod:`beespace.compiler.statements.logs`
_PERCPU_ARRAY = 6  # BPF_MAP_TYPE_PERCPU_ARRAY


def lost_index(declaration: Declaration, map_name: str) -> int:
    """The key of ``map_name`` in the array of loss counters; ``KeyError`` if the program has no such map."""
    for index, name in enumerate(declaration.maps):
        if name == map_name:
            return index
    if map_name == LOG_MAP:
        return len(declaration.maps)
    raise KeyError(map_name)


def lost_map(declaration: Declaration, *, logs: bool = False) -> ir.MapDefinition:
    """The definition of the array; ``logs``: the program has a log."""
    return ir.MapDefinition(
        LOST_MAP,
        _PERCPU_ARRAY,
        IntKind("u32", 32),
        IntKind("u64", 64),
        max_entries=max(1, len(declaration.maps) + logs),
    )


def count_lost(frame: Frame, map_name: str) -> ir.Block:
    """Add one to the counter of ``map_name``."""
    frame.unit.losing.add(map_name)
    key = frame.scope.slot(4)
    name = frame.scope.fresh()
    pointer = ir.PointerType(ir.Region.MAP_VALUE)
    counter = ir.Local(name, pointer)
    return (
        ir.Store(key, ir.Const(lost_index(frame.unit.declaration, map_name), ir.U32)),
        ir.Declare(name, pointer, call("map_lookup_elem", pointer, ir.MapAddress(LOST_MAP), key)),
        ir.If(not_null(counter), (ir.AtomicAdd(counter, ir.Const(1, ir.U64)),)),
    )
