"""Which programs may use maps whose values hold locks and timers.

Invariant: what check_map_prog_compatibility() in kernel/bpf/verifier.c refuses for the program's type is refused here,
with the program's place.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from beespace.compiler import ir, rules
from beespace.compiler.frame import Frame, Unit
from beespace.compiler.ir.walk import walk
from beespace.compiler.memory import resource_in
from beespace.hooks import Attachment
from beespace.isa import ProgramType

__all__ = ["check_holders"]

_TRACING = (
    ProgramType.KPROBE,
    ProgramType.TRACEPOINT,
    ProgramType.PERF_EVENT,
    ProgramType.RAW_TRACEPOINT,
    ProgramType.RAW_TRACEPOINT_WRITABLE,
)


def check_holders(unit: Unit, programs: dict[str, Attachment]) -> None:
    """Add a mistake for each program, of ``programs``, that uses a map that its type may not."""
    for name, attachment in programs.items():
        if name not in unit.functions or attachment.hook.program_type not in _TRACING:
            continue
        for used in sorted(_maps(unit, name, set())):
            map = unit.declaration.maps.get(used)
            held = None if map is None or map.value_kind is None else resource_in(map.value_kind)
            if held is not None and held.struct:
                _refuse(unit, name, attachment, used, held.name)


def _maps(unit: Unit, function: str, seen: set[str]) -> Iterator[str]:
    """The maps that ``function`` names, and those of what it calls."""
    if function in seen or function not in unit.functions:
        return
    seen.add(function)
    for node in walk(unit.functions[function].body):
        if isinstance(node, ir.MapAddress):
            yield node.name
        elif isinstance(node, ir.Call):
            yield from _maps(unit, node.function, seen)
        elif isinstance(node, ir.FunctionAddress):
            yield from _maps(unit, node.name, seen)


def _refuse(unit: Unit, name: str, attachment: Attachment, map: str, held: str) -> None:
    function = unit.declaration.functions.get(name)
    if function is None:
        return
    source = unit.sources.function(function)
    place = ast.copy_location(ast.Name(name), source.node)
    place.end_lineno, place.col_offset = source.node.lineno, source.node.col_offset + len("def ")
    place.end_col_offset = place.col_offset + len(name)
    hook = attachment.hook.name
    unit.diagnostics.add(Frame(unit, source, None).error(rules.ProgramHoldsNone, place, hook=hook, map=map, what=held))
